package stage

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"qpipe/interp/checkpoint"
	"qpipe/interp/event"
	"qpipe/interp/part"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// TestReceipts: under with_bn_reverse_fold an absorption changes nothing. Under with_bn it
// does, and so it does where the weights' scale is recomputed.
func TestReceipts(t *testing.T) {
	for _, c := range []struct {
		mode      nn.Mode
		recompute bool
		lossless  bool
	}{
		{nn.ReverseFold, false, true},
		{nn.ReverseFold, true, true},
		{nn.WithBN, false, false},
		{nn.WithBN, true, true},
	} {
		b := newBench(t, nn.QAT, c.mode)
		b.add(absorb{c.recompute}, atStep(6), "body.0.bn", "body.1")
		b.add(absorb{c.recompute}, atStep(7), "body.1.conv", "body.0.conv")
		b.Callbacks[0].Modules = []string{"body.0.bn", "body.1.conv"} // by any member's name
		b.must(t)
		s := b.kept.last("last")
		if len(s.Absorbed) != 2 || len(of[event.Absorb](b)) != 2 {
			t.Fatalf("%v: %d receipts, %d events", c, len(s.Absorbed), len(of[event.Absorb](b)))
		}
		for i, a := range s.Absorbed {
			want := checkpoint.Absorption{
				Module: []string{"body.0.conv", "body.1.conv"}[i], BN: []string{"body.0.bn", "body.1.bn"}[i],
				Mode: c.mode, WeightScale: map[bool]string{false: "keep", true: "recompute"}[c.recompute],
				Epoch: 1, Step: 6, MaxChange: a.MaxChange, MaxSteps: a.MaxSteps, Changed: a.Changed, Integers: a.Integers,
			}
			if a != want {
				t.Errorf("the receipt is %+v, want %+v", a, want)
			}
			if jumps := a.MaxSteps > 1 && a.Changed > 0 && a.MaxChange > 0; a.Integers == 0 || jumps == c.lossless || c.lossless && (a.MaxChange > 0 || a.Changed > 0) {
				t.Errorf("%v: the output changes by %v, %v steps", c, a.MaxChange, a.MaxSteps)
			}
			if e := of[event.Absorb](b)[i]; e.Data != a.Event() || e.Step != 6 {
				t.Errorf("the event is %+v", e)
			}
		}
	}
}

// TestOptimizerFollowsAbsorption: the slots of the BN are dropped, those of the weight and
// of the new bias begin with zeros, all others are kept.
func TestOptimizerFollowsAbsorption(t *testing.T) {
	b := newBench(t, nn.QAT, nn.ReverseFold)
	b.add(saver{}, atStep(6)).add(absorb{}, atStep(6), "body.0.conv").add(saver{}, atStep(6))
	b.must(t)
	var shots []*checkpoint.Snapshot
	for _, s := range b.kept.all {
		if s.name == "fire-6" {
			shots = append(shots, s.s)
		}
	}
	before, after := shots[0].Optimizer["momentum_buffer"], shots[1].Optimizer["momentum_buffer"]
	if find(before, "body.0.bn.weight") == nil || find(before, "body.0.conv.bias") != nil {
		t.Fatal("the slots before are not as the test thinks")
	}
	if find(after, "body.0.bn.weight") != nil || find(after, "body.0.bn.bias") != nil {
		t.Error("BN's slots are left")
	}
	for _, name := range []string{"body.0.conv.weight", "body.0.conv.bias"} {
		if v := find(after, name); v == nil || slices.ContainsFunc(v, func(x float32) bool { return x != 0 }) {
			t.Errorf("the slot of %s is %v, want zeros", name, v)
		}
	}
	for _, name := range []string{"body.1.conv.weight", "body.1.bn.bias", "head.fc.weight"} {
		if v := find(after, name); !slices.Equal(v, find(before, name)) || !slices.ContainsFunc(v, func(x float32) bool { return x != 0 }) {
			t.Errorf("the slot of %s has changed, or was never used", name)
		}
	}
}

