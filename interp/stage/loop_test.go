package stage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"qpipe/interp/event"
	"qpipe/interp/part"
	"qpipe/lang/program"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// TestTrainingLearns: the loss falls, and the events show it.
func TestTrainingLearns(t *testing.T) {
	b := newBench(t, nn.Float, "")
	b.Trainer.Epochs, b.Trainer.LRUpdater = 40, nil
	r := b.must(t)
	epochs := of[event.Epoch](b)
	if len(epochs) != 40 || r.Steps != 160 {
		t.Fatalf("%d epochs, %d steps", len(epochs), r.Steps)
	}
	first, last := *epochs[0].Data.(event.Epoch).Loss, *epochs[39].Data.(event.Epoch).Loss
	if !(last < first/2) || r.Metrics["loss"] != float64(last) {
		t.Errorf("the loss goes from %v to %v, the result says %v", first, last, r.Metrics["loss"])
	}
	if e := epochs[3]; e.Epoch != 4 || e.Step != 16 || e.Stage != "qat" {
		t.Errorf("the fourth epoch's event is %+v", e)
	}
	if start := of[event.Start](b)[0].Data; start != (event.Start{StepsPerEpoch: 4, TotalSteps: 160, TrainImages: 14, ValImages: 9}) {
		t.Errorf("the stage begins with %v", start)
	}
}

// TestDefaults: without callbacks, a stage validates and saves "last" at the end of every
// epoch. With callbacks that govern this, it does so only at the end of the stage.
func TestDefaults(t *testing.T) {
	names := func(b *bench) (list []string) {
		for _, e := range b.events {
			switch d := e.Data.(type) {
			case event.Validation, event.Epoch:
				list = append(list, d.Kind())
			case event.Checkpoint:
				list = append(list, d.Name)
			}
		}
		return list
	}
	b := newBench(t, nn.Float, "")
	b.must(t)
	if want := []string{"validation", "epoch", "last", "validation", "epoch", "last"}; !slices.Equal(names(b), want) {
		t.Errorf("by itself: %v", names(b))
	}
	b = newBench(t, nn.Float, "").add(governor{}, nil)
	b.must(t)
	if want := []string{"epoch", "validation", "epoch", "last"}; !slices.Equal(names(b), want) {
		t.Errorf("governed: %v", names(b))
	}
	b = newBench(t, nn.Float, "")
	b.Val = nil
	b.must(t)
	if want := []string{"epoch", "last", "epoch", "last"}; !slices.Equal(names(b), want) {
		t.Errorf("without val_data: %v", names(b))
	}
}

type governor struct{}

func (governor) GovernsValidation()  {}
func (governor) GovernsCheckpoints() {}

// note writes down when it is called.
type note struct {
	name     string
	priority int
	to       *[]string
}

func (n note) log(s *part.State, what string) error {
	*n.to = append(*n.to, fmt.Sprintf("%d %s.%s", s.Step, n.name, what))
	return nil
}
func (n note) Priority() int                        { return n.priority }
func (n note) Start(s *part.State) error            { return n.log(s, "start") }
func (n note) Fire(s *part.State, m []string) error { return n.log(s, fmt.Sprint("fire", m)) }
func (n note) StepEnd(s *part.State) error          { return n.log(s, "step") }
func (n note) EpochEnd(s *part.State) error         { return n.log(s, "epoch") }
func (n note) End(s *part.State) error              { return n.log(s, "end") }
func (n note) GovernsValidation()                   {}

// TestOrderOfHooks compares the order of all hooks in a whole run.
func TestOrderOfHooks(t *testing.T) {
	var log []string
	b := newBench(t, nn.Float, "")
	b.Trainer.Epochs, b.Trainer.BatchSize = 2, 14
	b.metric.update = func() {
		if b.metric.n == 4 {
			log = append(log, "validation")
		}
	}
	b.add(note{"late", 90, &log}, &program.Schedule{End: true}, "x")
	b.add(note{"early", 10, &log}, atEpoch(1), "y", "z")
	b.must(t)
	want := []string{
		"0 late.start", "0 early.start",
		"1 early.step", "1 late.step", "1 early.epoch", "1 late.epoch",
		"1 early.fire[y z]",
		"2 early.step", "2 late.step", "2 late.fire[x]", "2 early.epoch", "validation", "2 late.epoch",
		"2 late.end", "2 early.end",
	}
	if !slices.Equal(log, want) {
		t.Errorf("got  %v\nwant %v", log, want)
	}
}

