// Package files opens files that a person, a text or a run's manifest names: only regular files, without waiting, and
// it never reads more than the caller has asked for. Reading a pipe, a device or a folder might never end, or mean
// something else. The package does not know what the files contain.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Reasons why a file cannot be read, besides the operating system's errors. The texts follow a file's name. A broken
// link is not fs.ErrNotExist, because there is something with that name.
var (
	ErrFolder     = errors.New("is a folder, not a file")
	ErrNotFolder  = errors.New("is not a folder")
	ErrNotRegular = errors.New("is not a regular file")
	ErrBrokenLink = errors.New("is a link to a file that is not there")
	ErrLinkCircle = errors.New("is a link that leads in a circle")
	ErrNoWriter   = errors.New("is a pipe that nobody writes into")
	ErrTooLarge   = errors.New("is too large")
)

// kindError is an ErrNotRegular that names the kind of file.
type kindError struct{ kind string }

func (e *kindError) Error() string        { return "is a " + e.kind + ", not a regular file" }
func (e *kindError) Is(target error) bool { return target == ErrNotRegular }

// Own returns the error of this package in err, nil if there is none. Its text is complete after the file's name.
func Own(err error) error {
	for _, own := range []error{ErrFolder, ErrNotRegular, ErrBrokenLink, ErrLinkCircle, ErrNoWriter, ErrTooLarge, ErrNotFolder} {
		if errors.Is(err, own) {
			return Cause(err)
		}
	}
	return nil
}

// Cause is what is wrong with a file, without its name and the operation.
func Cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// Open opens a regular file. The error is an *fs.PathError, also if it is not a regular file.
func Open(path string) (*os.File, error) { return open(world{}, path, file) }

// OpenIn opens a regular file below root; a name or link that leads outside is an error.
func OpenIn(root *os.Root, name string) (*os.File, error) { return open(root, name, file) }

// OpenFolderIn opens a folder below root.
func OpenFolderIn(root *os.Root, name string) (*os.File, error) { return open(root, name, directory) }

// OpenFolder opens a folder.
func OpenFolder(path string) (*os.File, error) { return open(world{}, path, directory) }

// place is where names are looked up.
type place interface {
	Stat(name string) (fs.FileInfo, error)
	Lstat(name string) (fs.FileInfo, error)
	OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error)
}

// world is the whole file system.
type world struct{}

func (world) Stat(name string) (fs.FileInfo, error)  { return os.Stat(name) }
func (world) Lstat(name string) (fs.FileInfo, error) { return os.Lstat(name) }
func (world) OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag, perm)
}

// kind is what may be opened.
type kind int

const (
	file kind = iota
	directory
	either
)

