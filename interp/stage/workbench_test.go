package stage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"qpipe/interp/checkpoint"
	"qpipe/interp/event"
	"qpipe/interp/feed"
	"qpipe/interp/part"
	"qpipe/lang/program"
	"qpipe/ops/convbn"
	"qpipe/ops/engine"
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/ref"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// The workbench of this package's tests: a small net, very simple parts, and a keeper that
// remembers all snapshots.

// extremes is an observer whose range is the smallest and the largest value seen.
type extremes struct{}

func (extremes) Range(_ []float32, lo, hi float32, _ quant.Spec) (float32, float32) { return lo, hi }
func (extremes) Averaging() float32                                                 { return 0.1 }
func (extremes) Fixed() bool                                                        { return false }

// spoiled is an observer whose range is sometimes not finite.
type spoiled struct {
	extremes
	now func() bool
}

func (s spoiled) Range(_ []float32, lo, hi float32, _ quant.Spec) (float32, float32) {
	if s.now() {
		return lo, float32(math.Inf(1))
	}
	return lo, hi
}

func int8Config(m nn.Module) nn.QConfig {
	c := nn.QConfig{
		Activation: nn.Quant{Spec: quant.Spec{DType: quant.Int8}, Observer: extremes{}},
		Weight:     nn.Quant{Spec: quant.Spec{DType: quant.Int8, PerChannel: true, Narrow: true}, Observer: extremes{}},
	}
	if m.Name == "head.fc" {
		c.Activation = nn.Quant{}
	}
	return c
}

// tinyNet is two convolutions with BN and a linear layer.
func tinyNet(t testing.TB, form nn.Form, mode nn.Mode) *nn.Graph {
	t.Helper()
	return tinyNetOf(t, form, mode, int8Config)
}

func tinyNetOf(t testing.TB, form nn.Form, mode nn.Mode, config func(nn.Module) nn.QConfig) *nn.Graph {
	t.Helper()
	return tinyNetWith(t, form, mode, config, false)
}

