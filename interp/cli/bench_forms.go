package cli

import (
	"fmt"
	"slices"

	"qpipe/interp/console"
	"qpipe/interp/part"
	"qpipe/interp/stage"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// The forms that are measured besides the qat modes.
const (
	benchFloat = "float"
	benchInt8  = "int8"
)

// forms lists what can be measured of a subject.
func (s *subject) forms() []string {
	if s.build == nil {
		return []string{benchInt8}
	}
	forms := []string{benchFloat}
	for _, m := range s.modes {
		forms = append(forms, string(m))
	}
	return append(forms, benchInt8)
}

// graph makes the subject's network in a form: "float", a qat mode or "int8".
func (s *subject) graph(form string, set *kernel.Set, pool *nn.Pool) (*nn.Graph, error) {
	if form == benchInt8 {
		return s.quantized(set, pool)
	}
	if s.build == nil {
		return nil, usagef("%s is an int8 model, or one half-way to it: -what int8 is all that can be measured of it", s.name)
	}
	if form == string(nn.FuseBN) { // nothing normalizes afterwards, so what is folded must fit
		g, err := s.settled(set, pool)
		if err != nil {
			return nil, err
		}
		return g, s.prepare(g, nn.QAT, nn.FuseBN)
	}
	g, err := s.build(false)
	if err != nil || form == benchFloat {
		return g, err
	}
	return g, s.prepare(g, nn.QAT, nn.Mode(form))
}

func (s *subject) prepare(g *nn.Graph, f nn.Form, m nn.Mode) error {
	for _, e := range g.SetQConfig(s.qconfig) {
		return e
	}
	return g.Prepare(f, m)
}

// settleBatch is how many images give BatchNorms and quant nodes their numbers.
const settleBatch = 8

// settled makes the float network with BNs that have seen images.
func (s *subject) settled(set *kernel.Set, pool *nn.Pool) (*nn.Graph, error) {
	g, err := s.build(true)
	if err != nil {
		return nil, err
	}
	return g, see(g, nn.Train, set, pool)
}

// fits refuses a batch that the machine cannot hold.
func (s *subject) fits(g *nn.Graph, batch int, ph nn.Phase, set *kernel.Set, pool *nn.Pool) error {
	memory := func(batch int) int64 {
		model := g.Bytes()
		if ph == nn.Train {
			model *= 2 // with the optimizer's state
		}
		images := 4 * int64(batch) * int64(g.Input().WithN(1).Len())
		return model + images + nn.Need(g, batch, nn.Use{Phase: ph, Set: set, Workers: pool.Size()})
	}
	need := memory(batch)
	if s.memory <= 0 || need <= s.memory {
		return nil
	}
	way := "not even one image at a time fits"
	if fits := stage.LargestBatch(batch, s.memory, memory); fits > 0 {
		way = fmt.Sprintf("the largest -batch that fits is %d", fits)
	}
	return fmt.Errorf("a batch of %d needs about %s of memory, and this machine has %s: %s", batch, console.Size(need), console.Size(s.memory), way)
}

// see shows the network a batch of images.
func see(g *nn.Graph, p nn.Phase, set *kernel.Set, pool *nn.Pool) error {
	e, err := nn.Compile(g, settleBatch, p == nn.Train, set, pool)
	if err == nil {
		e.Forward(randomImages(g.Input(), settleBatch), settleBatch, p)
	}
	return err
}

// quantized makes the int8 model as a pipeline would: a float network whose BNs
// have seen images, ranges from a calibration, conversion.
func (s *subject) quantized(set *kernel.Set, pool *nn.Pool) (*nn.Graph, error) {
	if s.int8 != nil {
		return s.int8, nil
	}
	g, err := s.settled(set, pool)
	if err != nil {
		return nil, err
	}
	if err := s.prepare(g, nn.Calibration, nn.FuseBN); err != nil {
		return nil, err
	}
	if err := see(g, nn.Calibrate, set, pool); err != nil {
		return nil, err
	}
	if err := g.Prepare(nn.QAT, nn.FuseBN); err != nil {
		return nil, err
	}
	return g.Convert()
}

// randomImages are n images of about normally distributed values: the same ones
// for the same shape.
func randomImages(in tensor.Shape, n int) []float32 {
	r := part.NewRand(7, uint64(in.H), uint64(in.C))
	x := make([]float32, n*in.WithN(1).Len())
	for i := range x {
		v := r.Uint64() // four numbers of 16 bits: their sum has the variance 4/12
		sum := float64(v&0xffff + v>>16&0xffff + v>>32&0xffff + v>>48)
		x[i] = float32((sum/65536 - 2) * 1.7320508)
	}
	return x
}

// randomLabels are n labels.
func randomLabels(classes, n int) []int32 {
	r := part.NewRand(11, uint64(classes))
	labels := make([]int32, n)
	for i := range labels {
		labels[i] = int32(r.Intn(classes))
	}
	return labels
}

// work is something to measure, ready to be done again and again.
type work struct {
	items   int     // images of one run
	flop    float64 // operations of one run, two a multiply-accumulate
	integer bool    // they are integer operations
	run     func() error
	net     *nn.Net // nil where there are no layers
}

// inference is the forward pass of a batch.
func (s *subject) inference(g *nn.Graph, batch int, set *kernel.Set, pool *nn.Pool) (*work, error) {
	if err := s.fits(g, batch, nn.Eval, set, pool); err != nil {
		return nil, err
	}
	e, err := nn.Compile(g, batch, false, set, pool)
	if err != nil {
		return nil, err
	}
	x := randomImages(g.Input(), batch)
	return &work{
		items: batch, flop: 2 * float64(g.MACs()) * float64(batch), integer: g.Form() == nn.Quantized, net: e,
		run: func() error { e.Forward(x, batch, nn.Eval); return nil },
	}, nil
}

// benchRate is the learning rate of measured steps: so small that random labels do
// no harm. It changes nothing of the work.
const benchRate = 1e-5

// training is a step as a stage's trainer does it: forward, loss, backward, a look
// at what is not finite, and the optimizer's update of every parameter.
func (s *subject) training(g *nn.Graph, batch int, set *kernel.Set, pool *nn.Pool) (*work, error) {
	if err := s.fits(g, batch, nn.Train, set, pool); err != nil {
		return nil, err
	}
	e, err := nn.Compile(g, batch, true, set, pool)
	if err != nil {
		return nil, err
	}
	classes := g.Output().WithN(1).Len()
	t := &trainStep{
		net: e, subject: s, set: set, classes: classes, batch: batch,
		x: randomImages(g.Input(), batch), labels: randomLabels(classes, batch), dy: make([]float32, batch*classes),
	}
	for _, p := range g.Params() {
		u := part.Update{Name: p.Name, W: p.Data, G: p.Grad, Set: set, LR: benchRate}
		for range s.optimizer.Slots() {
			u.Slots = append(u.Slots, make([]float32, len(p.Data)))
		}
		t.updates = append(t.updates, u)
	}
	return &work{items: batch, flop: 6 * float64(g.MACs()) * float64(batch), net: e, run: t.run}, nil
}

// trainStep is what a training step needs.
type trainStep struct {
	net            *nn.Net
	subject        *subject
	set            *kernel.Set
	updates        []part.Update
	x, dy          []float32
	labels         []int32
	classes, batch int
}

func (t *trainStep) run() error {
	y := t.net.Forward(t.x, t.batch, nn.Train)
	loss := t.subject.loss.Loss(y[:len(t.dy)], t.labels, t.classes, t.dy)
	if loss-loss != 0 {
		return fmt.Errorf("the loss of %s is %v on random data", t.subject.name, loss)
	}
	t.net.Backward(t.dy)
	if node, what, bad := t.net.NotFinite(); bad {
		return fmt.Errorf("%s of %s is not finite on random data", what, node)
	}
	for i := range t.updates {
		t.updates[i].Step++
		t.subject.optimizer.Update(&t.updates[i])
	}
	return nil
}

// trains reports whether a form is measured in training, infers whether it is in inference.
func trains(form string) bool { return form != benchInt8 }
func infers(form string) bool { return form == benchFloat || form == benchInt8 }

// wanted are the forms that were asked for, in the order in which they come.
func (s *subject) wanted(what []string) ([]string, error) {
	have := s.forms()
	if len(what) == 0 {
		return have, nil
	}
	for _, w := range what {
		if !slices.Contains(have, w) {
			return nil, usagef("-what: %q cannot be measured of %s%s; there are %v", w, s.name, didYouMean(w, have, ""), have)
		}
	}
	return what, nil
}