// open checks the kind before it opens, because opening a device can have an effect, and again afterwards, because the
// name may refer to something else by then.
func open(in place, path string, k kind) (*os.File, error) {
	info, err := stat(in, path)
	if err == nil {
		err = k.is(path, info)
	}
	if err != nil {
		return nil, err
	}
	f, err := in.OpenFile(path, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil {
		err = k.is(path, info)
	}
	// A file that one can wait for is produced by the system while it is read, such as /proc/kmsg: reading may never
	// end.
	if err == nil && info.Mode().IsRegular() && f.SetReadDeadline(time.Time{}) == nil {
		time.AfterFunc(patience, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// stat returns a special error for a broken link.
func stat(in place, path string) (fs.FileInfo, error) {
	info, err := in.Stat(path)
	switch {
	case errors.Is(err, syscall.ELOOP):
		return nil, &fs.PathError{Op: "open", Path: path, Err: ErrLinkCircle}
	case errors.Is(err, fs.ErrNotExist):
		if link, lerr := in.Lstat(path); lerr == nil && link.Mode()&fs.ModeSymlink != 0 {
			return nil, &fs.PathError{Op: "open", Path: path, Err: ErrBrokenLink}
		}
	}
	return info, err
}

// is returns an error if the file is not of the kind.
func (k kind) is(path string, info fs.FileInfo) error {
	mode, err := info.Mode(), ErrNotRegular
	switch {
	case mode.IsRegular() && k != directory, mode.IsDir() && k != file:
		return nil
	case k == directory:
		err = ErrNotFolder
	case mode.IsDir():
		err = ErrFolder
	case Kind(mode) != "":
		err = &kindError{Kind(mode)}
	}
	return &fs.PathError{Op: "open", Path: path, Err: err}
}

// Kind is the word for a file that is not regular: "pipe", "folder", and so on; "" if there is none.
func Kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "folder"
	case mode&fs.ModeSymlink != 0:
		return "link"
	case mode&fs.ModeNamedPipe != 0:
		return "pipe"
	case mode&fs.ModeSocket != 0:
		return "socket"
	case mode&fs.ModeDevice != 0:
		return "device"
	}
	return ""
}

// Read reads a regular file of at most most bytes. A larger one is refused before memory is allocated for it.
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

// ReadNamed is Read for a file on the command line: it may also be a pipe, such as a shell's <(…), or a terminal.
func ReadNamed(path string, most int64) ([]byte, error) { return readNamed(path, most, patience) }

// patience is how long a pipe may have no writer, and how long a file of the system may be read.
const patience = time.Second

func readNamed(path string, most int64, wait time.Duration) ([]byte, error) {
	info, err := stat(world{}, path)
	switch {
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeCharDevice != 0:
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		return ReadAll(f, path, most)
	case info.Mode()&fs.ModeNamedPipe == 0:
		return Read(path, most)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if Passed(path) { // its writer existed before this program
		wait = 0
	}
	p := &pipe{f: f, wait: wait}
	data, err := readAll(p, 0, path, most)
	if err == nil && len(data) == 0 && wait > 0 {
		err = &fs.PathError{Op: "read", Path: path, Err: ErrNoWriter}
	}
	return data, err
}

// Passed reports whether the path names a file that this program inherited open, such as a shell's <(…). It is not in a
// folder of the user.
func Passed(path string) bool {
	path = filepath.ToSlash(path)
	return strings.HasPrefix(path, "/dev/fd/") || strings.HasPrefix(path, "/proc/") || path == "/dev/stdin"
}

// pipe is a pipe that was opened without waiting. It reads as empty while nobody has opened it for writing; wait is how
// long that does not count as the end.
type pipe struct {
	f    *os.File
	wait time.Duration
}

func (p *pipe) Read(b []byte) (int, error) {
	const pause = 10 * time.Millisecond
	for {
		n, err := p.f.Read(b)
		switch {
		case n > 0:
			p.wait = 0
			return n, err
		case errors.Is(err, syscall.EAGAIN): // a system whose pipes cannot be waited for
		case err == io.EOF && p.wait > 0:
			p.wait -= pause
		default:
			return n, err
		}
		time.Sleep(pause)
	}
}

// ReadAll reads an open file of at most most bytes and closes it.
func ReadAll(f *os.File, path string, most int64) ([]byte, error) {
	defer func() { _ = f.Close() }()
	size := int64(0)
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	return readAll(f, size, path, most)
}

func readAll(r io.Reader, size int64, path string, most int64) ([]byte, error) {
	large := &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("%w: more than %s", ErrTooLarge, Size(most))}
	if size > most {
		return nil, large
	}
	data := make([]byte, 0, size+512)
	for int64(len(data)) <= most {
		n, err := r.Read(data[len(data):cap(data)])
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

// SyncFolder makes renames in a folder durable. Windows cannot sync a folder, and does not need it.
func SyncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := open(world{}, path, directory)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Size prints a number of bytes for people.
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

// Folder is the folder root as a file system whose Open returns only regular files and folders.
func Folder(root string) fs.FS { return folder(root) }

type folder string

// Open implements fs.FS.
func (d folder) Open(name string) (fs.File, error) {
	path, err := d.path("open", name)
	if err != nil {
		return nil, err
	}
	f, err := open(world{}, path, either)
	if err != nil {
		return nil, named(err, name)
	}
	return f, nil
}

// Stat implements fs.StatFS.
func (d folder) Stat(name string) (fs.FileInfo, error) {
	path, err := d.path("stat", name)
	if err != nil {
		return nil, err
	}
	info, err := stat(world{}, path)
	return info, named(err, name)
}

// Lstat implements fs.ReadLinkFS.
func (d folder) Lstat(name string) (fs.FileInfo, error) {
	path, err := d.path("lstat", name)
	if err != nil {
		return nil, err
	}
	info, err := os.Lstat(path)
	return info, named(err, name)
}

// ReadLink implements fs.ReadLinkFS.
func (d folder) ReadLink(name string) (string, error) {
	path, err := d.path("readlink", name)
	if err != nil {
		return "", err
	}
	to, err := os.Readlink(path)
	return to, named(err, name)
}

// ReadDir implements fs.ReadDirFS.
func (d folder) ReadDir(name string) ([]fs.DirEntry, error) {
	path, err := d.path("open", name)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(path)
	return entries, named(err, name)
}

func (d folder) path(op, name string) (string, error) {
	local, err := filepath.Localize(name)
	if err != nil {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return filepath.Join(string(d), local), nil
}

// named sets the name in an error to the file's name in the folder.
func named(err error, name string) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return &fs.PathError{Op: pe.Op, Path: name, Err: pe.Err}
	}
	return err
}
