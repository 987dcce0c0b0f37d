package data

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"qpipe/interp/disk"
)

// Sums has the hashes of files of data.
type Sums struct {
	Known  map[string]disk.Digest // path → what the file was when it was hashed last
	Now    func() time.Time
	hashed map[string]bool // the paths that were hashed here
}

// Of hashes the files of a folder that are there: a data set may name several
// spellings of one file, or patterns. Folders of such a name are no data. A file that
// is surely the one that was hashed last is not read again, unless afresh is set.
func (s *Sums) Of(folder fs.FS, root string, patterns []string, afresh bool) (map[string]string, error) {
	names, err := matches(folder, patterns)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, name := range names {
		hash, err := s.file(folder, name, path.Join(root, name), afresh)
		if err != nil {
			return nil, err
		}
		if hash != "" {
			out[name] = hash
		}
	}
	return out, nil
}

// matches expands patterns to the files that are there, sorted.
func matches(folder fs.FS, patterns []string) (names []string, err error) {
	for _, p := range patterns {
		found, err := fs.Glob(folder, p)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", p, err)
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// file hashes a file, or recalls its hash; "" where there is no file.
func (s *Sums) file(folder fs.FS, name, key string, afresh bool) (string, error) {
	info, err := fs.Stat(folder, name)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && info.IsDir():
		return "", nil
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s: not a regular file", name)
	}
	now, old := disk.Stamp(info, s.Now()), s.Known[key]
	if now.Same(old) && (!afresh || s.hashed[key]) {
		return old.SHA256, nil
	}
	if now.SHA256, err = sum(folder, name); err != nil {
		return "", err
	}
	if after, err := fs.Stat(folder, name); err != nil || !now.Same(disk.Stamp(after, s.Now())) {
		now.Changed, now.Inode = 0, 0 // it changed while it was read
	}
	if s.hashed == nil {
		s.hashed = map[string]bool{}
	}
	s.Known[key], s.hashed[key] = now, true
	return now.SHA256, nil
}

func sum(folder fs.FS, name string) (string, error) {
	f, err := folder.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	hash, _, err := disk.SumReader(f)
	return hash, err
}
