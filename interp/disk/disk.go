// Package disk changes the files of one folder so that nothing is lost: a file is
// replaced as a whole or not at all, no name and no link leads out of the folder, and
// nothing is overwritten by accident. It knows nothing of what the files hold.
package disk

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"qpipe/lang/files"
)

// Disk is a folder, opened for reading and writing inside it. Names are relative to it, with slashes.
//
// The steps of a write are implemented here because no library fits: renameio does not sync the folder after the
// rename, does not exist on Windows, and knows no os.Root.
type Disk struct {
	root *os.Root
	path string
	o    Options
}

// Options are for tests.
type Options struct {
	// Trace, if set, is called between the steps of every change, with the names of the step and of the file; an error
	// stops the change there. Tests simulate crashes with it.
	Trace func(step, name string) error
	// NoSync skips the syncs that make data survive a power failure, for tests that check only the order of writes.
	NoSync bool
}

// The steps of a write, in order.
const (
	StepBegin   = "begin"   // nothing has happened yet
	StepHalf    = "half"    // a part of the data is in the temporary file
	StepWritten = "written" // all of it is, and it is on disk
	StepRenamed = "renamed" // the file is the new one
	StepAppend  = "append"  // before a line is added to a log
	StepMove    = "move"    // before a file is moved
	StepRemove  = "remove"  // before a file or folder is removed
)

// Open opens the folder at path.
func Open(path string, o Options) (*Disk, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &Disk{root, path, o}, nil
}

// Close closes the folder.
func (d *Disk) Close() error { return d.root.Close() }

// Root returns the folder itself.
func (d *Disk) Root() *os.Root { return d.root }

// Path is the path of the file name as the user knows it, for messages.
func (d *Disk) Path(name string) string { return filepath.Join(d.path, filepath.FromSlash(name)) }

// Trace reports a step to the tests.
func (d *Disk) Trace(step, name string) error {
	if d.o.Trace == nil {
		return nil
	}
	return d.o.Trace(step, name)
}

// Lstat describes the file with that name, without following a link.
func (d *Disk) Lstat(name string) (fs.FileInfo, error) { return d.root.Lstat(filepath.FromSlash(name)) }

// Read reads a regular file, of at most that many bytes.
func (d *Disk) Read(name string, most int64) ([]byte, error) {
	return files.ReadIn(d.root, filepath.FromSlash(name), most)
}

// Sum is the sha256 of a regular file's bytes.
func (d *Disk) Sum(name string) (string, error) {
	f, err := files.OpenIn(d.root, filepath.FromSlash(name))
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	sum, _, err := SumReader(f)
	return sum, err
}

