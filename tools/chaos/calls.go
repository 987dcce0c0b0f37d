//go:build linux

package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// scenario is a folder with a history, and a command that is struck in it.
type scenario struct {
	name  string
	setup func(*trial)
	args  []string // of the run that is struck
	end   []string // of the run that must end well
	safe  []string // stages whose results must not be trained again, whatever happens

	once   sync.Once
	folder string         // the template
	counts map[string]int // system calls by family
	err    error
}

// killedAt makes a run that is killed at the n-th checkpoint of a stage.
func killedAt(t *trial, stage string, n int, args ...string) {
	t.call(call{args: runArgs(args...), sig: syscall.SIGKILL, at: nth(n, in(stage, "checkpoint"))})
}

var (
	everyStage = []string{"float", "calibration", "qat", "int_infer"}
	edited     = []string{"-var", "qat_lr=0.03"}
)

// scenarios are the runs in which files are made, replaced, put aside and brought back.
func scenarios() []*scenario {
	complete := func(t *trial) { t.run() }
	return []*scenario{
		{name: "first run", setup: func(*trial) {}},
		{name: "goes on", setup: func(t *trial) { killedAt(t, "qat", 5) }, safe: everyStage[:2]},
		{name: "up to date", setup: complete, safe: everyStage},
		{name: "qat edited", setup: complete, args: edited, end: edited, safe: everyStage[:2]},
		{name: "float edited", setup: complete, args: []string{"-var", "float_lr=0.04"}, end: []string{"-var", "float_lr=0.04"}},
		{name: "forced", setup: complete, args: []string{"-force"}},
		{name: "stage forced", setup: complete, args: []string{"-force", "-stage", "qat"}, safe: everyStage[:2]},
		{name: "result brought back", setup: func(t *trial) {
			t.run()
			killedAt(t, "qat", 3, edited...)
		}, safe: everyStage},
		{name: "attempt brought back", setup: func(t *trial) {
			killedAt(t, "qat", 5)
			killedAt(t, "qat", 3, edited...)
		}, safe: everyStage[:2]},
		{name: "force was cut off", setup: func(t *trial) {
			t.run()
			killedAt(t, "qat", 3, "-force", "-stage", "qat")
		}, safe: everyStage[:2]},
		{name: "manifest is gone", setup: func(t *trial) {
			t.run()
			_ = os.Remove(t.path(runDir, "manifest.json"))
		}},
	}
}

// make builds the folder of a scenario and counts the calls of its command.
func (s *scenario) make(w *world, c *campaign) {
	s.once.Do(func() {
		defer func() {
			if p := recover(); p != nil {
				s.err = fmt.Errorf("%s: the history cannot be made: %v", s.name, p)
			}
		}()
		t := w.workshop(c, "template-"+s.name)
		s.folder = t.dir
		t.write("p.hcl", glyphs)
		s.setup(t)
		dry := w.workshop(c, "counted-"+s.name)
		t.must(copyTree(t.dir, dry.dir))
		count := &strike{}
		if r := dry.call(call{args: runArgs(s.args...), strike: count}); r.code != 0 {
			s.err = fmt.Errorf("%s: the run that counts system calls: exit code %d: %s", s.name, r.code, r.text())
		}
		s.counts = count.counts
		dry.clear()
	})
}

// workshop is a trial that is not counted: a place to make something in.
func (w *world) workshop(c *campaign, name string) *trial {
	dir := filepath.Join(w.dir, name)
	t := &trial{world: w, campaign: c, root: dir, dir: dir}
	_ = os.RemoveAll(t.dir)
	t.must(os.MkdirAll(t.dir, 0o755))
	return t
}

// point is where a command is struck.
type point struct {
	*scenario
	strike
}

// prepared makes the scenarios and returns the points that pick gives of each.
func prepared(w *world, c *campaign, scenarios []*scenario, points *[]point, pick func(*scenario) []strike) (int, string) {
	if !canStrike {
		return 0, "system calls are struck on amd64 only"
	}
	probe := &strike{}
	if _, err := probe.run(w.dir, []string{w.binary, "version"}, &os.ProcAttr{Env: os.Environ(), Sys: &syscall.SysProcAttr{}}, func(*os.Process) func() bool { return func() bool { return true } }); err != nil {
		return 0, "this machine lets no program be traced: " + err.Error()
	}
	next := make(chan *scenario)
	var all sync.WaitGroup
	for range max(w.jobs, 1) {
		all.Go(func() {
			for s := range next {
				s.make(w, c)
			}
		})
	}
	for _, s := range scenarios {
		next <- s
	}
	close(next)
	all.Wait()
	for _, s := range scenarios {
		if s.err != nil {
			fmt.Println(s.err)
			continue
		}
		for _, k := range pick(s) {
			*points = append(*points, point{s, k})
		}
	}
	shuffle(w.seed, *points)
	return len(*points), ""
}

// calls kills runs at every n-th system call that touches their files.
func calls(w *world, histories []*scenario) *campaign {
	c := &campaign{
		name: "calls", weight: 16,
		promise: "a run that is killed before or after any system call ends in the same bytes, and no complete result is lost",
	}
	var points []point
	c.prepare = func() (int, string) {
		return prepared(w, c, histories, &points, func(s *scenario) (out []strike) {
			for _, family := range slices.Sorted(maps.Keys(s.counts)) {
				switch family {
				case "write", "rename", "sync", "unlink", "mkdir", "truncate", "open":
					for n := range s.counts[family] {
						out = append(out, strike{family: family, n: n + 1}, strike{family: family, n: n + 1, after: true})
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
		before := t.progress()
		r := t.call(call{args: runArgs(p.args...), strike: &k})
		t.title = fmt.Sprintf("%s, %s", p.name, &k)
		t.keeps(p.safe, r)
		t.keeps(p.safe, t.ends(p.end...))
		if len(p.args) == 0 {
			t.goesOn(before, r)
		}
		if t.r.IntN(4) == 0 {
			t.settled(p.end...)
		}
	}
	return c
}

// keeps checks that no result of these stages is trained again from its beginning.
func (t *trial) keeps(safe []string, r result) {
	for i, e := range r.events {
		if e.Event == "stage_run" && slices.Contains(safe, e.Stage) && !slices.ContainsFunc(r.events[i:], in(e.Stage, "resume")) {
			t.fail("the complete result of %s is thrown away: %v", e.Stage, e.Data["reason"])
		}
	}
}
