//go:build linux

package main

import (
	"fmt"
	"slices"
	"strconv"
	"syscall"
	"time"

	"qpipe/tools/chaos/program"

	"qpipe/tools/chaos/forge"
)

// kills ends runs at random moments, repeatedly, and then lets them finish.
func kills() *campaign {
	c := &campaign{
		name: "kills", weight: 12,
		promise: "a run that is killed or interrupted at any moments goes on where it was and ends in the bytes of one that was not",
	}
	c.trial = func(t *trial) {
		args := [][]string{nil, nil, {"-var", "qat_lr=0.03"}}[t.r.IntN(3)]
		deaths := 1 + t.r.IntN(4)
		for i := range deaths {
			d := t.draw()
			t.title += fmt.Sprintf("%s; ", d.name)
			before := t.progress()
			r := t.call(program.Call{Args: runArgs(args...), Sig: d.sig, At: d.at, After: d.after, Codes: []int{130}})
			t.goesOn(before, r)
			switch {
			case r.Code == 130 || r.Code == -1 && r.Sig == d.sig:
			case r.Code != 0:
				t.fail("run %d ends by itself: exit code %d: %s", i+1, r.Code, r.Message())
			}
			if d.sig != syscall.SIGKILL && r.Code == 130 && len(r.Events) > 0 && !r.Said("qpipe run") {
				t.fail("an interrupted run does not say how to continue")
			}
		}
		before := t.progress()
		t.goesOn(before, t.ends(args...))
		if t.r.IntN(4) == 0 {
			t.upToDate(args...)
		}
	}
	return c
}

// death is how and when a run is ended.
type death struct {
	name  string
	sig   syscall.Signal
	at    func(program.Event) bool
	after time.Duration
}

// draw draws a death: after some time, or at the n-th event of a kind.
func (t *trial) draw() death {
	d := death{sig: syscall.SIGKILL}
	if t.r.IntN(4) == 0 {
		d.sig = []syscall.Signal{syscall.SIGTERM, syscall.SIGINT}[t.r.IntN(2)]
	}
	if t.r.IntN(2) == 0 {
		d.after = time.Duration(t.r.Int64N(int64(300 * time.Millisecond)))
		d.name = fmt.Sprintf("%v after %v", d.sig, d.after.Round(time.Millisecond))
		return d
	}
	kinds := []string{"stage_run", "stage_start", "load", "epoch", "validation", "checkpoint", "absorb", "int8_proof", "model", "stage_end", "resume", ""}
	kind, n := kinds[t.r.IntN(len(kinds))], 1+t.r.IntN(8)
	if kind == "" {
		n += t.r.IntN(40)
	}
	d.name = fmt.Sprintf("%v at event %s %d", d.sig, kind, n)
	d.at = nth(n, func(e program.Event) bool { return kind == "" || e.Event == kind })
	return d
}

// nth accepts the n-th event that like accepts.
func nth(n int, like func(program.Event) bool) func(program.Event) bool {
	return func(e program.Event) bool {
		if like(e) {
			n--
			return n == 0
		}
		return false
	}
}

// in accepts the events of a stage and a kind.
func in(stage, kind string) func(program.Event) bool {
	return func(e program.Event) bool { return e.Stage == stage && e.Event == kind }
}

// progress is how far a run has come, according to its folder.
type progress struct {
	states map[string]string // of the stages
	steps  map[string]int    // of the checkpoint last of a stage that is not complete
}

func (t *trial) progress() progress {
	p := progress{states: t.states(), steps: map[string]int{}}
	for stage, state := range p.states {
		if state == "complete" {
			continue
		}
		if meta, err := forge.Metadata(t.path(runDir, stage, "last.safetensors")); err == nil {
			p.steps[stage], _ = strconv.Atoi(meta["step"])
		}
	}
	return p
}

// goesOn checks that a run has thrown away nothing: complete stages are not trained again, and an unfinished one
// continues from its last checkpoint.
func (t *trial) goesOn(before progress, r program.Result) {
	for i, e := range r.Events {
		if e.Event != "stage_run" {
			continue
		}
		if before.states[e.Stage] == "complete" {
			t.fail("%s was complete and is trained again: %v", e.Stage, e.Data["reason"])
		}
		if before.steps[e.Stage] == 0 {
			continue
		}
		rest := r.Events[i:]
		if !slices.ContainsFunc(rest, in(e.Stage, "epoch")) { // it has not come that far
			continue
		}
		at := slices.IndexFunc(rest, in(e.Stage, "resume"))
		if at < 0 {
			t.fail("%s had done %d steps and starts over: %v", e.Stage, before.steps[e.Stage], e.Data["reason"])
		} else if step, _ := rest[at].Data["checkpoint_step"].(float64); int(step) < before.steps[e.Stage] {
			t.fail("%s had done %d steps and goes on from step %v", e.Stage, before.steps[e.Stage], step)
		}
	}
}
