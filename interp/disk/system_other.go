//go:build !windows && (!unix || solaris || aix)

package disk

import (
	"errors"
	"os"
)

// syncsFolders: a change of names is durable by itself.
const syncsFolders = false

// Lock returns an error, because this system has no locks that qpipe knows.
func (d *Disk) Lock(string) (*os.File, error) {
	return nil, errors.New("this system has no file locks that qpipe knows")
}
