// Package files opens what a person, a text or a run's manifest names: regular
// files alone, without waiting, and never more of them than the reader has asked
// for. Of a pipe, a device or a folder the reading would never end, or mean
// something else. It knows nothing of what the files hold.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// What keeps a file from being read, besides what the operating system says. The
// texts follow a file's name.
var (
	ErrFolder     = errors.New("is a folder, not a file")
	ErrNotRegular = errors.New("not a regular file")
	ErrTooLarge   = errors.New("too large")
)

// Open opens a regular file. The error is an *fs.PathError, also about what is no
// regular file.
func Open(path string) (*os.File, error) {
	return open(path, os.Stat, func() (*os.File, error) { return os.OpenFile(path, os.O_RDONLY|noWait, 0) })
}

// OpenIn opens a regular file below root; a name or link that leads out of it is an error.
func OpenIn(root *os.Root, name string) (*os.File, error) {
	return open(name, root.Stat, func() (*os.File, error) { return root.OpenFile(name, os.O_RDONLY|noWait, 0) })
}

// open looks before it opens, since opening a device can act on it, and again
// after, since the name can mean another thing by then.
func open(path string, stat func(string) (fs.FileInfo, error), opened func() (*os.File, error)) (*os.File, error) {
	info, err := stat(path)
	if err != nil {
		return nil, err
	}
	if err := regular(path, info); err != nil {
		return nil, err
	}
	f, err := opened()
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil {
		err = regular(path, info)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func regular(path string, info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return &fs.PathError{Op: "open", Path: path, Err: ErrFolder}
	case !info.Mode().IsRegular():
		return &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
	}
	return nil
}

// Read reads a regular file of at most most bytes. A larger one is refused before
// its memory is asked for.
func Read(path string, most int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	return ReadAll(f, path, most)
}

// ReadIn is Read below root.
func ReadIn(root *os.Root, name string, most int64) ([]byte, error) {
	f, err := OpenIn(root, name)
	if err != nil {
		return nil, err
	}
	return ReadAll(f, name, most)
}

// ReadNamed is Read for a file that the command line itself names: it may also be a
// pipe, as a shell's <(…) makes one, or a terminal.
func ReadNamed(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode()&(fs.ModeNamedPipe|fs.ModeCharDevice) == 0 {
		return Read(path, most)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return ReadAll(f, path, most)
}

// ReadAll reads an open file of at most most bytes and closes it.
func ReadAll(f *os.File, path string, most int64) ([]byte, error) {
	defer func() { _ = f.Close() }()
	large := &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("%w: more than %s", ErrTooLarge, Size(most))}
	size := int64(0)
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	if size > most {
		return nil, large
	}
	data := make([]byte, 0, size+512)
	for int64(len(data)) <= most {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
	if int64(len(data)) > most {
		return nil, large
	}
	return data, nil
}

// Size says a number of bytes as people do.
func Size(n int64) string {
	for _, u := range []struct {
		shift int
		name  string
	}{{30, "GiB"}, {20, "MiB"}, {10, "KiB"}} {
		if one := int64(1) << u.shift; n >= one && n%one == 0 {
			return fmt.Sprintf("%d %s", n>>u.shift, u.name)
		} else if n >= 4*one {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(one), u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// Folder is the folder root as a file system whose Open gives regular files and
// folders alone.
func Folder(root string) fs.FS { return folder{os.DirFS(root)} }

type folder struct{ fs.FS }

// Open implements fs.FS.
func (d folder) Open(name string) (fs.File, error) {
	info, err := fs.Stat(d.FS, name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: ErrNotRegular}
	}
	return d.FS.Open(name)
}

// Stat implements fs.StatFS.
func (d folder) Stat(name string) (fs.FileInfo, error) { return fs.Stat(d.FS, name) }

// ReadDir implements fs.ReadDirFS.
func (d folder) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(d.FS, name) }
