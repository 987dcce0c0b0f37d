//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"qpipe/tools/chaos/program"

	"qpipe/tools/chaos/draw"
	"qpipe/tools/chaos/strike"
	"qpipe/tools/chaos/tree"
)

// scenario is a folder with a history, and a command that is run and struck in it.
type scenario struct {
	name  string
	setup func(*trial)
	args  []string // of the run that is struck
	end   []string // of the run that must succeed
	safe  []string // stages that must not be trained again, whatever happens

	once   sync.Once
	folder string         // the template
	counts map[string]int // system calls by family
	err    error
}

// killedAt returns a run that is killed at the n-th checkpoint of a stage.
func killedAt(t *trial, stage string, n int, args ...string) {
	t.call(program.Call{Args: runArgs(args...), Sig: syscall.SIGKILL, At: nth(n, in(stage, "checkpoint"))})
}

var (
	everyStage = []string{"float", "calibration", "qat", "int_infer"}
	edited     = []string{"-var", "qat_lr=0.03"}
)

// scenarios are runs in which files are created, replaced, set aside and restored.
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
		t := w.template(c, s.name, s.setup)
		s.folder = t.dir
		dry := w.workshop(c, "counted-"+s.name)
		t.must(tree.Copy(t.dir, dry.dir))
		count := &strike.Strike{}
		if r := dry.call(program.Call{Args: runArgs(s.args...), Strike: count}); r.Code != 0 {
			s.err = fmt.Errorf("%s: the run that counts system calls: exit code %d: %s", s.name, r.Code, r.Text())
		}
		s.counts = count.Counts
		dry.clear()
	})
}

// workshop is a trial that is not counted, for preparations.
func (w *world) workshop(c *campaign, name string) *trial {
	dir := filepath.Join(w.dir, name)
	t := &trial{world: w, campaign: c, root: dir, dir: dir}
	_ = os.RemoveAll(t.dir)
	t.must(os.MkdirAll(t.dir, 0o755))
	return t
}

// template makes the folder that trials start with.
func (w *world) template(c *campaign, name string, setup func(*trial)) *trial {
	t := w.workshop(c, "template-"+name)
	t.write("p.hcl", glyphs)
	setup(t)
	return t
}

// traceable says why no program can be struck on this machine, "" if it can.
func traceable(w *world) string {
	if !strike.Can {
		return "system calls are struck on amd64 only"
	}
	probe := &strike.Strike{}
	attr := &os.ProcAttr{Env: os.Environ(), Sys: &syscall.SysProcAttr{}}
	if _, err := probe.Run(w.dir, []string{w.binary, "version"}, attr, func(*os.Process) func() bool { return func() bool { return true } }); err != nil {
		return "this machine lets no program be traced: " + err.Error()
	}
	return ""
}

// point draws where a command is struck: a history, a family of calls, and the number of
// the call. The option -point names one instead.
func (t *trial) point(histories []*scenario, families []string) (*scenario, *strike.Strike) {
	s, k := draw.One(t.r, histories...), &strike.Strike{Family: draw.One(t.r, families...)}
	u := t.r.Float64()
	if t.world.point != "" {
		words := strings.Split(t.world.point, "/")
		if len(words) == 3 {
			i := slices.IndexFunc(histories, func(s *scenario) bool { return s.name == words[0] })
			n, err := strconv.Atoi(words[2])
			if i >= 0 && err == nil {
				s, k.Family, k.N = histories[i], words[1], n
			}
		}
	}
	s.make(t.world, t.campaign)
	t.must(s.err)
	if k.N == 0 {
		k.N = 1 + int(u*float64(max(s.counts[k.Family], 1)))
	}
	t.again = fmt.Sprintf("-point %q", fmt.Sprintf("%s/%s/%d", s.name, k.Family, k.N))
	t.must(tree.Copy(s.folder, t.dir))
	return s, k
}

// calls kills runs at every n-th system call that touches their files.
func calls(w *world, histories []*scenario) *campaign {
	c := &campaign{
		name: "calls", weight: 16,
		promise: "a run that is killed before or after any system call ends in the same bytes, and no complete result is lost",
	}
	c.prepare = func() (int, string) { return 0, traceable(w) }
	c.trial = func(t *trial) {
		after := t.r.IntN(2) == 0
		s, k := t.point(histories, []string{"write", "write", "rename", "rename", "sync", "unlink", "unlink", "mkdir", "open", "close"})
		k.After = after
		t.title = fmt.Sprintf("%s, %s", s.name, k)
		before := t.progress()
		r := t.call(program.Call{Args: runArgs(s.args...), Strike: k})
		t.title = fmt.Sprintf("%s, %s", s.name, k)
		t.keeps(s.safe, r)
		t.keeps(s.safe, t.ends(s.end...))
		if len(s.args) == 0 {
			t.goesOn(before, r)
		}
		if t.r.IntN(4) == 0 {
			t.upToDate(s.end...)
		}
	}
	return c
}

// keeps checks that no result of these stages is trained again from its beginning.
func (t *trial) keeps(safe []string, r program.Result) {
	for i, e := range r.Events {
		if e.Event == "stage_run" && slices.Contains(safe, e.Stage) && !slices.ContainsFunc(r.Events[i:], in(e.Stage, "resume")) {
			t.fail("the complete result of %s is thrown away: %v", e.Stage, e.Data["reason"])
		}
	}
}
