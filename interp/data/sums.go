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

// Sums hashes the files of data sets, and remembers the hashes.
type Sums struct {
	Known  map[string]disk.Digest // by path: the hash, and size and times of the file when it was hashed
	Now    func() time.Time
	hashed map[string]bool // paths that this Sums has hashed itself
}

// Of returns the hashes of the files in a folder that match the patterns, by name. A
// pattern may match nothing: a data set can name several possible spellings of one file.
// Subfolders are left out. A file that has certainly not changed since it was last hashed is
// not read again. With afresh, every file is read once more.
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

// matches returns the names that match the patterns, sorted.
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

// file returns the hash of a file, which it computes or remembers; "" if there is no file.
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
		now.Changed, now.Inode = 0, 0 // the file changed while it was read, so read it again next time
	}
	if s.hashed == nil {
		s.hashed = map[string]bool{}
	}
	s.Known[key], s.hashed[key] = now, true
	return now.SHA256, nil
}

// sum reads a file and returns its SHA-256.
func sum(folder fs.FS, name string) (string, error) {
	f, err := folder.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	hash, _, err := disk.SumReader(f)
	return hash, err
}
