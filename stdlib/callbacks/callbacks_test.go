package callbacks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"qpipe/interp/checkpoint"
	"qpipe/interp/event"
	"qpipe/interp/feed"
	"qpipe/interp/part"
	"qpipe/interp/stage"
	"qpipe/ops/convbn"
	"qpipe/ops/engine"
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/ref"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// The bench: a small net, data made of numbers, and parts as simple as can be.
// The callbacks are run by the real loop.

const (
	images = 12
	batch  = 4
	steps  = images / batch // an epoch
)

type asSeen struct{}

func (asSeen) Range(_ []float32, lo, hi float32, _ quant.Spec) (float32, float32) { return lo, hi }
func (asSeen) Averaging() float32                                                 { return 0.1 }
func (asSeen) Fixed() bool                                                        { return false }

func config(m nn.Module) nn.QConfig {
	c := nn.QConfig{
		Activation: nn.Quant{Spec: quant.Spec{DType: quant.Int8}, Observer: asSeen{}},
		Weight:     nn.Quant{Spec: quant.Spec{DType: quant.Int8, PerChannel: true, Narrow: true}, Observer: asSeen{}},
	}
	if m.Name == "fc" {
		c.Activation = nn.Quant{}
	}
	return c
}

var nodes = []string{"a.conv", "b.conv"}

