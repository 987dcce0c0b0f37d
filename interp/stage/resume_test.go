package stage

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/checkpoint"
	"qpipe/interp/part"
	"qpipe/lang/program"
	"qpipe/ops/engine"
	"qpipe/ops/nn"
)

// eventful is a job in which everything happens that could go wrong in a resume: two
// absorptions at different points, a frozen BN, averaged weights, a callback with state,
// checkpoints between all of them, a short batch, a learning rate that changes.
func eventful(t testing.TB) *bench {
	b := newBench(t, nn.QAT, nn.ReverseFold)
	b.add(&average{}, nil)
	b.add(absorb{}, atStep(3), "body.0.conv")
	b.add(saver{}, every(0, 1))
	b.add(absorb{}, atEpoch(1), "body.1.conv")
	b.add(freeze{}, atStep(2), "body.1.conv")
	b.add(saver{}, every(1, 2))
	b.add(&count{}, nil)
	return b
}

// plain is the same job without any callbacks.
func plain(t testing.TB) *bench { return newBench(t, nn.QAT, nn.WithBN) }

func calibrating(t testing.TB) *bench {
	b := newBench(t, nn.Calibration, nn.WithBN)
	b.Trainer, b.Calibrator = nil, &CalibratorJob{Steps: 7, BatchSize: 4}
	return b
}

func partialEpoch(t testing.TB) *bench {
	b := newBench(t, nn.Float, "")
	b.Trainer.Epochs, b.Trainer.Steps, b.Trainer.DropLast = 0, 8, true
	return b.add(&count{}, nil)
}

// dropping has a dropout, whose draws differ from step to step.
func dropping(t testing.TB) *bench {
	b := newBench(t, nn.QAT, nn.WithBN)
	b.Model = tinyNetWith(t, nn.QAT, nn.WithBN, int8Config, true)
	return b.add(saver{}, every(0, 3))
}

var jobs = map[string]func(testing.TB) *bench{
	"eventful": eventful, "plain": plain, "calibrating": calibrating, "partial epoch": partialEpoch, "dropping": dropping,
}

// TestInterruptAnywhere: a run that is stopped after any step and then resumed ends with the
// same snapshot as a run that is not stopped.
func TestInterruptAnywhere(t *testing.T) {
	for name, job := range jobs {
		t.Run(name, func(t *testing.T) {
			whole := job(t).stopAt(-1)
			r := whole.must(t)
			want := text(whole.kept.last("last"))
			for k := 1; k <= r.Steps; k++ {
				first := job(t).stopAt(k)
				if !first.cut(t) {
					t.Fatalf("stopping after step %d of %d does not interrupt", k, r.Steps)
				}
				if s := first.kept.last("last"); s.Step != k {
					t.Fatalf("stopped after step %d, the checkpoint says %d", k, s.Step)
				}
				second := job(t).stopAt(-1).from(first.kept.last("last"))
				again := second.must(t)
				if got := text(second.kept.last("last")); got != want {
					t.Errorf("stopped after step %d: the end differs%s", k, firstDifference(got, want))
				}
				if !maps.Equal(again.Metrics, r.Metrics) || !maps.Equal(again.BestMetrics, r.BestMetrics) {
					t.Errorf("stopped after step %d: metrics %v and best %v, want %v and %v", k, again.Metrics, again.BestMetrics, r.Metrics, r.BestMetrics)
				}
			}
		})
	}
}

// TestInterruptValidation: after a stop during a validation pass, the pass is repeated from its beginning.
func TestInterruptValidation(t *testing.T) {
	whole := eventful(t)
	whole.must(t)
	want := text(whole.kept.last("last"))
	for batch := 1; batch <= 6; batch++ {
		first, seen := eventful(t), 0
		first.metric.update = func() {
			if seen++; seen == batch {
				close(first.stop)
			}
		}
		if !first.cut(t) {
			t.Fatalf("a stop in validation batch %d does not interrupt", batch)
		}
		second := eventful(t).from(first.kept.last("last"))
		second.must(t)
		if got := text(second.kept.last("last")); got != want {
			t.Errorf("stopped in validation batch %d: the end differs%s", batch, firstDifference(got, want))
		}
		if s := first.kept.last("last"); batch%3 != 0 && s.Position.Validated == s.Step+1 {
			t.Errorf("stopped in validation batch %d, the pass went on to its end", batch)
		}
	}
}