// tinyNetWith is that net, with a dropout in front of the linear layer if drop is set.
func tinyNetWith(t testing.TB, form nn.Form, mode nn.Mode, config func(nn.Module) nn.QConfig, drop bool) *nn.Graph {
	t.Helper()
	b := nn.NewBuilder(tensor.Shape{H: 5, W: 5, C: 1})
	x := b.Input()
	for i, c := range []int{4, 6} {
		name := fmt.Sprintf("body.%d", i)
		x = b.Conv(name+".conv", x, convbn.Conv{OutC: c, Kernel: [2]int{3, 3}, Padding: [2]int{1, 1}})
		x = b.BatchNorm(name+".bn", x, 0, 0)
		x = b.Act(name+".act", x, kernel.ReLU)
	}
	x = b.GlobalAvgPool("head.pool", x)
	if drop {
		x = b.Apply("head.drop", op.Dropout{P: 0.4}, x)
	}
	g, err := b.Graph(b.Linear("head.fc", x, 3, true))
	if err != nil {
		t.Fatal(err)
	}
	g.Init(1)
	if form != nn.Float {
		g.SetQConfig(config)
		if err := g.Prepare(form, mode); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// momentum is SGD with momentum.
type momentum struct{ spoil func(u *part.Update) }

func (momentum) LR() float64     { return 0.05 }
func (momentum) Slots() []string { return []string{"momentum_buffer"} }
func (m momentum) Update(u *part.Update) {
	v := u.Slots[0]
	for i, g := range u.G {
		v[i] = float32(0.9*v[i]) + g
		u.W[i] -= float32(u.LR * v[i])
	}
	if m.spoil != nil {
		m.spoil(u)
	}
}

// falling is a schedule that depends on all of its arguments.
type falling struct{}

func (falling) LR(base float64, p part.Progress) float64 {
	return base * (1 - float64(p.Step)/float64(2*p.Steps)) / float64(1+p.Epoch)
}

// squared is the mean squared distance to the label's unit vector.
type squared struct {
	spoil func(loss float32, grad []float32) float32
}

func (l squared) Loss(b *part.Batch) float32 {
	sum := float32(0)
	for label, row := range b.Rows {
		for c, y := range row.Values {
			d := y
			if label == c {
				d = y - 1
			}
			row.Grad[c] = 2 * d / float32(b.Len)
			sum += float32(d * d)
		}
	}
	sum /= float32(b.Len)
	if l.spoil != nil {
		return l.spoil(sum, b.Outputs[0].Grad)
	}
	return sum
}

// meanLogit is a metric that depends on every bit of the outputs.
type meanLogit struct {
	sum    float64
	n      int
	update func()
}

func (*meanLogit) Names() []string { return []string{"mean_logit", "count"} }
func (m *meanLogit) Reset()        { m.sum, m.n = 0, 0 }
func (m *meanLogit) Update(b *part.Batch) {
	for _, row := range b.Rows {
		for c, y := range row.Values {
			m.sum += float64(y) * float64(1+c)
		}
	}
	m.n += b.Len
	if m.update != nil {
		m.update()
	}
}
func (m *meanLogit) Values() []float64 { return []float64{m.sum / float64(m.n), float64(m.n)} }

// The callbacks.

type absorb struct{ recompute bool }

func (a absorb) Fire(s *part.State, modules []string) error { return s.AbsorbBN(modules, a.recompute) }

type freeze struct{}

func (freeze) Fire(s *part.State, modules []string) error { return s.FreezeBN(modules) }

// saver saves at every opportunity, under names that say where.
type saver struct{}

func (saver) Fire(s *part.State, _ []string) error { return s.Save(fmt.Sprintf("fire-%d", s.Step)) }
func (saver) StepEnd(s *part.State) error          { return s.Save(fmt.Sprintf("step-%d", s.Step)) }
func (saver) EpochEnd(s *part.State) error         { return s.Save("best") }
func (saver) End(s *part.State) error              { return s.Save("end") }

// count has a state: the number of epochs whose end it has seen.
type count struct{ epochs float64 }

func (c *count) EpochEnd(*part.State) error    { c.epochs++; return nil }
func (c *count) State() map[string]float64     { return map[string]float64{"epochs": c.epochs} }
func (c *count) SetState(s map[string]float64) { c.epochs = s["epochs"] }

// average keeps a second set of weights: after every step, the mean of itself and the model.
type average struct{ g *nn.Graph }

func (a *average) Shadow() *nn.Graph { return a.g }
func (a *average) Start(s *part.State) error {
	a.g = s.Model.Clone()
	return nil
}

func (a *average) StepEnd(s *part.State) error {
	from, to := s.Model.Tensors(), a.g.Tensors()
	for i, t := range to {
		x, y := from[i].Data.([]float32), t.Data.([]float32)
		for k := range y {
			if d := x[k] - y[k]; d-d == 0 {
				y[k] += 0.5 * d
			} else {
				y[k] = x[k]
			}
		}
		if err := a.g.SetTensor(t); err != nil {
			return err
		}
	}
	return nil
}

// stopper closes stop after a step.
type stopper struct {
	at   int
	stop chan struct{}
}

func (c *stopper) StepEnd(s *part.State) error {
	if s.Step == c.at {
		close(c.stop)
	}
	return nil
}

// saved is a snapshot with its name.
type saved struct {
	name string
	s    *checkpoint.Snapshot
}

type memory struct{ all []saved }

func (m *memory) Save(name string, s *checkpoint.Snapshot) error {
	c := *s
	c.Model, c.Shadow = copied(s.Model), copied(s.Shadow)
	c.Optimizer = map[string][]nn.Tensor{}
	for k, v := range s.Optimizer {
		c.Optimizer[k] = copied(v)
	}
	m.all = append(m.all, saved{name, &c})
	return nil
}

func (m *memory) Remove(string) error { return nil }

// last returns the snapshot last written under the name, nil if there is none.
func (m *memory) last(name string) *checkpoint.Snapshot {
	for _, v := range slices.Backward(m.all) {
		if v.name == name {
			return v.s
		}
	}
	return nil
}

func copied(list []nn.Tensor) []nn.Tensor {
	out := slices.Clone(list)
	for i := range out {
		if d, ok := out[i].Data.([]float32); ok {
			out[i].Data = slices.Clone(d)
		}
	}
	return out
}

// text writes everything in a snapshot: equal texts mean equal bytes.
func text(s *checkpoint.Snapshot) string {
	if s == nil {
		return "none"
	}
	return fmt.Sprintf("%+v", *s)
}

func every(from, step int) *program.Schedule {
	return &program.Schedule{Unit: program.Step, From: from, Every: step, To: -1}
}

func atStep(n int) *program.Schedule {
	return &program.Schedule{Unit: program.Step, From: n, To: -1}
}

func atEpoch(n int) *program.Schedule {
	return &program.Schedule{Unit: program.Epoch, From: n, To: -1}
}

// bench is a job and records of what it does.
type bench struct {
	*Job
	kept   *memory
	events []event.Event
	warned []Warning
	stop   chan struct{}
	metric *meanLogit
}

// newBench makes a job of two epochs with a short last batch.
func newBench(t testing.TB, form nn.Form, mode nn.Mode) *bench {
	t.Helper()
	b := &bench{kept: &memory{}, stop: make(chan struct{}), metric: &meanLogit{}}
	b.Job = &Job{
		Name: "qat", Seed: 5, Mode: mode, Model: tinyNet(t, form, mode),
		Train: newData(14, 3, 5, 1), Val: newData(9, 3, 5, 1), ValBatch: 4,
		Metrics: []part.Metric{b.metric},
		Trainer: &TrainerJob{Epochs: 2, BatchSize: 4, Optimizer: momentum{}, LRUpdater: falling{}, Losses: part.OneLoss(squared{})},
		Keeper:  b.kept, Stop: b.stop, Kernels: ref.Set(), Workers: engine.NewWorkers(1), Readers: 2,
		Events: func(e event.Event) { b.events = append(b.events, e) },
	}
	t.Cleanup(func() { b.Workers.Close() })
	return b
}

// add appends a callback.
func (b *bench) add(c part.Callback, when *program.Schedule, modules ...string) *bench {
	b.Callbacks = append(b.Callbacks, BoundCallback{
		Type: fmt.Sprintf("%T", c), Address: fmt.Sprintf("stage.qat.callback.%T[%d]", c, len(b.Callbacks)),
		Callback: c, When: when, Modules: modules,
	})
	return b
}

func (b *bench) stopAt(step int) *bench { return b.add(&stopper{step, b.stop}, nil) }

// from makes the job resume its own interrupted attempt, whose best checkpoint is available.
func (b *bench) from(s *checkpoint.Snapshot) *bench {
	b.Resume, b.Best, b.Interrupted = s, s, true
	if b.Trainer != nil {
		b.Trainer.ResumeOptimizer, b.Trainer.ResumeEpochOrStep = true, true
	}
	return b
}

// after makes the job a later stage that continues from another one's checkpoint.
func (b *bench) after(s, best *checkpoint.Snapshot) *bench {
	b.from(s)
	b.Name, b.Best, b.Interrupted = "later", best, false
	b.Warn = func(w Warning) { b.warned = append(b.warned, w) }
	return b
}

// must runs the job to its end.
func (b *bench) must(t testing.TB) *Result {
	t.Helper()
	r, err := b.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// cut runs the job until it is interrupted; false if it came to its end.
func (b *bench) cut(t testing.TB) bool {
	t.Helper()
	_, err := b.Run(context.Background())
	if err != nil && !errors.Is(err, ErrInterrupted) {
		t.Fatal(err)
	}
	return err != nil
}

// of returns the events of a kind.
func of[D event.Data](b *bench) (list []event.Event) {
	for _, e := range b.events {
		if _, ok := e.Data.(D); ok {
			list = append(list, e)
		}
	}
	return list
}

// ticking is a clock that advances each time it is read.
func ticking(d time.Duration) func() time.Time {
	now := time.Unix(0, 0)
	return func() time.Time { now = now.Add(d); return now }
}

// attr returns the argument that an error is about, "" if there is none.
func attr(err error) string {
	var e *part.ArgError
	if errors.As(err, &e) {
		return e.Attr
	}
	return ""
}

// striped is a data set of n images whose bytes and labels follow from the index.
type striped struct{ n, classes, side, channels int }

func (s *striped) Len() int { return s.n }

func (s *striped) Sample(i int, dst *part.Sample) error {
	m := &dst.Images[0]
	m.H, m.W, m.C = s.side, s.side, s.channels
	m.Pix = m.Pix[:0]
	label := i % s.classes
	r := part.NewRand(99, uint64(i))
	for p := range s.side * s.side * s.channels {
		v := 40 + int(r.Uint64()%60)
		if (p/s.channels)%s.classes == label {
			v += 120
		}
		m.Pix = append(m.Pix, uint8(v))
	}
	dst.Targets[0].Label(label)
	return nil
}

// flicker is a transform that uses its randomness.
type flicker struct{}

func (flicker) Spec(in part.Spec) (part.Spec, error) { return in, nil }

func (flicker) Apply(s *part.Sample, r *part.Rand) {
	m := &s.Images[0]
	m.Pix[r.Intn(len(m.Pix))] ^= uint8(r.Uint64())
}

func newData(n, classes, side, channels int) *feed.Feed {
	return &feed.Feed{
		Samples:    &striped{n: n, classes: classes, side: side, channels: channels},
		Transforms: []part.Transform{flicker{}},
		Spec: part.Spec{
			Inputs:  []part.InputSpec{{Shape: tensor.Shape{H: side, W: side, C: channels}}},
			Targets: []part.TargetSpec{{Classes: classes}}, Len: n,
		},
	}
}
