package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// measurement is the time and memory that a process took.
type measurement struct {
	Code   int // -1: ended by a signal
	Work   time.Duration
	Memory int64 // the peak of the resident memory, in bytes

	said string // both of its outputs
	over bool   // it was ended at the time limit
}

// measured runs a command line of qpipe in the folder dir, and ends it after the time limit. Words like NAME=value
// before it are for its environment.
//
// The system counts the memory of the starting process as the new process's, and a test can be large: so a small
// process is between them.
func measured(t *testing.T, dir string, limit time.Duration, args ...string) (m measurement) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	from, to, err := os.Pipe()
	must(t, err)
	defer func() { _ = from.Close() }()
	env := append(os.Environ(), "NO_COLOR=1")
	for len(args) > 0 && strings.Contains(args[0], "=") {
		env, args = append(env, args[0]), args[1:]
	}
	cmd := exec.CommandContext(ctx, "measured", append([]string{"qpipe"}, args...)...)
	var out bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = dir, env, &out, &out, []*os.File{to}
	err = cmd.Run()
	must(t, to.Close())
	m.said, m.over = out.String(), ctx.Err() != nil
	if m.over {
		return m
	}
	must(t, err)
	must(t, json.NewDecoder(from).Decode(&m))
	return m
}

func init() { commands["measured"] = launch }

// launch is the program between the test and the measured one. If it is killed, the measured program is too.
func launch() {
	runtime.LockOSThread() // the thread that starts a process is the parent that Pdeathsig means
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s := cmd.ProcessState
	usage, _ := s.SysUsage().(*syscall.Rusage)
	m := measurement{Code: s.ExitCode(), Work: s.UserTime() + s.SystemTime(), Memory: usage.Maxrss << 10}
	if err := json.NewEncoder(os.NewFile(3, "result")).Encode(m); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
