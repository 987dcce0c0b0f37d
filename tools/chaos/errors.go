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
	var points []point
	c.prepare = func() (int, string) {
		return prepared(w, c, histories, &points, func(s *scenario) (out []strike) {
			for _, family := range slices.Sorted(maps.Keys(s.counts)) {
				for n := range s.counts[family] {
					for _, errno := range refusals[family] {
						out = append(out, strike{family: family, n: n + 1, errno: errno}, strike{family: family, n: n + 1, errno: errno, on: true})
					}
					if family == "write" {
						out = append(out, strike{family: family, n: n + 1, short: true})
					}
				}
			}
			return out
		})
	}
	c.trial = func(t *trial) {
		p := points[t.n%len(points)]
		k := p.strike
		t.title = fmt.Sprintf("%s, %s", p.name, &k)
		t.must(copyTree(p.folder, t.dir))
		r := t.call(call{args: runArgs(p.args...), strike: &k})
		t.title = fmt.Sprintf("%s, %s", p.name, &k)
		switch {
		case r.code == 0 && !k.on && k.hit != "" && !r.said("warning", "Warning", "QP4"):
			t.same(p.end...) // it went on where it could
		case r.code == 1 && !explained(r, k):
			t.fail("the message does not say what happened: %s", r.message())
		}
		t.keeps(p.safe, t.ends(p.end...))
		if t.r.IntN(4) == 0 {
			t.settled(p.end...)
		}
	}
	return c
}

// explained reports whether the message names the error, or a file.
func explained(r result, k strike) bool {
	m := r.message()
	return k.hit == "" || strings.Contains(m, k.errno.Error()) || strings.Contains(m, runDir) || strings.Contains(m, "p.hcl")
}
