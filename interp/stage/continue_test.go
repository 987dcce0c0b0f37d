package stage

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"qpipe/interp/checkpoint"
	"qpipe/interp/event"
	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// firstStage is a finished stage of two epochs (8 steps) with what add gives it.
func firstStage(t testing.TB, add func(*bench)) *bench {
	b := newBench(t, nn.QAT, nn.ReverseFold)
	b.Trainer.LRUpdater = nil
	if add != nil {
		add(b)
	}
	b.must(t)
	return b
}

// laterStage continues it for two epochs more.
func laterStage(t testing.TB, first *bench) *bench {
	b := newBench(t, nn.QAT, nn.ReverseFold).after(first.kept.last("last"), first.kept.last("best"))
	b.Trainer.Epochs, b.Trainer.LRUpdater = 4, nil
	return b
}

// marked has a state of its own and types that differ by their parameter.
type marked[T any] struct{ value float64 }

func (m *marked[T]) State() map[string]float64     { return map[string]float64{"value": m.value} }
func (m *marked[T]) SetState(s map[string]float64) { m.value = s["value"] }
func (m *marked[T]) GovernsCheckpoints()           {}

// TestStatesFollowNames: a state is given to the callback of the same type and the same
// place among those of the type, whatever other callbacks there are. A new callback begins
// without a state.
func TestStatesFollowNames(t *testing.T) {
	kinds := []func(float64) part.Callback{
		func(v float64) part.Callback { return &marked[int]{v} },
		func(v float64) part.Callback { return &marked[bool]{v} },
		func(float64) part.Callback { return freeze{} },
	}
	rapid.Check(t, func(r *rapid.T) {
		had := rapid.SliceOfN(rapid.IntRange(0, 2), 0, 5).Draw(r, "first")
		has := rapid.Permutation(append(slices.Clone(had), rapid.SliceOfN(rapid.IntRange(0, 2), 0, 3).Draw(r, "more")...)).Draw(r, "later")
		first, later := newBench(t, nn.Float, ""), newBench(t, nn.Float, "")
		for i, k := range had {
			first.add(kinds[k](float64(i+1)), &program.Schedule{End: true})
		}
		for _, k := range has {
			later.add(kinds[k](0), &program.Schedule{End: true})
		}
		s := &checkpoint.Snapshot{Callbacks: states(first.Callbacks)}
		later.Resume = s
		if err := (&run{Job: later.Job}).recallStates(s); err != nil {
			r.Fatal(err)
		}
		want := map[string]map[string]float64{}
		for _, c := range s.Callbacks {
			want[c.Name] = c.State
		}
		for _, c := range states(later.Callbacks) {
			if w, known := want[c.Name]; known && !maps.Equal(w, c.State) || !known && c.State["value"] != 0 {
				r.Fatalf("%s has %v, want %v", c.Name, c.State, w)
			}
		}
	})
}

// TestContinuedSchedules: a callback that is due before the stage's first step acts, whatever
// callbacks the stage before had. There is a warning for points that have passed.
func TestContinuedSchedules(t *testing.T) {
	first := firstStage(t, func(b *bench) { b.add(&count{}, nil).add(saver{}, atStep(1)) })
	for _, c := range []struct {
		when   *program.Schedule
		want   []int // steps at which it fires
		passed bool
	}{
		{atEpoch(2), []int{8}, false},
		{atStep(8), []int{8}, false},
		{&program.Schedule{Start: true}, []int{8}, false},
		{nil, []int{8}, false},
		{&program.Schedule{End: true}, []int{16}, false},
		{atStep(7), nil, true},
		{atEpoch(0), nil, true},
		{atEpoch(3), []int{12}, false},
		{every(2, 6), []int{8, 14}, true},
		{every(8, 6), []int{8, 14}, false},
		{&program.Schedule{Unit: program.Epoch, From: 1, Every: 1, To: 3}, []int{8, 12}, true},
	} {
		var shots []shot
		b := laterStage(t, first).add(&count{}, nil).add(shooter{"x", &shots}, c.when)
		b.must(t)
		var got []int
		for _, s := range shots {
			got = append(got, s.step)
		}
		warned := slices.ContainsFunc(b.warned, func(w Warning) bool { return w.Code == diag.SchedulePassed && strings.Contains(w.Address, "shooter") })
		if !slices.Equal(got, c.want) || warned != c.passed {
			t.Errorf("%+v fires at %v, want %v; passed %v", c.when, got, c.want, warned)
		}
	}
}

