//go:build linux

package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"qpipe/tools/chaos/program"

	"qpipe/tools/chaos/draw"
	"qpipe/tools/chaos/tree"
)

// pairs runs several programs at once.
func pairs() *campaign {
	c := &campaign{
		name: "pairs", weight: 8,
		promise: "of two runs in one folder one is refused (QP453) and disturbs nothing; another pipeline in the folder is refused (QP457); reading while a run writes shows what is true",
	}
	c.trial = func(t *trial) {
		switch t.r.IntN(3) {
		case 0:
			t.crowd()
		case 1:
			t.readers()
		default:
			t.namesake()
		}
	}
	return c
}

// crowd starts several runs in one folder at nearly the same time.
func (t *trial) crowd() {
	n := 2 + t.r.IntN(4)
	t.title = fmt.Sprintf("%d runs at once", n)
	ends := make([]program.Result, n)
	waits := make([]time.Duration, n)
	for i := range waits {
		waits[i] = time.Duration(t.r.IntN(250)) * time.Millisecond
	}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			defer func() { _ = recover() }()
			time.Sleep(waits[i])
			ends[i] = t.run()
		})
	}
	all.Wait()
	good := 0
	for _, r := range ends {
		switch {
		case r.Code == 0:
			good++
			t.right(r)
		case !r.Said("QP453"):
			t.fail("a second run ends otherwise than by QP453: exit code %d: %s", r.Code, r.Message())
		}
	}
	if good == 0 {
		t.fail("no run of %d has come to its end", n)
	}
	t.same()
	t.upToDate()
}

// readers reads a run's folder while a run writes into it.
func (t *trial) readers() {
	end := draw.One(t.r, nil, edited)
	if t.r.IntN(2) == 0 {
		t.run()
		end = edited
	}
	t.title = fmt.Sprintf("readers beside a run %v", end)
	done := make(chan struct{})
	var all sync.WaitGroup
	for _, args := range [][]string{
		{"show", "-json", runDir},
		{"plan", "-out", runDir, "p.hcl"},
		{"show", runDir + "/qat/last.safetensors"},
		{"eval", "stage.float.checkpoint.best", "-data", "dataset.test", "-out", runDir, "p.hcl"},
	} {
		all.Go(func() {
			defer func() { _ = recover() }()
			for {
				select {
				case <-done:
					return
				default:
				}
				r := t.call(program.Call{Args: args})
				if r.Code == 1 && r.Said("QP450", "damaged") {
					t.fail("qpipe %s beside a run calls a file damaged: %s", strings.Join(args, " "), r.Message())
				}
			}
		})
	}
	r := t.run(end...)
	close(done)
	all.Wait()
	if r.Code != 0 {
		t.fail("the run that is looked at: exit code %d: %s", r.Code, r.Message())
	}
	t.right(r, end...)
	t.same(end...)
}

// namesake runs another pipeline of the same name in a run's folder.
func (t *trial) namesake() {
	t.title = "another pipeline of the same name"
	kill := t.r.IntN(2) == 0
	if kill {
		killedAt(t, "qat", 4)
	} else {
		t.run()
	}
	before := tree.List(t.path(runDir))
	other := strings.Replace(glyphs, "default = 0.05", "default = 0.01", 1)
	t.write("other/p.hcl", other)
	r := t.call(program.Call{Args: []string{"run", "-json", "-out", runDir, "other/p.hcl"}})
	if r.Code != 1 || !r.Said("QP457") || !r.Said("-out") {
		t.fail("another pipeline in the folder: exit code %d: %s", r.Code, r.Message())
	}
	for _, d := range tree.Differences(before, tree.List(t.path(runDir)), func(name string) bool { return name == "lock" }) {
		t.fail("by another pipeline: %s", d)
	}
	t.ends()
	// A pipeline that was moved and edited is still the same one if the user says so.
	t.must(os.Rename(t.path("p.hcl"), t.path("other", "old.hcl")))
	r = t.call(program.Call{Args: []string{"run", "-json", "-adopt", "-out", runDir, "other/p.hcl"}})
	if r.Code != 0 {
		t.fail("-adopt: exit code %d: %s", r.Code, r.Message())
	}
}
