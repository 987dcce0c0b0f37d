//go:build linux

package strike

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// Can reports whether programs are struck on this machine.
const Can = true

// How a call names its file.
const (
	byPath = iota // its first argument is a path
	byAt          // its first argument is a folder, the second a path in it
	byFile        // its first argument is an open file
)

// families are the system calls that a program can be struck at.
var families = map[uint64]struct {
	family string
	by     int
}{
	syscall.SYS_OPEN: {"open", byPath}, syscall.SYS_OPENAT: {"open", byAt}, 437: {"open", byAt}, syscall.SYS_CREAT: {"open", byPath},
	syscall.SYS_READ: {"read", byFile}, syscall.SYS_PREAD64: {"read", byFile},
	syscall.SYS_WRITE: {"write", byFile}, syscall.SYS_PWRITE64: {"write", byFile},
	syscall.SYS_FSYNC: {"sync", byFile}, syscall.SYS_FDATASYNC: {"sync", byFile},
	syscall.SYS_RENAME: {"rename", byPath}, syscall.SYS_RENAMEAT: {"rename", byAt}, 316: {"rename", byAt}, syscall.SYS_LINKAT: {"rename", byAt},
	syscall.SYS_UNLINK: {"unlink", byPath}, syscall.SYS_RMDIR: {"unlink", byPath}, syscall.SYS_UNLINKAT: {"unlink", byAt},
	syscall.SYS_MKDIR: {"mkdir", byPath}, syscall.SYS_MKDIRAT: {"mkdir", byAt},
	syscall.SYS_STAT: {"stat", byPath}, syscall.SYS_LSTAT: {"stat", byPath}, syscall.SYS_FSTAT: {"stat", byFile}, syscall.SYS_NEWFSTATAT: {"stat", byAt}, 332: {"stat", byAt},
	syscall.SYS_GETDENTS64: {"list", byFile},
	syscall.SYS_FTRUNCATE:  {"truncate", byFile}, syscall.SYS_TRUNCATE: {"truncate", byPath},
	syscall.SYS_FLOCK: {"lock", byFile},
	syscall.SYS_CLOSE: {"close", byFile},
}

// thread is a thread of the struck program.
type thread struct {
	inside bool          // between a call's begin and its end
	fails  syscall.Errno // what the call returns without being done
	dies   bool          // when the call is done
}

// Run starts a program under ptrace and waits for it. Calls count that touch a file below
// the folder root.
func (s *Strike) Run(root string, argv []string, attr *os.ProcAttr, running func(*os.Process) func() bool) (status syscall.WaitStatus, err error) {
	runtime.LockOSThread() // the tracer is a thread, not a process
	defer runtime.UnlockOSThread()
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return 0, err
	}
	attr.Sys.Ptrace, attr.Sys.Setpgid = true, true
	p, err := os.StartProcess(argv[0], argv, attr)
	if err != nil {
		return 0, err
	}
	stop := running(p)
	defer stop()
	pid := p.Pid
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &ws, 0, nil); err != nil {
		return 0, err
	}
	const exitKill = 0x100000
	if err := syscall.PtraceSetOptions(pid, syscall.PTRACE_O_TRACESYSGOOD|syscall.PTRACE_O_TRACECLONE|syscall.PTRACE_O_TRACEFORK|syscall.PTRACE_O_TRACEVFORK|exitKill); err != nil {
		return 0, err
	}
	_ = syscall.PtraceSyscall(pid, 0)
	threads := map[int]*thread{pid: {}}
	for {
		tid, err := syscall.Wait4(-pid, &ws, syscall.WALL, nil) // its group: other trials have children, too
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("wait for the traced program: %w", err)
		}
		if !ws.Stopped() {
			delete(threads, tid)
			if tid == pid {
				_ = p.Release()
				return ws, nil
			}
			continue
		}
		t := threads[tid]
		begins := t == nil
		if begins {
			t = &thread{}
			threads[tid] = t
		}
		deliver := 0
		switch sig := ws.StopSignal(); {
		case sig == syscall.SIGTRAP|0x80:
			s.stopped(root, pid, tid, t)
		case sig == syscall.SIGTRAP: // a new thread was made
		case sig == syscall.SIGSTOP && begins: // a new thread's first stop
		default:
			deliver = int(sig)
		}
		_ = syscall.PtraceSyscall(tid, deliver) // a thread that was killed is gone
	}
}

// stopped is the begin or the end of a system call.
func (s *Strike) stopped(root string, pid, tid int, t *thread) {
	var regs syscall.PtraceRegs
	if syscall.PtraceGetRegs(tid, &regs) != nil {
		return
	}
	if t.inside {
		t.inside = false
		if t.fails != 0 {
			regs.Rax = -uint64(t.fails)
			_ = syscall.PtraceSetRegs(tid, &regs)
			t.fails = 0
		}
		if t.dies {
			die(pid, tid)
		}
		return
	}
	t.inside = true
	f, known := families[regs.Orig_rax]
	if !known {
		return
	}
	path := target(tid, &regs, f.by)
	rel, err := filepath.Rel(root, path)
	if err != nil || !filepath.IsLocal(rel) {
		return
	}
	s.count(f.family)
	if !s.strikes(f.family) {
		return
	}
	if s.Hit == "" {
		s.Hit = fmt.Sprintf("%s %s", f.family, rel)
	}
	switch {
	case s.Short && f.family == "write":
		regs.Rdx = (regs.Rdx + 1) / 2
		_ = syscall.PtraceSetRegs(tid, &regs)
	case s.Errno != 0:
		t.fails = s.Errno
		regs.Orig_rax = ^uint64(0) // not a call
		_ = syscall.PtraceSetRegs(tid, &regs)
	case s.After:
		t.dies = true
	default:
		regs.Orig_rax = ^uint64(0)
		_ = syscall.PtraceSetRegs(tid, &regs)
		die(pid, tid)
	}
}

// die kills the program, and a program that it has started if that one was struck.
func die(pid, tid int) {
	_ = syscall.Kill(tid, syscall.SIGKILL)
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

// target is the path that a call is about.
func target(tid int, regs *syscall.PtraceRegs, by int) string {
	switch by {
	case byPath:
		return absolute(fmt.Sprintf("/proc/%d/cwd", tid), text(tid, regs.Rdi))
	case byAt:
		folder := fmt.Sprintf("/proc/%d/cwd", tid)
		if fd := int32(regs.Rdi); fd >= 0 {
			folder = fmt.Sprintf("/proc/%d/fd/%d", tid, fd)
		}
		return absolute(folder, text(tid, regs.Rsi))
	default:
		path, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", tid, int32(regs.Rdi)))
		return strings.TrimSuffix(path, " (deleted)")
	}
}

func absolute(folder, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	dir, _ := os.Readlink(folder)
	return filepath.Join(strings.TrimSuffix(dir, " (deleted)"), name)
}

// text reads a path from the program's memory.
func text(tid int, at uint64) string {
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", tid))
	if err != nil {
		return ""
	}
	defer func() { _ = mem.Close() }()
	buf := make([]byte, 4096)
	n, _ := mem.ReadAt(buf, int64(at))
	if i := bytes.IndexByte(buf[:n], 0); i >= 0 {
		return string(buf[:i])
	}
	return ""
}