func net(t *testing.T, form nn.Form) *nn.Graph {
	t.Helper()
	b := nn.NewBuilder(tensor.Shape{H: 4, W: 4, C: 1})
	x := b.Input()
	for _, name := range []string{"a", "b"} {
		x = b.Conv(name+".conv", x, convbn.Conv{OutC: 3, Kernel: [2]int{3, 3}, Padding: [2]int{1, 1}})
		x = b.BatchNorm(name+".bn", x, 0, 0)
		x = b.Act(name+".act", x, kernel.ReLU)
	}
	g, err := b.Graph(b.Linear("fc", b.GlobalAvgPool("pool", x), 2, true))
	if err != nil {
		t.Fatal(err)
	}
	g.Init(1)
	if form == nn.QAT {
		g.SetQConfig(config)
		if err := g.Prepare(nn.QAT, nn.ReverseFold); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

type samples struct{}

func (samples) Len() int { return images }
func (samples) Sample(i int, s *part.Sample) error {
	dst := &s.Images[0]
	dst.H, dst.W, dst.C, dst.Pix = 4, 4, 1, dst.Pix[:0]
	for p := range 16 {
		dst.Pix = append(dst.Pix, uint8(i*53+p*p*(3+i)))
	}
	s.Targets[0].Label(i % 2)
	return nil
}

type descent struct{}

func (descent) LR() float64     { return 0.02 }
func (descent) Slots() []string { return []string{"momentum_buffer"} }
func (descent) Update(u *part.Update) {
	u.Set.SGD(u.W, u.G, u.Slots[0], u.LR, 0.9, 0, false)
}

type distance struct{}

func (distance) Loss(b *part.Batch) float32 {
	var sum float32
	for label, row := range b.Rows {
		for c, v := range row.Values {
			if label == c {
				v--
			}
			row.Grad[c] = v / float32(b.Len)
			sum += v * v / 2
		}
	}
	return sum / float32(b.Len)
}

// script is a metric with given values, pass by pass.
type script struct {
	values []float64
	passes int
}

func (*script) Names() []string     { return []string{"score"} }
func (s *script) Reset()            { s.passes++ }
func (*script) Update(*part.Batch)  {}
func (s *script) Values() []float64 { return []float64{s.values[(s.passes-1)%len(s.values)]} }

// keeper remembers what was saved and removed, in order.
type keeper struct {
	log  []string
	kept map[string]*checkpoint.Snapshot
}

func (k *keeper) Save(name string, s *checkpoint.Snapshot) error {
	k.log, k.kept[name] = append(k.log, fmt.Sprintf("%d:%s", s.Step, name)), s
	return nil
}

func (k *keeper) Remove(name string) error {
	if _, ok := k.kept[name]; !ok {
		return fmt.Errorf("there is no %s", name)
	}
	k.log = append(k.log, "-"+name)
	delete(k.kept, name)
	return nil
}

// bench is a job with what the tests look at.
type bench struct {
	*stage.Job
	keeper *keeper
	events []event.Event
	result *stage.Result
}

func newBench(t *testing.T, form nn.Form, epochs int, scores ...float64) *bench {
	feed := &feed.Feed{
		Samples: samples{},
		Spec:    part.Spec{Inputs: []part.InputSpec{{Shape: tensor.Shape{H: 4, W: 4, C: 1}}}, Targets: []part.TargetSpec{{Classes: 2}}, Len: images},
	}
	b := &bench{keeper: &keeper{kept: map[string]*checkpoint.Snapshot{}}}
	b.Job = &stage.Job{
		Name: "s", Seed: 3, Model: net(t, form), Mode: nn.ReverseFold, Train: feed, ValBatch: 5,
		Trainer: &stage.TrainerJob{Epochs: epochs, BatchSize: batch, DropLast: true, Optimizer: descent{}, Losses: part.OneLoss(distance{})},
		Keeper:  b.keeper, Events: func(e event.Event) { b.events = append(b.events, e) },
		Clock: func() time.Time { return time.Unix(0, 0) }, Kernels: ref.Set(), Workers: engine.NewWorkers(1),
	}
	if scores != nil {
		b.Val, b.Metrics = feed, []part.Metric{&script{values: scores}}
	}
	return b
}

// add appends a callback; bound as the interpreter would without when and modules.
func (b *bench) add(t *testing.T) func(c part.Callback, err error) {
	return func(c part.Callback, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		b.Callbacks = append(b.Callbacks, stage.BoundCallback{
			Type: fmt.Sprintf("%T", c), Address: fmt.Sprintf("callback[%d]", len(b.Callbacks)), Callback: c, Modules: nodes,
		})
	}
}

func (b *bench) run(t *testing.T) {
	t.Helper()
	var err error
	if b.result, err = b.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// resume makes the bench continue from a snapshot of another one.
func (b *bench) resume(s *checkpoint.Snapshot) {
	b.Resume, b.Best, b.Interrupted = s, s, true
	b.Trainer.ResumeOptimizer, b.Trainer.ResumeEpochOrStep = true, true
}

// at is a callback that acts on the state after a given step.
type at struct {
	step int
	act  func(s *part.State) error
}

func (a at) StepEnd(s *part.State) error {
	if s.Step != a.step {
		return nil
	}
	return a.act(s)
}

func TestCheckpointSaves(t *testing.T) {
	scores := []float64{0.1, 0.3, 0.2, 0.3, 0.5, 0.4}
	for _, c := range []struct {
		name string
		args CheckpointArgs
		want string // of six epochs of three steps
	}{
		{"max", CheckpointArgs{Monitor: "score", Mode: "max"}, "3:best 3:last 6:best 6:last 9:last 12:last 15:best 15:last 18:last 18:last"},
		{"min", CheckpointArgs{Monitor: "score", Mode: "min"}, "3:best 3:last 6:last 9:last 12:last 15:last 18:last 18:last"},
		{"no best", CheckpointArgs{}, "3:last 6:last 9:last 12:last 15:last 18:last 18:last"},
		{
			"every two epochs",
			CheckpointArgs{Interval: 2},
			"3:last 6:epoch-0002 6:last 9:last 12:epoch-0004 12:last 15:last 18:epoch-0006 18:last 18:last",
		},
		{
			"only the newest two",
			CheckpointArgs{Interval: 1, Keep: 2},
			"3:epoch-0001 3:last 6:epoch-0002 6:last 9:epoch-0003 -epoch-0001 9:last 12:epoch-0004 -epoch-0002 12:last " +
				"15:epoch-0005 -epoch-0003 15:last 18:epoch-0006 -epoch-0004 18:last 18:last",
		},
		{
			"every eight steps",
			CheckpointArgs{IntervalSteps: 8, Keep: 1},
			"3:last 6:last 8:step-00000008 8:last 9:last 12:last 15:last 16:step-00000016 -step-00000008 16:last 18:last 18:last",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, nn.Float, 6, scores...)
			b.add(t)(NewCheckpoint(c.args))
			b.run(t)
			if got := strings.Join(b.keeper.log, " "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// The best one is judged by the metric that the checkpoint's own weights have,
// also where validation comes in the middle of epochs, and wherever the
// callbacks stand in the file.
func TestCheckpointFollowsValidation(t *testing.T) {
	for _, first := range []bool{true, false} {
		b := newBench(t, nn.Float, 3, 0.2, 0.5, 0.3) // validated after steps 4, 8 and, being the last, 9
		if first {
			b.add(t)(NewValidation(ValidationArgs{IntervalSteps: 4}))
		}
		b.add(t)(NewCheckpoint(CheckpointArgs{Monitor: "score", Mode: "max"}))
		if !first {
			b.add(t)(NewValidation(ValidationArgs{IntervalSteps: 4}))
		}
		b.run(t)
		want := "3:last 4:best 6:last 8:best 9:last 9:last"
		if got := strings.Join(b.keeper.log, " "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if v := b.keeper.kept["best"].Metrics["score"]; v != 0.5 {
			t.Errorf("the best has the score %v", v)
		}
	}
}

func TestCheckpointMonitorsTheLoss(t *testing.T) {
	for _, mode := range []string{"min", "auto"} {
		b := newBench(t, nn.Float, 4)
		b.add(t)(NewCheckpoint(CheckpointArgs{Monitor: "loss", Mode: mode}))
		b.run(t)
		least := math.Inf(1)
		for _, e := range b.events {
			if d, ok := e.Data.(event.Epoch); ok && d.Loss != nil {
				least = min(least, float64(*d.Loss))
			}
		}
		if best := b.keeper.kept["best"]; best == nil || best.Metrics["loss"] != least {
			t.Errorf("%s: the least loss is %v, the best checkpoint's %+v", mode, least, best)
		}
	}
}

// falling is a metric that is the better the smaller it is.
type falling struct{ *script }

func (falling) SmallerIsBetter() {}

// Without a mode the best is what the metric says: the largest, or the smallest.
func TestCheckpointFollowsTheMetric(t *testing.T) {
	for _, falls := range []bool{false, true} {
		b := newBench(t, nn.Float, 3, 0.5, 0.2, 0.7)
		want := 0.7
		if falls {
			b.Metrics[0], want = falling{b.Metrics[0].(*script)}, 0.2
		}
		b.add(t)(NewCheckpoint(CheckpointArgs{Monitor: "score", Mode: "auto"}))
		b.run(t)
		if got := b.keeper.kept["best"].Metrics["score"]; got != want {
			t.Errorf("falls %v: the best has %v, want %v", falls, got, want)
		}
	}
}

// A stage without a step to do keeps a best all the same, by the loss too.
func TestCheckpointWithNothingLeft(t *testing.T) {
	a := newBench(t, nn.Float, 1)
	a.run(t)
	b := newBench(t, nn.Float, 1)
	b.add(t)(NewCheckpoint(CheckpointArgs{Monitor: "loss", Mode: "auto"}))
	b.resume(a.keeper.kept["last"])
	b.Interrupted = false
	b.run(t)
	if got, want := strings.Join(b.keeper.log, " "), "3:last 3:best 3:last"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCheckpointWithoutValidationHasNoBest(t *testing.T) {
	b := newBench(t, nn.Float, 1)
	b.add(t)(NewCheckpoint(CheckpointDefaults()))
	b.run(t)
	if b.keeper.kept["best"] != nil || b.keeper.kept["last"] == nil {
		t.Error(b.keeper.log)
	}
}

func TestCheckpointOfAnUnknownMetric(t *testing.T) {
	b := newBench(t, nn.Float, 2, 0.5)
	b.add(t)(NewCheckpoint(CheckpointArgs{Monitor: "scores", Mode: "max"}))
	_, err := b.Run(context.Background())
	var f *stage.Failure
	if !errors.As(err, &f) || f.Attr != "monitor" || f.Address != "callback[0]" || !strings.Contains(err.Error(), "there are: loss, score") || f.Step != steps {
		t.Errorf("%+v", err)
	}
}

// A resumed run remembers the best value that there was.
func TestCheckpointRemembersTheBest(t *testing.T) {
	a := newBench(t, nn.Float, 1, 0.7)
	a.add(t)(NewCheckpoint(CheckpointArgs{Monitor: "score", Mode: "max"}))
	a.run(t)
	b := newBench(t, nn.Float, 3, 0.6, 0.8)
	b.add(t)(NewCheckpoint(CheckpointArgs{Monitor: "score", Mode: "max"}))
	b.resume(a.keeper.kept["last"])
	b.run(t)
	if got, want := strings.Join(b.keeper.log, " "), "6:last 9:best 9:last 9:last"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestValidationTimes(t *testing.T) {
	for _, c := range []struct {
		args ValidationArgs
		want []int
	}{
		{ValidationArgs{Interval: 1}, []int{3, 6, 9, 12, 15}},
		{ValidationArgs{Interval: 2}, []int{6, 12, 15}},
		{ValidationArgs{Interval: 2, IntervalSteps: 4}, []int{4, 6, 8, 12, 15}},
		{ValidationArgs{IntervalSteps: 100}, []int{15}},
	} {
		b := newBench(t, nn.Float, 5, 0.5)
		b.add(t)(NewValidation(c.args))
		b.run(t)
		var got []int
		for _, e := range b.events {
			if _, ok := e.Data.(event.Validation); ok {
				got = append(got, e.Step)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: validated after steps %v, want %v", c.args, got, c.want)
		}
	}
}

// values are the graph's float tensors but the weights' scales, which follow from the weights.
func values(g *nn.Graph) map[string][]float32 {
	m := map[string][]float32{}
	for _, t := range g.Tensors() {
		if v, ok := t.Data.([]float32); ok && !strings.HasSuffix(t.Name, "weight_quant.scale") {
			m[t.Name] = v
		}
	}
	return m
}

// follow recomputes the average from the weights of every step.
type follow struct {
	decay  func(t int) float64
	shadow map[string][]float32
	steps  int
}

func (f *follow) Start(s *part.State) error { f.shadow = values(s.Model); return nil }
func (f *follow) StepEnd(s *part.State) error {
	rate := float32(1 - f.decay(f.steps))
	f.steps++
	for name, x := range values(s.Model) {
		for i, y := range f.shadow[name] {
			if math.IsInf(float64(y), 0) {
				f.shadow[name][i] = x[i]
			} else {
				f.shadow[name][i] = y + float32(rate*(x[i]-y))
			}
		}
	}
	return nil
}

func TestEMAIsTheFormula(t *testing.T) {
	for _, form := range []nn.Form{nn.Float, nn.QAT} {
		for _, a := range []EMAArgs{{Decay: 0.9}, {Decay: 0.9, WarmupSteps: 5}, {Decay: 0}} {
			b := newBench(t, form, 4, 0.5)
			f := &follow{decay: func(t int) float64 {
				if a.WarmupSteps == 0 {
					return a.Decay
				}
				return a.Decay * (1 - math.Exp(-float64(t)/float64(a.WarmupSteps)))
			}}
			b.add(t)(f, nil)
			b.add(t)(NewEMA(a))
			b.run(t)
			got := values(b.Callbacks[1].Callback.(part.Shadower).Shadow())
			if len(got) != len(f.shadow) {
				t.Fatalf("%d tensors, want %d", len(got), len(f.shadow))
			}
			for name, want := range f.shadow {
				if !slices.Equal(got[name], want) {
					t.Errorf("%s, %+v: %s is %v, want %v", form, a, name, got[name], want)
				}
			}
		}
	}
}

// The average goes through an absorption, and a resumed run ends in the same bytes.
func TestEMAFollowsAbsorptionAndResumes(t *testing.T) {
	make := func() *bench {
		b := newBench(t, nn.QAT, 4, 0.5)
		b.add(t)(NewEMA(EMAArgs{Decay: 0.8, WarmupSteps: 3}))
		b.add(t)(at{7, func(s *part.State) error { return s.AbsorbBN([]string{"a.conv"}, false) }}, nil)
		b.add(t)(at{5, func(s *part.State) error { return s.Save("before") }}, nil)
		b.add(t)(at{8, func(s *part.State) error { return s.Save("after") }}, nil)
		return b
	}
	whole := make()
	whole.run(t)
	want := whole.keeper.kept["last"]
	if len(want.Shadow) == 0 || slices.ContainsFunc(want.Shadow, func(t nn.Tensor) bool { return strings.HasPrefix(t.Name, "a.bn") }) {
		t.Fatal("the average still has the absorbed BN, or there is none")
	}
	for _, from := range []string{"before", "after"} {
		rest := make()
		rest.resume(whole.keeper.kept[from])
		rest.run(t)
		got := rest.keeper.kept["last"]
		if len(got.Shadow) != len(want.Shadow) {
			t.Fatalf("from %s: %d tensors, want %d", from, len(got.Shadow), len(want.Shadow))
		}
		for i, w := range want.Shadow {
			if g := got.Shadow[i]; g.Name != w.Name || !slices.Equal(g.Data.([]float32), w.Data.([]float32)) {
				t.Errorf("from %s: %s is %v, want %v", from, w.Name, g.Data, w.Data)
			}
		}
		if !maps.Equal(got.Callbacks[0].State, want.Callbacks[0].State) {
			t.Errorf("from %s: state %v, want %v", from, got.Callbacks[0], want.Callbacks[0])
		}
	}
}

func TestFuseBN(t *testing.T) {
	for _, scale := range []string{"keep", "recompute"} {
		b := newBench(t, nn.QAT, 1)
		c, err := NewFuseBN(FuseBNArgs{WeightScale: scale})
		if err != nil {
			t.Fatal(err)
		}
		b.add(t)(at{2, func(s *part.State) error { return c.(part.Firer).Fire(s, []string{"b.conv"}) }}, nil)
		b.run(t)
		s := b.keeper.kept["last"]
		if len(s.Absorbed) != 1 || s.Absorbed[0].Module != "b.conv" || s.Absorbed[0].WeightScale != scale || s.Absorbed[0].Step != 2 {
			t.Errorf("%s: %+v", scale, s.Absorbed)
		}
		for _, m := range b.Model.Modules() {
			if (m.Name == "a.conv") != (m.BN != "") {
				t.Errorf("%s: %s has the BN %q", scale, m.Name, m.BN)
			}
		}
		if (FuseBNArgs{WeightScale: scale}).KeepsScale() != (scale == "keep") {
			t.Error("KeepsScale")
		}
	}
}

// Without a `when`, BNs are frozen from the first step on: their statistics
// stay, their weights train.
func TestFreezeBNActsAtTheStart(t *testing.T) {
	b := newBench(t, nn.Float, 2)
	before := values(b.Model.Clone())
	b.add(t)(NewFreezeBN(FreezeBNArgs{}))
	b.run(t)
	for name, v := range values(b.Model) {
		if stays := strings.Contains(name, ".running_"); stays != slices.Equal(v, before[name]) {
			t.Errorf("%s: %v, was %v", name, v, before[name])
		}
	}
	if got := b.keeper.kept["last"].FrozenBN; !slices.Equal(got, nodes) {
		t.Error(got)
	}
}

func TestBadArguments(t *testing.T) {
	for i, c := range []struct {
		attr string
		err  error
	}{
		{"interval", CheckpointArgs{Interval: -1}.Validate()},
		{"interval_steps", CheckpointArgs{IntervalSteps: -1}.Validate()},
		{"keep", CheckpointArgs{Interval: 1, Keep: -1}.Validate()},
		{"keep", CheckpointArgs{Keep: 3}.Validate()},
		{"interval", ValidationArgs{Interval: -1}.Validate()},
		{"interval_steps", ValidationArgs{IntervalSteps: -1}.Validate()},
		{"decay", EMAArgs{Decay: 1}.Validate()},
		{"decay", EMAArgs{Decay: math.NaN()}.Validate()},
		{"warmup_steps", EMAArgs{WarmupSteps: -1}.Validate()},
	} {
		var arg *part.ArgError
		if !errors.As(c.err, &arg) || arg.Attr != c.attr {
			t.Errorf("%d: %s: %v", i, c.attr, c.err)
		}
	}
}
