package artifact

import (
	"errors"
	"os"
	"path/filepath"

	"qpipe/lang/diag"
)

var errLocked = errors.New("another run is writing into this folder; wait for it, or give this one another folder with -out")

// Lock keeps a second run out of a folder. The operating system releases it
// when the process ends, however it ends.
type Lock struct{ file *os.File }

// TakeLock locks the run folder dir (making it if need be), or says at once that
// another run has it.
func TakeLock(dir string) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, &FileError{dir, diag.Unwritable, err}
	}
	path := filepath.Join(dir, "lock")
	f, err := openLocked(path)
	switch {
	case err == nil:
		return &Lock{f}, nil
	case errors.Is(err, errLocked):
		return nil, &FileError{dir, diag.Locked, err}
	default:
		return nil, &FileError{path, diag.Unwritable, err}
	}
}

// Release gives the folder back.
func (l *Lock) Release() { _ = l.file.Close() }