// TestSteps: a training with a number of steps ends after that step, and an epoch ends there, too.
func TestSteps(t *testing.T) {
	b := partialEpoch(t)
	r := b.must(t)
	s := b.kept.last("last")
	if r.Steps != 8 || s.Epoch != 3 || s.Callbacks[0].State["epochs"] != 3 { // 3 batches of 4 in 14 images
		t.Errorf("%d steps, %d epochs, the callback saw %v", r.Steps, s.Epoch, s.Callbacks[0])
	}
}

// TestValidateOnly: a stage without steps validates and writes nothing.
func TestValidateOnly(t *testing.T) {
	b := newBench(t, nn.QAT, nn.WithBN)
	b.Trainer, b.Train = nil, nil
	r := b.must(t)
	if r.Metrics["count"] != 9 || len(b.kept.all) != 0 || len(of[event.Validation](b)) != 1 {
		t.Errorf("metrics %v, %d checkpoints", r.Metrics, len(b.kept.all))
	}
	b = newBench(t, nn.QAT, nn.WithBN)
	b.Trainer = nil
	close(b.stop)
	if !b.cut(t) || len(b.kept.all) != 0 {
		t.Error("a stop does not interrupt")
	}
}

// TestValidationChangesNothing: a validation does not change the training.
func TestValidationChangesNothing(t *testing.T) {
	with, without := eventful(t), eventful(t)
	without.Val = nil
	with.must(t)
	without.must(t)
	a, b := with.kept.last("last"), without.kept.last("last")
	if fmt.Sprint(a.Model, a.Shadow, a.Optimizer) != fmt.Sprint(b.Model, b.Shadow, b.Optimizer) {
		t.Error("a training with validation ends elsewhere")
	}
}

// TestNotFinite: a value that is not finite stops the stage at that step. The error names the
// node, and the last good checkpoint is still there.
func TestNotFinite(t *testing.T) {
	bad := float32(math.NaN())
	steps := 0
	at := func(n int) bool { steps++; return steps == n }
	for name, c := range map[string]struct {
		set          func(b *bench)
		node, words  string
		step, epochs int
	}{
		"loss": {func(b *bench) {
			b.Trainer.Losses = part.OneLoss(squared{func(l float32, _ []float32) float32 {
				if at(6) {
					return bad
				}
				return l
			}})
		}, "", "the loss is NaN", 5, 1},
		"gradient": {func(b *bench) {
			b.Trainer.Losses = part.OneLoss(squared{func(l float32, g []float32) float32 {
				if at(7) {
					g[0] = float32(math.Inf(1))
				}
				return l
			}})
		}, "head.fc", "gradient", 6, 1},
		"parameter": {func(b *bench) {
			b.Trainer.Optimizer = momentum{func(u *part.Update) {
				if u.Name == "body.1.bn.bias" && at(6) {
					u.W[2] = bad
				}
			}}
		}, "body.1.conv", "body.1.bn.bias", 5, 1},
		"slot": {func(b *bench) {
			b.Trainer.Optimizer = momentum{func(u *part.Update) {
				if u.Name == "body.1.bn.bias" && u.Step == 7 {
					u.Slots[0][0] = bad
				}
			}}
		}, "", "momentum_buffer of body.1.bn.bias", 8, 2},
		"scale": {func(b *bench) {
			b.Model = tinyNetOf(t, nn.QAT, nn.ReverseFold, func(m nn.Module) nn.QConfig {
				c := int8Config(m)
				if m.Name == "body.1.conv" {
					c.Activation.Observer = spoiled{now: func() bool { return at(6) }}
				}
				return c
			})
		}, "body.1.conv", "activation range", 5, 1},
		"rate": {func(b *bench) { b.Trainer.LRUpdater = exploding{} }, "", "learning rate", 6, 1},
	} {
		steps = 0
		b := newBench(t, nn.QAT, nn.ReverseFold)
		c.set(b)
		_, err := b.Run(context.Background())
		var f *Failure
		if !errors.As(err, &f) {
			t.Errorf("%s: the error is %v", name, err)
			continue
		}
		if name != "gradient" && f.Module != c.node || !strings.Contains(f.Error(), c.words) || f.Step != c.step || f.Kept != "last" {
			t.Errorf("%s: %+v", name, f)
		}
		if name == "gradient" && f.Module == "" {
			t.Errorf("%s: no node is named: %v", name, f)
		}
		if s := b.kept.last("last"); s == nil || s.Epoch != 1 || s.Step != 4 {
			t.Errorf("%s: the checkpoint is not that of the first epoch", name)
		}
	}
}

type exploding struct{}

