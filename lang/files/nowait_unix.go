//go:build unix

package files

import "syscall"

// noWait keeps the opening of a pipe from waiting for its other end; reading a
// regular file is as without it.
const noWait = syscall.O_NONBLOCK
