//go:build linux && !amd64

package strike

import (
	"errors"
	"os"
	"syscall"
)

// Can reports whether programs are struck on this machine.
const Can = false

func (s *Strike) Run(string, []string, *os.ProcAttr, func(*os.Process) func() bool) (syscall.WaitStatus, error) {
	return 0, errors.New("system calls are struck on amd64 only")
}
