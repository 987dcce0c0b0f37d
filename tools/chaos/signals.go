//go:build linux

package main

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"qpipe/tools/chaos/program"

	"qpipe/tools/chaos/draw"
)

// signals sends runs all signals that a process can get.
func signals() *campaign {
	c := &campaign{
		name: "signals", weight: 6,
		promise: "hang-up, interrupts, stops and closed pipes leave a run that goes on to the same bytes, and the exit code says what happened",
	}
	c.trial = func(t *trial) {
		kind := draw.One(t.r, "hang-up", "twice", "many", "quit", "stop and go on", "closed output", "late", "alarm")
		n := 1 + t.r.IntN(40)
		t.title = fmt.Sprintf("%s at event %d", kind, n)
		at := nth(n, func(program.Event) bool { return true })
		call := program.Call{Args: runArgs(), Codes: []int{130}}
		send := func(sigs ...syscall.Signal) {
			var p *os.Process
			call.Began = func(started *os.Process) { p = started }
			call.Watch = func(e program.Event) {
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
			send(draw.One(t.r, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP), draw.One(t.r, syscall.SIGINT, syscall.SIGTERM))
		case "many":
			send(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE)
		case "quit": // makes Go print a program's goroutines
			send(syscall.SIGQUIT)
			call.Sig, call.After, call.Codes, dies = syscall.SIGQUIT, time.Hour, []int{2, 130, 131}, true
		case "stop and go on":
			send(syscall.SIGSTOP, syscall.SIGCONT)
		case "late":
			call.Sig, call.At = draw.One(t.r, syscall.SIGTERM, syscall.SIGINT), func(e program.Event) bool { return e.Event == "run_end" || e.Event == "output" }
		case "alarm":
			send(draw.One(t.r, syscall.SIGALRM, syscall.SIGUSR1, syscall.SIGUSR2))
			dies = true
		case "closed output":
			t.closedOutput(n)
			return
		}
		r := t.call(call)
		switch {
		case r.Code == 0:
			t.right(r)
			t.same()
		case r.Code == 130 || r.Code == -1 && len(r.Events) < 2 || dies:
		default:
			t.fail("exit code %d (%v), where 130 would say that it was interrupted", r.Code, r.Sig)
		}
		if r.Code == 130 && len(r.Events) > 0 && !r.Said("qpipe run") {
			t.fail("an interrupted run does not say how to go on")
		}
		if kind == "stop and go on" && r.Code != 0 {
			t.fail("a run that was only stopped for a moment: exit code %d", r.Code)
		}
		t.ends()
		t.upToDate()
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
	r := t.call(program.Call{Args: runArgs(), Stdout: write, Codes: []int{130}})
	if r.Code == -1 {
		t.fail("killed by %v", r.Sig)
	}
	if r.Code == 130 && !r.Said("qpipe run") {
		t.fail("an interrupted run does not say how to go on")
	}
	t.ends()
	t.upToDate()
}
