//go:build linux

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"

	"qpipe/tools/chaos/program"

	"qpipe/tools/chaos/draw"
	"qpipe/tools/chaos/strike"
)

// refusals are the errors that system calls of a family can have in practice.
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

// faults makes system calls fail, once or from some moment on.
func faults(w *world, histories []*scenario) *campaign {
	c := &campaign{
		name: "errors", weight: 16,
		promise: "a system call that fails costs a clear message at most: no trace, no wrong result, and the next run ends in the same bytes",
	}
	c.prepare = func() (int, string) { return 0, traceable(w) }
	c.trial = func(t *trial) {
		mode := t.r.IntN(3)
		s, k := t.point(histories, slices.Sorted(maps.Keys(refusals)))
		k.Errno, k.On = draw.One(t.r, refusals[k.Family]...), mode == 0
		if k.Family == "write" && mode == 1 {
			k.Errno, k.Short = 0, true
		}
		t.title = fmt.Sprintf("%s, %s", s.name, k)
		r := t.call(program.Call{Args: runArgs(s.args...), Strike: k})
		t.title = fmt.Sprintf("%s, %s", s.name, k)
		switch {
		case r.Code == 0 && !k.On && k.Hit != "" && !r.Said("warning", "Warning", "QP4"):
			t.same(s.end...) // it continued where it could
		case r.Code == 1 && !explained(r, k):
			t.fail("the message does not say what happened: %s", r.Message())
		}
		t.keeps(s.safe, t.ends(s.end...))
		if t.r.IntN(4) == 0 {
			t.upToDate(s.end...)
		}
	}
	return c
}

// explained reports whether the message names the error, or a file.
func explained(r program.Result, k *strike.Strike) bool {
	m := r.Message()
	return k.Hit == "" || strings.Contains(m, k.Errno.Error()) || strings.Contains(m, runDir) || strings.Contains(m, "p.hcl")
}
