package artifact

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Disk replaces files so that a reader, also one after a crash, sees the old
// content or the new, never a part. The temporary file has a fixed name beside
// the file: a crash leaves at most one of them, and the next write takes it over.
//
// renameio does not sync the folder after the rename and does not exist on
// Windows, so the four steps are here.
type Disk struct {
	// Trace, if set, is called between the steps, with the step's name and the
	// file's path; an error stops the write there. Tests crash with it.
	Trace func(step, path string) error
	// NoSync leaves out what makes data survive a power cut, for tests that only
	// look at the order of writes.
	NoSync bool
}

// The steps of a write, in order. In the middle of the data there is one more.
const (
	StepBegin   = "begin"   // nothing has happened yet
	StepHalf    = "half"    // a part of the data is in the temporary file
	StepWritten = "written" // all of it is, and it is on disk
	StepRenamed = "renamed" // the file is the new one
	StepAppend  = "append"  // before a line is added to a log
	StepMove    = "move"    // before a folder is renamed
	StepRemove  = "remove"  // before a file or folder is removed
)

func (d *Disk) trace(step, path string) error {
	if d == nil || d.Trace == nil {
		return nil
	}
	return d.Trace(step, path)
}

// Write replaces path with what the parts say, one after the other. The file is
// on disk when Write returns.
func (d *Disk) Write(path string, parts ...[]byte) (err error) {
	if err := d.trace(StepBegin, path); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+tmpExt)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	if err := d.fill(f, path, parts); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := d.trace(StepWritten, path); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	if err := d.syncDir(filepath.Dir(path)); err != nil {
		return err
	}
	return d.trace(StepRenamed, path)
}

func (d *Disk) fill(f *os.File, path string, parts [][]byte) error {
	for _, p := range parts {
		half := len(p) / 2
		if _, err := f.Write(p[:half]); err != nil {
			return discard(f, err)
		}
		if err := d.trace(StepHalf, path); err != nil {
			return err
		}
		if _, err := f.Write(p[half:]); err != nil {
			return discard(f, err)
		}
	}
	if err := d.sync(f); err != nil {
		return discard(f, err)
	}
	return nil
}

// discard removes a temporary file that could not be filled: on a full disk its
// room is needed.
func discard(f *os.File, err error) error {
	_ = os.Remove(f.Name())
	return err
}

func (d *Disk) sync(f *os.File) error {
	if d != nil && d.NoSync {
		return nil
	}
	return f.Sync()
}

func (d *Disk) syncDir(dir string) error {
	if d != nil && d.NoSync {
		return nil
	}
	return syncDir(dir)
}

// Move renames a folder or file; what was at to is replaced.
func (d *Disk) Move(from, to string) error {
	if err := d.RemoveAll(to); err != nil {
		return err
	}
	if err := d.trace(StepMove, from); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	if err := d.syncDir(filepath.Dir(from)); err != nil {
		return err
	}
	return d.syncDir(filepath.Dir(to))
}

// RemoveAll removes a file or folder; nothing there is fine.
func (d *Disk) RemoveAll(path string) error {
	if _, err := os.Lstat(path); os.IsNotExist(err) {
		return nil
	}
	if err := d.trace(StepRemove, path); err != nil {
		return err
	}
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	return d.syncDir(filepath.Dir(path))
}

const tmpExt = ".tmp"

// Sweep removes the temporary files that writes cut off by a crash have left in
// the folder dir.
func (d *Disk) Sweep(dir string) error {
	left, err := filepath.Glob(filepath.Join(escape(dir), ".*"+tmpExt))
	if err != nil {
		return err
	}
	for _, path := range left {
		if err := d.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// escape makes a folder's name one that a pattern takes literally.
func escape(dir string) string {
	if filepath.Separator == '\\' {
		return dir // patterns have no escapes there
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// openRegular opens a file, and nothing else that a path may name: of a pipe the
// reading would never end.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errors.New("is a folder; name the file in it")
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	}
	return os.Open(path)
}

// readLimited reads a file of at most max bytes.
func readLimited(path string, max int64) ([]byte, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > max {
		return nil, damaged(path, "larger than %d bytes, the most that such a file may have", max)
	}
	return data, nil
}
