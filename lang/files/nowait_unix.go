//go:build unix

package files

import "syscall"

// noWait prevents that opening a pipe waits for its other end; it does not change how a regular file is read.
const noWait = syscall.O_NONBLOCK