// TestShadowFollowsAbsorption: the averaged weights absorb their BN with their own
// statistics, so their outputs do not change.
func TestShadowFollowsAbsorption(t *testing.T) {
	b := newBench(t, nn.QAT, nn.ReverseFold)
	a := &average{}
	var metrics []map[string]float64
	look := looker{func(s *part.State) error {
		err := s.Validate()
		metrics = append(metrics, maps.Clone(s.Metrics))
		return err
	}}
	b.add(a, nil).add(look, atStep(6)).add(absorb{}, atStep(6), "body.0.conv", "body.1.conv").add(look, atStep(6)).add(saver{}, atStep(6))
	b.must(t)
	x, y := metrics[0]["mean_logit"], metrics[1]["mean_logit"]
	if d := x - y; d > 1e-3 || d < -1e-3 {
		t.Errorf("the averaged model answers %v before and %v after", x, y)
	}
	s := b.kept.last("fire-6")
	if find(s.Shadow, "body.0.bn.weight") != nil || find(s.Shadow, "body.0.conv.bias") == nil {
		t.Error("the averaged weights have not absorbed")
	}
	if slices.Equal(find(s.Shadow, "body.0.conv.bias"), find(s.Model, "body.0.conv.bias")) {
		t.Error("the averaged weights have absorbed with the model's statistics")
	}
	// validation does use them: with the model's own weights the result is different
	g := tinyNet(t, nn.QAT, nn.ReverseFold)
	if err := checkpoint.LoadTensors(g, s, part.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	v := newBench(t, nn.QAT, nn.ReverseFold)
	v.Model, v.Trainer = g, nil
	if got := v.must(t).Metrics["mean_logit"]; got == y {
		t.Error("validation looks at the model, not at the averaged weights")
	}
	h := tinyNet(t, nn.QAT, nn.ReverseFold)
	if err := checkpoint.LoadTensors(h, s, part.LoadOptions{LoadEMAModel: true}); err != nil {
		t.Fatal(err)
	}
	v = newBench(t, nn.QAT, nn.ReverseFold)
	v.Model, v.Trainer = h, nil
	if got := v.must(t).Metrics["mean_logit"]; got != y {
		t.Errorf("load_ema_model gives %v, the averaged weights gave %v", got, y)
	}
}

// TestMetricsAfterAbsorption: a stage reports the metrics of the model that it ends with.
func TestMetricsAfterAbsorption(t *testing.T) {
	b := newBench(t, nn.QAT, nn.WithBN)
	end := &program.Schedule{End: true}
	b.add(looker{(*part.State).Validate}, end).add(absorb{}, end, "body.0.conv", "body.1.conv")
	if got, want := b.must(t).Metrics["mean_logit"], answer(t, b.Model); got != want {
		t.Errorf("the stage reports %v, its model answers %v", got, want)
	}
	if n := len(of[event.Validation](b)); n != 3 {
		t.Errorf("%d validation passes, want one after each epoch and one before the absorption", n)
	}
}

type looker struct{ look func(s *part.State) error }

func (l looker) Fire(s *part.State, _ []string) error { return l.look(s) }

// TestFrozenStatistics: frozen statistics stay the same while the others change.
func TestFrozenStatistics(t *testing.T) {
	b := newBench(t, nn.QAT, nn.WithBN)
	b.add(freeze{}, atStep(3), "body.0.conv").add(saver{}, every(3, 1))
	b.must(t)
	a, z := b.kept.last("fire-3").Model, b.kept.last("last").Model
	for name, moves := range map[string]bool{"body.0.bn.running_mean": false, "body.0.bn.running_var": false, "body.1.bn.running_mean": true, "body.0.bn.weight": true} {
		if slices.Equal(find(a, name), find(z, name)) == moves {
			t.Errorf("%s: moving is %v", name, !moves)
		}
	}
	if s := b.kept.last("last"); !slices.Equal(s.FrozenBN, []string{"body.0.conv"}) || len(of[event.Freeze](b)) != 1 {
		t.Errorf("frozen: %v", s.FrozenBN)
	}
}

// TestAbsorbErrors name the module and the callback.
func TestAbsorbErrors(t *testing.T) {
	for name, c := range map[string]struct {
		form   nn.Form
		module string
	}{
		"no such module": {nn.QAT, "body.7.conv"},
		"wrong form":     {nn.Float, "body.0.conv"},
	} {
		mode := nn.WithBN
		if c.form == nn.Float {
			mode = ""
		}
		b := newBench(t, c.form, mode).add(absorb{}, atStep(1), c.module)
		_, err := b.Run(context.Background())
		var f *Failure
		if !errors.As(err, &f) || f.Attr != "modules" || f.Address != b.Callbacks[0].Address || f.Step != 1 {
			t.Errorf("%s: %#v", name, err)
		}
	}
	if err := (&part.State{}).AbsorbBN(nil, false); err == nil {
		t.Error("a state without a run absorbs")
	}
}
