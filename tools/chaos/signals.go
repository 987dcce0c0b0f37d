//go:build linux

package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// signals sends runs everything that a process can be sent.
func signals() *campaign {
	c := &campaign{
		name: "signals", weight: 6,
		promise: "hang-up, interrupts, stops and closed pipes leave a run that goes on to the same bytes, and the exit code says what happened",
	}
	c.trial = func(t *trial) {
		kind := one(t.r, "hang-up", "twice", "many", "quit", "stop and go on", "closed output", "late", "alarm")
		n := 1 + t.r.IntN(40)
		t.title = fmt.Sprintf("%s at event %d", kind, n)
		at := nth(n, func(event) bool { return true })
		call := call{args: runArgs(), codes: []int{130}}
		send := func(sigs ...syscall.Signal) {
			var p *os.Process
			call.began = func(started *os.Process) { p = started }
			call.watch = func(e event) {
				if at(e) {
					for _, s := range sigs {
						_ = p.Signal(s)
						time.Sleep(time.Duration(t.r.IntN(3)) * time.Millisecond)
					}
				}
			}
		}
		dies := false
		switch kind {
		case "hang-up":
			send(syscall.SIGHUP)
		case "twice":
			send(one(t.r, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP), one(t.r, syscall.SIGINT, syscall.SIGTERM))
		case "many":
			send(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE)
		case "quit": // Go's own way to ask a program what it does
			send(syscall.SIGQUIT)
			call.sig, call.after, call.codes, dies = syscall.SIGQUIT, time.Hour, []int{2, 130, 131}, true
		case "stop and go on":
			send(syscall.SIGSTOP, syscall.SIGCONT)
		case "late":
			call.sig, call.at = one(t.r, syscall.SIGTERM, syscall.SIGINT), func(e event) bool { return e.Event == "run_end" || e.Event == "output" }
		case "alarm":
			send(one(t.r, syscall.SIGALRM, syscall.SIGUSR1, syscall.SIGUSR2))
			dies = true
		case "closed output":
			t.closedOutput(n)
			return
		}
		r := t.call(call)
		switch {
		case r.code == 0:
			t.right(r)
			t.same()
		case r.code == 130 || r.code == -1 && len(r.events) < 2 || dies:
		default:
			t.fail("exit code %d (%v), where 130 would say that it was interrupted", r.code, r.sig)
		}
		if r.code == 130 && len(r.events) > 0 && !r.said("qpipe run") {
			t.fail("an interrupted run does not say how to go on")
		}
		if kind == "stop and go on" && r.code != 0 {
			t.fail("a run that was only stopped for a moment: exit code %d", r.code)
		}
		t.ends()
		t.settled()
	}
	return c
}

// closedOutput stops reading what a run prints.
func (t *trial) closedOutput(n int) {
	read, write, err := os.Pipe()
	t.must(err)
	defer func() { _ = write.Close() }()
	go func() {
		buf := make([]byte, 1)
		for range n * 20 {
			if _, err := read.Read(buf); err != nil {
				return
			}
		}
		_ = read.Close()
	}()
	r := t.call(call{args: runArgs(), stdout: write, codes: []int{130}})
	if r.code == -1 {
		t.fail("killed by %v", r.sig)
	}
	if r.code == 130 && !r.said("qpipe run") {
		t.fail("an interrupted run does not say how to go on")
	}
	t.ends()
	t.settled()
}