// TestResumeFromEveryCheckpoint: a run that is killed right after it wrote a checkpoint, and
// then resumed, ends like a run that was not. This is so for every checkpoint.
func TestResumeFromEveryCheckpoint(t *testing.T) {
	for name, job := range jobs {
		t.Run(name, func(t *testing.T) {
			whole := job(t)
			whole.must(t)
			want := text(whole.kept.last("last"))
			for i, s := range whole.kept.all {
				second := job(t).from(s.s)
				second.must(t)
				final := second.kept.last("last")
				if final == nil { // it was the last one already
					final = s.s
				}
				if got := text(final); got != want {
					t.Errorf("resumed from checkpoint %d, %q of step %d: the end differs%s", i, s.name, s.s.Step, firstDifference(got, want))
				}
				if all := len(whole.kept.all); i+1+len(second.kept.all) != all {
					t.Errorf("resumed from checkpoint %d, %q of step %d: %d more are written, want %d", i, s.name, s.s.Step, len(second.kept.all), all-i-1)
				}
			}
		})
	}
}

// TestThreads: the bytes do not depend on the number of workers and readers.
func TestThreads(t *testing.T) {
	for _, job := range []func(testing.TB) *bench{eventful, dropping} {
		sameOnThreads(t, job)
	}
}

func sameOnThreads(t *testing.T, job func(testing.TB) *bench) {
	t.Helper()
	var want string
	for n := 1; n <= 3; n++ {
		b := job(t)
		b.Workers, b.Readers = engine.NewWorkers(n), n
		b.must(t)
		b.Workers.Close()
		if got := text(b.kept.last("last")); want == "" {
			want = got
		} else if got != want {
			t.Errorf("%d threads end elsewhere than one%s", n, firstDifference(got, want))
		}
	}
	b := job(t)
	b.Seed++
	b.must(t)
	if text(b.kept.last("last")) == want {
		t.Error("another seed ends in the same bytes")
	}
}

// watch records the first updates of a run.
type watch struct {
	momentum
	first *part.Update
}

func (w *watch) Update(u *part.Update) {
	if w.first == nil {
		c := *u
		c.Slots = [][]float32{append([]float32(nil), u.Slots[0]...)}
		c.W = append([]float32(nil), u.W...)
		w.first = &c
	}
	w.momentum.Update(u)
}

// TestOptimizerOnly: weights, optimizer and learning rate come from the checkpoint;
// everything else starts from the beginning.
func TestOptimizerOnly(t *testing.T) {
	first := eventful(t).stopAt(6)
	first.cut(t)
	s := first.kept.last("last")
	if len(s.Absorbed) != 2 || s.LR == 0 {
		t.Fatalf("the checkpoint has %d absorptions and the rate %v", len(s.Absorbed), s.LR)
	}
	w := &watch{}
	second := newBench(t, nn.QAT, nn.ReverseFold).from(s)
	second.Trainer.ResumeEpochOrStep = false
	second.Trainer.Optimizer, second.Trainer.LRUpdater = w, nil
	c := &count{}
	second.add(c, nil)
	r := second.must(t)
	if r.Steps != 8 || w.first.Step != 0 {
		t.Errorf("it did %d steps from step %d", r.Steps, w.first.Step)
	}
	if w.first.LR != float32(s.LR) {
		t.Errorf("the rate is %v, the checkpoint's %v", w.first.LR, s.LR)
	}
	if c.epochs != 2 {
		t.Errorf("the callback has seen %v epochs", c.epochs)
	}
	slot, weight := s.Optimizer["momentum_buffer"], find(s.Model, w.first.Name)
	if fmt.Sprint(w.first.Slots[0]) != fmt.Sprint(r.Model.FromFile(w.first.Name, find(slot, w.first.Name))) {
		t.Error("the optimizer's slots are not the checkpoint's")
	}
	if fmt.Sprint(w.first.W) != fmt.Sprint(r.Model.FromFile(w.first.Name, weight)) {
		t.Error("the weights are not the checkpoint's")
	}
	if final := second.kept.last("last"); len(final.Absorbed) != 2 || len(final.FrozenBN) != 0 {
		t.Errorf("the end has %d absorptions and the frozen BNs %v", len(final.Absorbed), final.FrozenBN)
	}
}

