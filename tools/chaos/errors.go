//go:build linux

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
)

// refusals are the errors that system calls of a family can meet in the world.
var refusals = map[string][]syscall.Errno{
	"open":     {syscall.EACCES, syscall.EMFILE, syscall.ENOSPC, syscall.EIO},
	"read":     {syscall.EIO},
	"write":    {syscall.EIO, syscall.ENOSPC, syscall.EDQUOT},
	"sync":     {syscall.EIO, syscall.ENOSPC},
	"rename":   {syscall.EIO, syscall.EACCES, syscall.ENOSPC},
	"unlink":   {syscall.EACCES, syscall.EIO, syscall.EBUSY},
	"mkdir":    {syscall.EACCES, syscall.ENOSPC},
	"stat":     {syscall.EIO, syscall.EACCES},
	"list":     {syscall.EIO},
	"truncate": {syscall.EIO},
	"lock":     {syscall.ENOLCK},
	"close":    {syscall.EIO},
}

// faults lets system calls fail, once or from some moment on.
func faults(w *world, histories []*scenario) *campaign {
	c := &campaign{
		name: "errors", weight: 16,
		promise: "a system call that fails costs a clear message at most: no trace, no wrong result, and the next run ends in the same bytes",
	}
	c.prepare = func() (int, string) { return 0, traceable(w) }
	c.trial = func(t *trial) {
		mode := t.r.IntN(3)
		s, k := t.point(histories, slices.Sorted(maps.Keys(refusals)))
		k.errno, k.on = one(t.r, refusals[k.family]...), mode == 0
		if k.family == "write" && mode == 1 {
			k.errno, k.short = 0, true
		}
		t.title = fmt.Sprintf("%s, %s", s.name, k)
		r := t.call(call{args: runArgs(s.args...), strike: k})
		t.title = fmt.Sprintf("%s, %s", s.name, k)
		switch {
		case r.code == 0 && !k.on && k.hit != "" && !r.said("warning", "Warning", "QP4"):
			t.same(s.end...) // it went on where it could
		case r.code == 1 && !explained(r, k):
			t.fail("the message does not say what happened: %s", r.message())
		}
		t.keeps(s.safe, t.ends(s.end...))
		if t.r.IntN(4) == 0 {
			t.settled(s.end...)
		}
	}
	return c
}

// explained reports whether the message names the error, or a file.
func explained(r result, k *strike) bool {
	m := r.message()
	return k.hit == "" || strings.Contains(m, k.errno.Error()) || strings.Contains(m, runDir) || strings.Contains(m, "p.hcl")
}
