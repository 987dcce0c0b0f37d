package lower_test

import (
	"path/filepath"
	"slices"
	"testing"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/part"
	"qpipe/interp/parttest"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// TestRecoversAFile: validate knows as much of a checkpoint's file as of a stage.
// The file is from step 5 of a training with five steps an epoch; the stage has two epochs.
func TestRecoversAFile(t *testing.T) {
	for _, c := range []struct {
		name  string
		file  func(s *checkpoint.Snapshot)
		stage func(s *program.Stage, p *program.Program, x *parttest.Text)
		want  []diag.Code
	}{
		{"fits", nil, nil, nil},
		{"other steps", func(s *checkpoint.Snapshot) { s.Position.StepsPerEpoch = 4 }, nil, []diag.Code{"QP330"}},
		{"too many steps", func(s *checkpoint.Snapshot) { s.Step = 11 }, nil, []diag.Code{"QP330"}},
		{"nothing left", func(s *checkpoint.Snapshot) { s.Step = 10 }, nil, []diag.Code{diag.NothingLeft}},
		{"another optimizer", func(s *checkpoint.Snapshot) { s.Optimizer = nil }, nil, []diag.Code{"QP330"}},
		{"a state without a callback", func(s *checkpoint.Snapshot) {
			s.Callbacks = append(s.Callbacks, checkpoint.CallbackState{Name: "Average[0]", State: map[string]float64{"n": 1}})
		}, nil, []diag.Code{"QP330"}},
		{"a state of an older version", func(s *checkpoint.Snapshot) {
			s.Callbacks = []checkpoint.CallbackState{{Name: "[0]", State: map[string]float64{"n": 1}}}
		}, nil, []diag.Code{"QP330"}},
		{"another form", func(s *checkpoint.Snapshot) { s.Form, s.Structure = nn.QAT, nil }, nil, []diag.Code{diag.BadConversion}},
		{"another rate", func(s *checkpoint.Snapshot) { s.LR = 0.01 }, nil, []diag.Code{diag.RateJumps}},
		{"the optimizer at another rate", func(s *checkpoint.Snapshot) { s.LR = 0.01 }, func(s *program.Stage, _ *program.Program, _ *parttest.Text) {
			s.Trainer.ResumeEpochOrStep = false
		}, []diag.Code{diag.NoEffect}},
		{"another seed", nil, func(_ *program.Stage, p *program.Program, x *parttest.Text) {
			p.Settings.Seed, p.Settings.Origin = 8, x.Origin("qpipe", "seed")
		}, []diag.Code{diag.NoEffect}},
		{"passed", nil, func(s *program.Stage, _ *program.Program, x *parttest.Text) {
			freeze := program.Callback{Call: x.Call(program.CallbackKind, "FreezeBN", "f", parttest.FreezeBNArgs{}), When: x.At(program.Epoch, 0)}
			s.Callbacks = append(s.Callbacks, freeze)
		}, []diag.Code{diag.SchedulePassed}},
		{"due", nil, func(s *program.Stage, _ *program.Program, x *parttest.Text) {
			freeze := program.Callback{Call: x.Call(program.CallbackKind, "FreezeBN", "f", parttest.FreezeBNArgs{}), When: x.At(program.Epoch, 1)}
			s.Callbacks = append(s.Callbacks, freeze)
		}, nil},
		{"other values", func(s *checkpoint.Snapshot) { s.Inputs[0].Mean = []float64{0.1} }, nil, []diag.Code{diag.OtherValues}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, x := parttest.Flow()
			p.Stages = p.Stages[:1]
			plan, _ := lowered(t, p)
			g := plan.Stages[0].Model.Clone()
			g.Init(7)
			snap := &checkpoint.Snapshot{
				Stage: "float", Form: nn.Float, Structure: g.Structure(), Seed: 7, Epoch: 1, Step: 5, LR: 0.05,
				Inputs:    []part.Preprocessing{{Height: 6, Width: 6, Channels: 1, Layout: "NHWC", Mean: []float64{0.5}, Std: []float64{0.5}}},
				Position:  checkpoint.Position{StepsPerEpoch: 5},
				Callbacks: []checkpoint.CallbackState{{Name: "Checkpoint[0]", State: map[string]float64{"best": 0.5}}},
				Model:     g.Tensors(), Optimizer: map[string][]nn.Tensor{"momentum_buffer": g.Tensors()},
			}
			if c.file != nil {
				c.file(snap)
			}
			path := filepath.Join(t.TempDir(), "f.safetensors")
			must(t, artifact.Write(path, snap))
			loadsFile(p, x, path)
			s := p.Stages[0]
			s.Trainer.ResumeOptimizer, s.Trainer.ResumeEpochOrStep = true, true
			if c.stage != nil {
				c.stage(s, p, x)
			}
			_, list := lowered(t, p)
			var got []diag.Code
			for _, d := range list {
				got = append(got, d.Code)
				t.Log(d.Summary)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