// TestContinuedEqualsStraight: two stages of two epochs each end with the same weights and
// metrics as one stage of four, interrupted or not, with callbacks in either order.
func TestContinuedEqualsStraight(t *testing.T) {
	add := func(swap bool) func(*bench) {
		return func(b *bench) {
			list := []part.Callback{&average{}, &count{}}
			if swap {
				slices.Reverse(list)
			}
			for _, c := range list {
				b.add(c, nil)
			}
		}
	}
	straight := newBench(t, nn.QAT, nn.ReverseFold)
	straight.Trainer.Epochs, straight.Trainer.LRUpdater = 4, nil
	add(false)(straight)
	straight.add(absorb{}, atEpoch(2), "body.0.conv")
	want := straight.must(t)
	first := firstStage(t, add(false))
	for _, swap := range []bool{false, true} {
		for k := -1; k <= 16; k++ {
			later := func() *bench {
				b := laterStage(t, first)
				b.add(absorb{}, atEpoch(2), "body.0.conv")
				add(swap)(b)
				return b
			}
			b := later().stopAt(k)
			if k >= 0 && b.cut(t) {
				s := b.kept.last("last")
				b = later().stopAt(-1)
				b.Resume, b.Interrupted = s, true
			} else {
				b = later()
			}
			got := b.must(t)
			if text(&checkpoint.Snapshot{Model: got.Model.Tensors()}) != text(&checkpoint.Snapshot{Model: want.Model.Tensors()}) || !maps.Equal(got.Metrics, want.Metrics) {
				t.Errorf("swapped %v, stopped after %d: %v, want %v", swap, k, got.Metrics, want.Metrics)
			}
		}
	}
}

// TestNothingLeft: a stage that continues a finished training has no step to do. It still
// validates, runs its hooks for the end, and writes its checkpoint.
func TestNothingLeft(t *testing.T) {
	first := firstStage(t, nil)
	b := laterStage(t, first).add(absorb{}, &program.Schedule{End: true}, "body.0.conv")
	b.Trainer.Epochs = 2
	r := b.must(t)
	got := b.kept.last("last")
	if got.Stage != "later" || got.Step != 8 || len(got.Absorbed) != 1 || len(of[event.Epoch](b)) != 0 {
		t.Errorf("stage %q, step %d, %d absorbed, %d epochs", got.Stage, got.Step, len(got.Absorbed), len(of[event.Epoch](b)))
	}
	if _, trained := r.Metrics["loss"]; trained || r.Metrics["count"] != 9 {
		t.Errorf("metrics %v", r.Metrics)
	}
	if len(b.warned) != 1 || b.warned[0].Code != diag.NothingLeft {
		t.Errorf("%v", b.warned)
	}
}

// TestMetricsAreMeasured: a stage and its checkpoints have no metrics that were measured
// with other weights or in another stage.
func TestMetricsAreMeasured(t *testing.T) {
	b := laterStage(t, firstStage(t, nil))
	b.Val = nil
	b.add(saver{}, nil)
	r := b.must(t)
	if _, known := r.Metrics["count"]; known || len(r.Metrics) != 1 {
		t.Errorf("a stage that never validates has the metrics %v", r.Metrics)
	}
	b = laterStage(t, firstStage(t, nil)).add(saver{}, nil)
	b.must(t)
	for _, s := range b.kept.all {
		_, known := s.s.Metrics["count"]
		if validated := s.s.Position.Validated == s.s.Step+1; known != validated {
			t.Errorf("%s of step %d, validated %v, has the metrics %v", s.name, s.s.Step, validated, s.s.Metrics)
		}
	}
}

