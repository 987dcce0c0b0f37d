package data

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
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

// Together returns one hash of many files in a folder, whose names are sorted. If one of them may have changed since they
// were last hashed, or has come or gone, all are read again, by all cores. Only that hash is remembered: a run of a
// million images does not write down a million of them.
func (s *Sums) Together(folder fs.FS, root, together string, names []string, afresh bool) (string, error) {
	key := path.Join(root, together)
	now, err := s.stamps(folder, names)
	if err != nil {
		return "", err
	}
	if old := s.Known[key]; now.Same(old) && (!afresh || s.hashed[key]) {
		return old.SHA256, nil
	}
	if now.SHA256, err = sumAll(folder, names); err != nil {
		return "", err
	}
	if after, err := s.stamps(folder, names); err != nil || !now.Same(after) {
		now.Changed, now.Inode = 0, 0
	}
	if s.hashed == nil {
		s.hashed = map[string]bool{}
	}
	s.Known[key], s.hashed[key] = now, true
	return now.SHA256, nil
}

// stamps returns the digest of many files without their hash: their bytes, their last times, and instead of an inode a
// number that depends on the names, sizes, times and inodes of all.
func (s *Sums) stamps(folder fs.FS, names []string) (disk.Digest, error) {
	all, at, certain := disk.Digest{}, s.Now(), true
	hash := sha256.New()
	for _, name := range names {
		info, err := fs.Stat(folder, name)
		if err == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%s: not a regular file", name)
		}
		if err != nil {
			return all, err
		}
		d := disk.Stamp(info, at)
		fmt.Fprintf(hash, "%q %d %d %d %d\n", name, d.Bytes, d.Modified, d.Changed, d.Inode)
		certain = certain && d.Changed > 0
		all.Bytes += d.Bytes
		all.Modified, all.Changed = max(all.Modified, d.Modified), max(all.Changed, d.Changed)
	}
	if all.Inode = binary.BigEndian.Uint64(hash.Sum(nil)); !certain {
		all.Changed, all.Inode = 0, 0
	}
	return all, nil
}

// sumAll hashes the names and the hashes of many files.
func sumAll(folder fs.FS, names []string) (string, error) {
	sums, errs := make([]string, len(names)), make([]error, len(names))
	var next atomic.Int64
	var work sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		work.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(names) {
					return
				}
				sums[i], errs[i] = sum(folder, names[i])
			}
		})
	}
	work.Wait()
	hash := sha256.New()
	for i, name := range names {
		if errs[i] != nil {
			return "", errs[i]
		}
		fmt.Fprintf(hash, "%q %s\n", name, sums[i])
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