// Entries lists a folder; a missing folder has no entries.
func (d *Disk) Entries(name string) ([]fs.DirEntry, error) {
	f, err := files.OpenFolderIn(d.root, filepath.FromSlash(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return f.ReadDir(-1)
}

// MkdirAll creates a folder and its parents. None of them may be a link.
func (d *Disk) MkdirAll(name string) error {
	for at, rest := "", name; rest != "" && rest != "."; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		at = path.Join(at, part)
		info, err := d.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if err := d.root.Mkdir(filepath.FromSlash(at), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
		case err != nil:
			return err
		case !info.IsDir():
			return &fs.PathError{Op: "mkdir", Path: at, Err: errors.New("is not a folder")}
		}
	}
	return nil
}

// Write replaces the file name with the parts, one after the other. It is on disk when Write returns. Whatever has the
// name is replaced: the caller makes sure that it may be.
func (d *Disk) Write(name string, parts ...[]byte) error {
	return d.replace(name, func(f *os.File) error {
		for _, p := range parts {
			half := len(p) / 2
			if _, err := f.Write(p[:half]); err != nil {
				return err
			}
			if err := d.Trace(StepHalf, name); err != nil {
				return &stopped{err}
			}
			if _, err := f.Write(p[half:]); err != nil {
				return err
			}
		}
		return nil
	})
}

// WriteFrom is Write for content that need not be in memory at once: fill writes it.
func (d *Disk) WriteFrom(name string, fill func(io.Writer) error) error {
	return d.replace(name, func(f *os.File) error {
		w := bufio.NewWriterSize(f, 1<<16)
		if err := fill(w); err != nil {
			return err
		}
		if err := d.Trace(StepHalf, name); err != nil {
			return &stopped{err}
		}
		return w.Flush()
	})
}

// stopped is the error of a test that simulates a crash: nothing is cleaned up after it.
type stopped struct{ err error }

func (s *stopped) Error() string { return s.err.Error() }
func (s *stopped) Unwrap() error { return s.err }

func (d *Disk) replace(name string, fill func(*os.File) error) error {
	if err := d.Trace(StepBegin, name); err != nil {
		return err
	}
	if err := d.MkdirAll(path.Dir(name)); err != nil {
		return err
	}
	f, tmp, err := d.temporary(name)
	if err != nil {
		return err
	}
	if err = fill(f); err == nil {
		err = d.SyncFile(f)
	}
	if err != nil {
		_ = f.Close()
		return d.discard(tmp, err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := d.Trace(StepWritten, name); err != nil {
		return err
	}
	if err := d.rename(tmp, name); err != nil {
		return err
	}
	if err := d.syncDir(path.Dir(name)); err != nil {
		return err
	}
	return d.Trace(StepRenamed, name)
}

// Append adds data at the end of an open file.
func (d *Disk) Append(f *os.File, name string, data []byte) error {
	if err := d.Trace(StepAppend, name); err != nil {
		return err
	}
	if d.o.Trace != nil {
		half := len(data) / 2
		if _, err := f.Write(data[:half]); err != nil {
			return err
		}
		if err := d.Trace(StepHalf, name); err != nil {
			return err
		}
		data = data[half:]
	}
	_, err := f.Write(data)
	return err
}

// Keep gives the content of the file name a second, unused name, and returns it: the name with an ending and, if
// necessary, a number.
func (d *Disk) Keep(name, ending string) (as string, err error) {
	now, err := d.Lstat(name)
	if err != nil {
		return "", err
	}
	as = name + ending
	for n := 2; n < 1<<10; n++ {
		there, err := d.Lstat(as)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err == nil && os.SameFile(now, there) { // already kept, by a process that was interrupted
			return as, nil
		}
		as = fmt.Sprint(name, ending, ".", n)
	}
	if err := d.Trace(StepMove, name); err != nil {
		return "", err
	}
	if err := d.root.Link(filepath.FromSlash(name), filepath.FromSlash(as)); err != nil {
		err = d.copy(name, as) // this file system has no hard links
		if err != nil {
			return "", err
		}
	}
	return as, d.syncDir(path.Dir(name))
}

func (d *Disk) copy(from, to string) error {
	src, err := files.OpenIn(d.root, filepath.FromSlash(from))
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	dst, err := d.Create(to)
	if err != nil {
		return err
	}
	if _, err = io.Copy(dst, src); err == nil {
		err = d.SyncFile(dst)
	}
	if err != nil {
		_ = dst.Close()
		return d.discard(to, err)
	}
	return dst.Close()
}

// temporary creates a new file beside the file name; it never opens an existing one.
func (d *Disk) temporary(name string) (f *os.File, tmp string, err error) {
	tmp, err = beside(name, func(tmp string) (err error) {
		f, err = d.create(tmp)
		return err
	})
	return f, tmp, err
}

// TemporaryFolder creates a new folder beside the folder name, and returns its name.
func (d *Disk) TemporaryFolder(name string) (tmp string, err error) {
	return beside(name, func(tmp string) error { return d.root.Mkdir(filepath.FromSlash(tmp), 0o755) })
}

// beside creates something under the first temporary name that is free.
func beside(name string, create func(tmp string) error) (tmp string, err error) {
	for n := range uint32(1 << 10) {
		tmp = path.Join(path.Dir(name), fmt.Sprintf(".%s.%08x%s", path.Base(name), n, tmpExt))
		if err = create(tmp); !errors.Is(err, fs.ErrExist) {
			return tmp, err
		}
	}
	return "", err
}

// Create creates a new file, and its folder; an existing file is an error.
func (d *Disk) Create(name string) (*os.File, error) {
	if err := d.MkdirAll(path.Dir(name)); err != nil {
		return nil, err
	}
	return d.create(name)
}

func (d *Disk) create(name string) (*os.File, error) {
	return d.root.OpenFile(filepath.FromSlash(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
}

// discard removes a temporary file that could not be filled: on a full disk its space is needed.
func (d *Disk) discard(tmp string, err error) error {
	if s := (*stopped)(nil); errors.As(err, &s) {
		return s.err
	}
	_ = d.root.Remove(filepath.FromSlash(tmp))
	return err
}

// SyncFile makes an open file's content durable.
func (d *Disk) SyncFile(f *os.File) error {
	if d.o.NoSync {
		return nil
	}
	return f.Sync()
}

// syncDir makes a change of names in a folder durable.
func (d *Disk) syncDir(name string) error {
	if d.o.NoSync || !syncsFolders {
		return nil
	}
	f, err := files.OpenFolderIn(d.root, filepath.FromSlash(name))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return f.Sync()
}

func (d *Disk) rename(from, to string) error {
	return d.root.Rename(filepath.FromSlash(from), filepath.FromSlash(to))
}

// Move gives a file another name, which must be free.
func (d *Disk) Move(from, to string) error {
	if _, err := d.Lstat(to); err == nil {
		return &fs.PathError{Op: "rename", Path: to, Err: fs.ErrExist}
	}
	if err := d.Trace(StepMove, from); err != nil {
		return err
	}
	if err := d.MkdirAll(path.Dir(to)); err != nil {
		return err
	}
	if err := d.rename(from, to); err != nil {
		return err
	}
	if err := d.syncDir(path.Dir(to)); err != nil {
		return err
	}
	return d.syncDir(path.Dir(from))
}

// Remove removes a file or an empty folder; it is no error if there is none.
func (d *Disk) Remove(name string) error {
	if _, err := d.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := d.Trace(StepRemove, name); err != nil {
		return err
	}
	if err := d.root.Remove(filepath.FromSlash(name)); err != nil {
		return err
	}
	return d.syncDir(path.Dir(name))
}

// RemoveFolder removes a folder if it is empty.
func (d *Disk) RemoveFolder(name string) error {
	if entries, err := d.Entries(name); err != nil || len(entries) > 0 {
		return err
	}
	return d.Remove(name)
}

const tmpExt = ".tmp"

// temporaryName matches the names of temporary files: see beside.
var temporaryName = regexp.MustCompile(`^\.(.+)\.00000[0-3][0-9a-f]{2}\` + tmpExt + `$`)

// Final returns the name that the file name will get: for a temporary file this is another name.
func Final(name string) string {
	if m := temporaryName.FindStringSubmatch(path.Base(name)); m != nil {
		return path.Join(path.Dir(name), m[1])
	}
	return name
}

// Sweep removes the temporary files that a crash has left in the folder dir. Anybody can use such a name, so ours says
// whether the file tmp is one that the caller began to write for the file name.
func (d *Disk) Sweep(dir string, ours func(name, tmp string) bool) error {
	entries, err := d.Entries(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		m := temporaryName.FindStringSubmatch(e.Name())
		tmp := path.Join(dir, e.Name())
		if m == nil || !e.Type().IsRegular() || !ours(path.Join(dir, m[1]), tmp) {
			continue
		}
		if err := d.Remove(tmp); err != nil {
			return err
		}
	}
	return nil
}

// ErrLocked says that another process has locked a file.
var ErrLocked = errors.New("locked by another process")
