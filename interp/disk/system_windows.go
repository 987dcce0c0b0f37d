package disk

import (
	"os"
	"syscall"
)

// syncsFolders: renames are journalled there.
const syncsFolders = false

// Lock opens the file name without sharing it, or returns ErrLocked at once.
func (d *Disk) Lock(name string) (*os.File, error) {
	const sharingViolation = syscall.Errno(32)
	path := d.Path(name)
	wide, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(wide, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if err == sharingViolation {
		return nil, ErrLocked
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(h), path), nil
}