func (exploding) LR(base float64, p part.Progress) float64 {
	if p.Step == 6 {
		return math.Inf(1)
	}
	return base
}

// broken is a callback that returns an error.
type broken struct{ err error }

func (b broken) StepEnd(s *part.State) error {
	if s.Step == 3 {
		return b.err
	}
	return nil
}

// TestCallbackErrors carry the callback's address, the argument and the moment.
func TestCallbackErrors(t *testing.T) {
	b := newBench(t, nn.Float, "").add(&count{}, nil).add(broken{part.Bad("monitor", "no such metric")}, nil)
	_, err := b.Run(context.Background())
	var f *Failure
	if !errors.As(err, &f) || f.Address != "stage.qat.callback.stage.broken[1]" || f.Attr != "monitor" || f.Step != 3 || f.Error() != "no such metric" {
		t.Errorf("the error is %#v", err)
	}
}

// TestRefusedJobs: a job that cannot run returns its error before the first step.
func TestRefusedJobs(t *testing.T) {
	for want, change := range map[string]func(b *bench){
		"do not fill one batch":                      func(b *bench) { b.Trainer.BatchSize, b.Trainer.DropLast = 100, true },
		"the data set is empty":                      func(b *bench) { b.Val = newData(0, 3, 5, 1) },
		"is 5×5×1":                                   func(b *bench) { b.Train = newData(9, 3, 6, 1) },
		"gives 3 values, but the data has 4 classes": func(b *bench) { b.Train.Spec.Targets[0].Classes = 4 },
		"the stage has no train_data":                func(b *bench) { b.Train = nil },
		"std must be positive":                       func(b *bench) { b.Train.Spec.Inputs[0].Std = []float32{0} },
	} {
		b := newBench(t, nn.Float, "")
		change(b)
		_, err := b.Run(context.Background())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

// TestProgress: at most ten events a second, with rate and time left.
func TestProgress(t *testing.T) {
	b := newBench(t, nn.Float, "")
	b.Trainer.Epochs = 20
	clock := ticking(10 * time.Millisecond)
	var seen []time.Time
	now := time.Unix(0, 0)
	b.Clock = func() time.Time { now = clock(); return now }
	b.Events = func(e event.Event) {
		if p, ok := e.Data.(event.Progress); ok {
			seen = append(seen, now)
			if p.Rate <= 0 || *p.ETA < 0 || p.Done > p.Total {
				t.Errorf("progress %v", p)
			}
		}
		if d, ok := e.Data.(event.Epoch); ok && d.Rate <= 0 {
			t.Errorf("epoch %v", d)
		}
	}
	b.must(t)
	total := now.Sub(time.Unix(0, 0)).Seconds()
	if n := float64(len(seen)); n > 10*total+1 || n < 5*total {
		t.Errorf("%v events in %v seconds", n, total)
	}
}

// TestContext: a cancelled run ends at once and writes nothing.
func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	b := newBench(t, nn.Float, "")
	b.metric.update = cancel
	_, err := b.Run(ctx)
	if !errors.Is(err, context.Canceled) || len(b.kept.all) != 0 {
		t.Errorf("%v, %d checkpoints", err, len(b.kept.all))
	}
}

// TestStepsAllocateNothing once the stage is under way.
func TestStepsAllocateNothing(t *testing.T) {
	for name, job := range map[string]*bench{"train": plain(t), "calibrate": calibrating(t)} {
		b := job
		if b.Trainer != nil {
			b.Trainer.Epochs = 100
		} else {
			b.Calibrator.Steps = 400
		}
		b.Train.Samples = still{b.Train.Samples.(*striped)}
		b.Train.Transforms = nil
		r := &run{Job: b.Job, ctx: context.Background(), seed: b.Seed}
		if err := r.start(); err != nil {
			t.Fatal(err)
		}
		step := func() {
			if err := r.worker.step(); err != nil {
				t.Fatal(err)
			}
		}
		for range 8 {
			step()
		}
		if n := testing.AllocsPerRun(100, step); n > 0 {
			t.Errorf("%s: %v allocations a step", name, n)
		}
		r.close()
	}
}

// still is a data set that allocates nothing.
type still struct{ *striped }

func (s still) Sample(i int, dst *part.Sample) error {
	m := &dst.Images[0]
	m.H, m.W, m.C = s.side, s.side, s.channels
	if m.Pix == nil {
		m.Pix = make([]uint8, tensor.Shape{N: 1, H: m.H, W: m.W, C: m.C}.Len())
	}
	m.Pix[i%len(m.Pix)] = uint8(i)
	dst.Targets[0].Label(i % s.classes)
	return nil
}
