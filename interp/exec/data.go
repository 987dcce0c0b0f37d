package exec

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"qpipe/interp/disk"
	"qpipe/interp/feed"
	"qpipe/interp/part"
	"qpipe/interp/place"
	"qpipe/lang/program"
)

// opened is an opened data set with its transforms, kept for the other stages.
type opened struct {
	*feed.Feed
	err error
}

// feed opens a data set; nil for none.
func (s *session) feed(d *program.Dataset) (*feed.Feed, error) {
	if d == nil {
		return nil, nil
	}
	f, known := s.feeds[d]
	if !known {
		f = &opened{}
		f.Feed, f.err = s.openFeed(d)
		s.feeds[d] = f
	}
	return f.Feed, f.err
}

func (s *session) openFeed(d *program.Dataset) (*feed.Feed, error) {
	set, err := part.New[part.Dataset](s.plan.Catalog, d.Call)
	if err != nil {
		return nil, place.At(d.Origin, err)
	}
	samples, err := set.Open(s.data)
	if err != nil {
		return nil, place.Unreadable(d.Origin, err)
	}
	f := &feed.Feed{Samples: samples, Spec: set.Spec()}
	for _, call := range d.Transforms {
		t, err := part.New[part.Transform](s.plan.Catalog, call)
		if err == nil {
			f.Spec, err = t.Spec(f.Spec)
		}
		if err != nil {
			return nil, place.At(call.Origin, err)
		}
		f.Transforms = append(f.Transforms, t)
	}
	return f, nil
}

// data opens a folder of data, relative to the pipeline's.
func (s *session) data(root string) fs.FS { return s.FS(s.resolve(root)) }

// matches expands a data set's patterns to the files that are there, sorted.
func matches(fsys fs.FS, patterns []string) (names []string, err error) {
	for _, p := range patterns {
		found, err := fs.Glob(fsys, p)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", p, err)
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// digests hashes the files of a data set that are there: a data set may name
// several spellings of one file, or patterns. Folders of such a name are no data. A
// file that is surely the one that was hashed last is not read again, unless
// afresh is set.
func (s *session) digests(root string, names []string, afresh bool) (map[string]string, error) {
	fsys := s.data(root)
	out := map[string]string{}
	found, err := matches(fsys, names)
	if err != nil {
		return nil, err
	}
	for _, name := range found {
		hash, err := s.digest(fsys, name, path.Join(s.resolve(root), name), afresh)
		if err != nil {
			return nil, err
		}
		if hash != "" {
			out[name] = hash
		}
	}
	return out, nil
}

// digest hashes a file, or recalls its hash; "" where there is no file.
func (s *session) digest(fsys fs.FS, name, key string, afresh bool) (string, error) {
	info, err := fs.Stat(fsys, name)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && info.IsDir():
		return "", nil
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s: not a regular file", name)
	}
	now, old := disk.Stamp(info, s.now()), s.manifest.Data[key]
	if now.Same(old) && (!afresh || s.hashed[key]) {
		return old.SHA256, nil
	}
	if now.SHA256, err = sum(fsys, name); err != nil {
		return "", err
	}
	if after, err := fs.Stat(fsys, name); err != nil || !now.Same(disk.Stamp(after, s.now())) {
		now.Changed, now.Inode = 0, 0 // it changed while it was read
	}
	s.manifest.Data[key], s.hashed[key] = now, true
	return now.SHA256, nil
}

func sum(fsys fs.FS, name string) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	hash, _, err := disk.SumReader(f)
	return hash, err
}