func find(list []nn.Tensor, name string) []float32 {
	for _, t := range list {
		if t.Name == name {
			return t.Data.([]float32)
		}
	}
	return nil
}

// TestRefusedResumes: if a stage cannot resume, that is an error; it never starts over silently.
func TestRefusedResumes(t *testing.T) {
	first := plain(t).stopAt(6)
	first.cut(t)
	s := first.kept.last("last")
	calibration, float := calibrating(t), newBench(t, nn.Float, "").stopAt(-1)
	calibration.must(t)
	float.must(t)
	counted := plain(t).add(&count{}, nil).stopAt(6)
	counted.cut(t)
	for name, c := range map[string]struct {
		change func(b *bench)
		attr   string
	}{
		"no checkpoint":     {func(b *bench) { b.Resume = nil }, "resume_optimizer"},
		"past the end":      {func(b *bench) { b.Trainer.Epochs = 1 }, "resume_epoch_or_step"},
		"another batch":     {func(b *bench) { b.Trainer.BatchSize = 2 }, "batch_size"},
		"another optimizer": {func(b *bench) { b.Trainer.Optimizer = renamedSlots{} }, "resume_optimizer"},
		"a nameless state": {func(b *bench) {
			old := *s
			old.Callbacks = []checkpoint.CallbackState{{Name: "[0]", State: map[string]float64{"epochs": 1}}}
			b.Resume, b.Interrupted = &old, false
		}, "resume_epoch_or_step"},
		"a lost state":  {func(b *bench) { b.Resume = counted.kept.last("last") }, "resume_epoch_or_step"},
		"a calibration": {func(b *bench) { b.Resume = calibration.kept.last("last") }, "resume_optimizer"},
		"another form":  {func(b *bench) { b.Resume = float.kept.last("last") }, "resume_optimizer"},
	} {
		b := plain(t).stopAt(-1).from(s)
		c.change(b)
		_, err := b.Run(context.Background())
		if attr(err) != c.attr {
			t.Errorf("%s: the error is %v, want one about %s", name, err, c.attr)
		}
	}
}

type renamedSlots struct{ momentum }

func (renamedSlots) Slots() []string { return []string{"exp_avg"} }

// TestSeedOfTheCheckpoint: a resumed run keeps the order of the images that it began with.
func TestSeedOfTheCheckpoint(t *testing.T) {
	whole := plain(t).stopAt(-1)
	whole.must(t)
	first := plain(t).stopAt(3)
	first.cut(t)
	second := plain(t).stopAt(-1).from(first.kept.last("last"))
	second.Seed = 77
	second.must(t)
	if got, want := text(second.kept.last("last")), text(whole.kept.last("last")); got != want {
		t.Errorf("the end differs%s", firstDifference(got, want))
	}
}

// TestLongerTraining: a finished run may be given more epochs.
func TestLongerTraining(t *testing.T) {
	whole := plain(t)
	whole.Trainer.Epochs, whole.Trainer.LRUpdater = 3, nil
	whole.must(t)
	first := plain(t)
	first.Trainer.LRUpdater = nil
	first.must(t)
	second := plain(t).from(first.kept.last("last"))
	second.Trainer.Epochs, second.Trainer.LRUpdater = 3, nil
	second.must(t)
	if got, want := text(second.kept.last("last")), text(whole.kept.last("last")); got != want {
		t.Errorf("2 epochs and 1 more are not 3%s", firstDifference(got, want))
	}
}

