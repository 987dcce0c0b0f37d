package lower_test

import (
	"slices"
	"strings"
	"testing"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/parttest"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// TestSingleValue: a stage that would train a BN on one value per channel is reported,
// at the attribute that causes it. The BN after the pool has a map of one pixel.
func TestSingleValue(t *testing.T) {
	freeze := func(f flow, when *program.Schedule, modules ...string) program.Callback {
		c := program.Callback{Call: f.Call(program.CallbackKind, "FreezeBN", "freeze", parttest.FreezeBNArgs{}), When: when}
		for _, m := range modules {
			c.Modules = append(c.Modules, f.Selector(m))
		}
		return c
	}
	images := func(f flow, n int) { f.Datasets[0].Args = parttest.DotsArgs{N: n, Size: 6, Classes: 3} }
	for _, c := range []struct {
		name   string
		change func(f flow, float *program.Stage)
		at     string // "" where all is well
	}{
		{"whole batches", func(flow, *program.Stage) {}, ""},
		{"one image a batch", func(_ flow, s *program.Stage) { s.Trainer.BatchSize = 1 }, "batch_size"},
		{"one image a batch, of unknown data", func(f flow, s *program.Stage) {
			s.Trainer.BatchSize = 1
			f.Datasets[0].Args = parttest.DotsArgs{N: 40, Size: 6, Classes: 3, Uncounted: true}
		}, "batch_size"},
		{"one image left over", func(f flow, s *program.Stage) { images(f, 41); s.Trainer.DropLast = false }, "drop_last"},
		{"two images left over", func(f flow, s *program.Stage) { images(f, 42); s.Trainer.DropLast = false }, ""},
		{"one image left over and dropped", func(f flow, _ *program.Stage) { images(f, 41) }, ""},
		{"one image at all", func(f flow, s *program.Stage) { images(f, 1); s.Trainer.DropLast = false }, "drop_last"},
		{"one image left over, behind the end", func(f flow, s *program.Stage) {
			images(f, 41)
			s.Trainer.DropLast, s.Trainer.NumEpochs, s.Trainer.NumSteps = false, 0, 5
		}, ""},
		{"one image left over, at the end", func(f flow, s *program.Stage) {
			images(f, 41)
			s.Trainer.DropLast, s.Trainer.NumEpochs, s.Trainer.NumSteps = false, 0, 6
		}, "drop_last"},
		{"larger maps", func(f flow, s *program.Stage) {
			s.Trainer.BatchSize = 1
			f.Models[0].Args = parttest.TinyArgs{Classes: 3, Width: 4, Norms: true}
		}, ""},
		{"frozen", func(f flow, s *program.Stage) {
			s.Trainer.BatchSize = 1
			s.Callbacks = append(s.Callbacks, freeze(f, nil))
		}, ""},
		{"another one frozen", func(f flow, s *program.Stage) {
			s.Trainer.BatchSize = 1
			s.Callbacks = append(s.Callbacks, freeze(f, nil, "body.a"))
		}, "batch_size"},
		{"frozen too late", func(f flow, s *program.Stage) {
			s.Trainer.BatchSize = 1
			s.Callbacks = append(s.Callbacks, freeze(f, f.At(program.Step, 1)))
		}, "batch_size"},
		{"frozen before the last batch", func(f flow, s *program.Stage) {
			images(f, 41)
			s.Trainer.DropLast = false
			s.Callbacks = append(s.Callbacks, freeze(f, f.At(program.Step, 5)))
		}, ""},
		{"frozen behind the first epoch", func(f flow, s *program.Stage) {
			images(f, 41)
			s.Trainer.DropLast = false
			s.Callbacks = append(s.Callbacks, freeze(f, f.At(program.Epoch, 1)))
		}, "drop_last"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, text := parttest.Flow()
			f, s := flow{p, text}, p.Stages[0]
			p.Stages = p.Stages[:1]
			p.Models[0].Args = parttest.TinyArgs{Classes: 3, Width: 4, Kernel: 5, Norms: true}
			c.change(f, s)
			_, list := lowered(t, p)
			switch {
			case c.at == "" && len(list) > 0:
				t.Errorf("%s: %s", list[0].Code, list[0].Summary)
			case c.at != "" && (len(list) != 1 || list[0].Code != "QP319" || list[0].Subject != s.Trainer.Origin.At(c.at) ||
				!strings.Contains(list[0].Detail, `"body.mid"`)):
				t.Errorf("%v", list)
			}
		})
	}
}

// TestSingleValueInQAT: a BN that is absorbed or folded sees no batch; one that is frozen in
// a resumed checkpoint is still frozen.
func TestSingleValueInQAT(t *testing.T) {
	for _, c := range []struct {
		name, mode string
		change     func(t *testing.T, f flow, qat *program.Stage)
		bad        bool
	}{
		{"folded", "fuse_bn", func(*testing.T, flow, *program.Stage) {}, false},
		{"trained", "with_bn", func(*testing.T, flow, *program.Stage) {}, true},
		{"absorbed", "with_bn", func(_ *testing.T, f flow, s *program.Stage) {
			s.Callbacks = append(s.Callbacks, f.FuseBN("f", &program.Schedule{Text: "start", Start: true}, "body"))
		}, false},
		{"absorbed later", "with_bn", func(_ *testing.T, f flow, s *program.Stage) {
			s.Callbacks = append(s.Callbacks, f.FuseBN("f", f.At(program.Step, 1), "body"))
		}, true},
		{"resumed from a file that froze it", "with_bn", func(t *testing.T, f flow, s *program.Stage) { resumes(t, f, s, true) }, false},
		{"trained on from such a file", "with_bn", func(t *testing.T, f flow, s *program.Stage) { resumes(t, f, s, false) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, text := parttest.Flow()
			p.Models[0].Args = parttest.TinyArgs{Classes: 3, Width: 4, Kernel: 6, Flat: true}
			p.Stages = p.Stages[:3]
			for _, s := range p.Stages[1:] {
				s.Convert.QATMode = c.mode
			}
			qat := p.Stages[2]
			qat.Callbacks, qat.Trainer.BatchSize = nil, 1
			c.change(t, flow{p, text}, qat)
			_, list := lowered(t, p)
			if got := slices.ContainsFunc(list, func(d *diag.Diagnostic) bool { return d.Code == "QP319" }); got != c.bad {
				t.Errorf("it is reported: %t", got)
			}
		})
	}
}

// resumes lets the stage load a file in which all BNs are frozen, and continue from it
// with or without its step.
func resumes(t *testing.T, f flow, s *program.Stage, full bool) {
	plan, _ := lowered(t, f.Program)
	g := plan.Stage("qat").Model.Clone()
	g.Init(1)
	snap := &checkpoint.Snapshot{Form: nn.QAT, Mode: g.Mode(), Structure: g.Structure(), Model: g.Tensors()}
	for _, m := range g.Modules() {
		if m.BN != "" {
			snap.FrozenBN = append(snap.FrozenBN, m.Name)
		}
	}
	path := t.TempDir() + "/f.safetensors"
	must(t, artifact.Write(path, snap))
	s.Convert.Converters[1] = f.Call(program.ConverterKind, "LoadCheckpoint", "l", parttest.LoadArgs{CheckpointPath: program.Checkpoint{Path: path}}, "checkpoint_path")
	s.Trainer.ResumeOptimizer, s.Trainer.ResumeEpochOrStep = full, full
}