// TestBestIsHandedOn: a stage takes over the best checkpoint of the stage that it continues
// from, together with its file, until it does better. If the file is missing, the search
// for the best starts over.
func TestBestIsHandedOn(t *testing.T) {
	first := firstStage(t, func(b *bench) { b.add(&marked[int]{7}, nil).add(saver{}, nil) })
	m := &marked[int]{}
	b := laterStage(t, first).add(m, nil)
	r := b.must(t)
	if got := b.kept.all[0]; got.name != "best" || text(got.s) != text(first.kept.last("best")) {
		t.Errorf("the first checkpoint is %q", got.name)
	}
	if !maps.Equal(r.BestMetrics, first.kept.last("best").Metrics) || m.value != 7 {
		t.Errorf("best %v, state %v", r.BestMetrics, m.value)
	}
	m = &marked[int]{}
	b = laterStage(t, first).add(m, nil)
	b.Best = nil
	r = b.must(t)
	if b.kept.last("best") != nil || r.BestMetrics != nil || m.value != 0 {
		t.Errorf("without the file: best %v, state %v", r.BestMetrics, m.value)
	}
	if len(b.warned) != 1 || b.warned[0].Code != diag.BestLost {
		t.Errorf("%v", b.warned)
	}
}

// TestRatesAreSaid: there is a warning for a learning rate that is written and not used,
// and for one that jumps.
func TestRatesAreSaid(t *testing.T) {
	first := firstStage(t, nil)
	for name, c := range map[string]struct {
		change func(*bench)
		want   diag.Code
	}{
		"goes on":            {func(*bench) {}, ""},
		"falls from here on": {func(b *bench) { b.Trainer.LRUpdater = falling{} }, diag.RateJumps},
		"optimizer only":     {func(b *bench) { b.Trainer.ResumeEpochOrStep = false }, ""},
		"another rate":       {func(b *bench) { b.Trainer.ResumeEpochOrStep = false; b.Resume.LR = 0.01 }, diag.NoEffect},
	} {
		b := laterStage(t, first)
		s := *b.Resume
		b.Resume = &s
		c.change(b)
		b.must(t)
		var got diag.Code
		for _, w := range b.warned {
			got += w.Code
		}
		if got != c.want {
			t.Errorf("%s: %v, want %s", name, b.warned, c.want)
		}
	}
}

// TestGuessed: the bound follows the number of images.
func TestGuessed(t *testing.T) {
	for _, c := range []struct {
		v, p float64
		n    int
		want bool
	}{
		{0.1, 0.1, 500, true},
		{0.12, 0.1, 500, true},
		{0.2, 0.1, 500, false},
		{0.1, 0.1, 5, false},
		{0.5, 0.5, 40, false},
		{0.5, 0.5, 400, true},
		{0.97, 0.97, 500, false},
		{1, 1, 500, false},
		{0.09, 0.1, 10000, true},
	} {
		if got := guessed(c.v, c.p, c.n); got != c.want {
			t.Errorf("%v of %d where guessing has %v: %v", c.v, c.n, c.p, got)
		}
	}
}

// guesses is a metric of a model that has learned nothing.
type guesses struct{ meanLogit }

func (*guesses) Values() []float64 { return []float64{0.11, 0.5} }
func (*guesses) Chance() []float64 { return []float64{0.1, 1} }

// TestChanceIsSaid: in every form there is a warning if a stage ends no better than guessing.
func TestChanceIsSaid(t *testing.T) {
	for _, c := range []struct {
		images int
		metric part.Metric
		want   int
	}{{200, &guesses{}, 1}, {5, &guesses{}, 0}, {200, &meanLogit{}, 0}} {
		for _, b := range []*bench{newBench(t, nn.Float, ""), plain(t), calibrating(t)} {
			b.Val, b.ValBatch, b.Metrics = newData(c.images, 3, 5, 1), 64, []part.Metric{c.metric}
			b.Warn = func(w Warning) { b.warned = append(b.warned, w) }
			b.must(t)
			if len(b.warned) != c.want || c.want > 0 && b.warned[0].Code != diag.AtChance {
				t.Errorf("%d images, %T, %s: %v", c.images, c.metric, b.Model.Form(), b.warned)
			}
		}
	}
}