// shot records one time that a callback acted.
type shot struct {
	name string
	step int
}

type shooter struct {
	name string
	to   *[]shot
}

func (s shooter) Fire(st *part.State, _ []string) error {
	*s.to = append(*s.to, shot{s.name, st.Step})
	return nil
}

// TestSchedules: a callback acts exactly once at each point of its schedule, even if the run is
// interrupted there.
func TestSchedules(t *testing.T) {
	var shots []shot
	job := func() *bench {
		b := newBench(t, nn.Float, "")
		for _, c := range []struct {
			name string
			when *program.Schedule
		}{
			{"step 3", atStep(3)},
			{"epoch 1", atEpoch(1)},
			{"epoch 0", atEpoch(0)},
			{"every 3 steps", every(0, 3)},
			{"every 2 steps from 1 to 5", &program.Schedule{Unit: program.Step, From: 1, Every: 2, To: 5}},
			{"every 1 epochs from 1", &program.Schedule{Unit: program.Epoch, From: 1, Every: 1, To: -1}},
			{"start", &program.Schedule{Start: true}},
			{"end", &program.Schedule{End: true}},
		} {
			b.add(shooter{c.name, &shots}, c.when)
		}
		return b
	}
	want := map[shot]int{
		{"step 3", 3}: 1, {"epoch 1", 4}: 1, {"epoch 0", 0}: 1, {"start", 0}: 1, {"end", 8}: 1,
		{"every 3 steps", 0}: 1, {"every 3 steps", 3}: 1, {"every 3 steps", 6}: 1,
		{"every 2 steps from 1 to 5", 1}: 1, {"every 2 steps from 1 to 5", 3}: 1, {"every 2 steps from 1 to 5", 5}: 1,
		{"every 1 epochs from 1", 4}: 1,
	}
	for k := range 9 {
		shots = nil
		first := job().stopAt(k)
		if first.cut(t) {
			job().stopAt(-1).from(first.kept.last("last")).must(t)
		}
		got := map[shot]int{}
		for _, s := range shots {
			got[s]++
		}
		if !maps.Equal(got, want) {
			t.Errorf("stopped after step %d: fired %v", k, shots)
		}
	}
}

// firstDifference shows the first place where two texts differ.
func firstDifference(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	cut := func(s string) string { return strings.ToValidUTF8(s[max(0, min(n, len(s))-60):min(len(s), n+60)], "") }
	return fmt.Sprintf(":\n  got  …%s…\n  want …%s…", cut(a), cut(b))
}

// keyed runs networks on the CPU and notes the keys of their steps.
type keyed struct {
	engine.CPU
	seen *[]uint64
}

type keyedNet struct {
	engine.Compiled
	seen *[]uint64
}

// Compile implements engine.Engine.
func (k keyed) Compile(g *nn.Graph, batch int, training bool) (engine.Compiled, error) {
	e, err := k.CPU.Compile(g, batch, training)
	return keyedNet{e, k.seen}, err
}

// SetKey implements engine.Compiled.
func (k keyedNet) SetKey(key uint64) {
	*k.seen = append(*k.seen, key)
	k.Compiled.SetKey(key)
}

// TestKeysOfSteps: every step of every epoch draws with a key of its own, which depends on the seed, and on the step in the
// whole training, not in the process.
func TestKeysOfSteps(t *testing.T) {
	of := func(b *bench) (seen []uint64) {
		b.Engine = keyed{engine.CPU{Kernels: b.Kernels, Workers: b.Workers}, &seen}
		b.must(t)
		return seen
	}
	whole, other := dropping(t), dropping(t)
	other.Seed++
	a, b := of(whole), of(other)
	all := slices.Concat(a, b)
	slices.Sort(all)
	if len(slices.Compact(all)) != 16 {
		t.Errorf("the 8 steps of two seeds have the keys %x and %x", a, b)
	}
	if c := of(dropping(t).from(whole.kept.last("fire-3"))); !slices.Equal(c, a[3:]) {
		t.Errorf("resumed after step 3 the keys are %x, want %x", c, a[3:])
	}
}
