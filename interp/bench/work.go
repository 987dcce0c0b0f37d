package bench

import (
	"fmt"

	"qpipe/interp/part"
	"qpipe/ops/engine"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
)

// Work is something to measure, ready to be run repeatedly.
type Work struct {
	items   int          // images per run
	flop    float64      // operations per run, two for a multiply-accumulate
	integer bool         // they are integer operations
	clock   func() int64 // monotonic, in nanoseconds
	run     func() error
	net     *engine.Net // nil if there are no layers
}

// inference is the forward pass of a batch.
func (s *Subject) inference(g *nn.Graph, batch int, pool *engine.Workers) (*Work, error) {
	if err := s.fits(g, batch, engine.Eval, pool); err != nil {
		return nil, err
	}
	e, err := engine.Compile(g, batch, false, s.lab.Kernels, pool)
	if err != nil {
		return nil, err
	}
	x := randomInputs(g, batch)
	return &Work{
		items: batch, flop: 2 * float64(g.MACs()) * float64(batch), integer: g.Form() == nn.Quantized, net: e,
		clock: s.lab.nanoseconds(), run: func() error { e.ForwardAll(x, batch, engine.Eval); return nil },
	}, nil
}

// rate is the learning rate of measured steps. It is so small that random labels do no harm, and it does not change the
// amount of work.
const rate = 1e-5

// training is a step as in a stage's trainer: forward, loss, backward, the check for values that are not finite, and
// the optimizer's update of every parameter.
func (s *Subject) training(g *nn.Graph, batch int, pool *engine.Workers) (*Work, error) {
	if err := s.fits(g, batch, engine.Train, pool); err != nil {
		return nil, err
	}
	set := s.lab.Kernels
	e, err := engine.Compile(g, batch, true, set, pool)
	if err != nil {
		return nil, err
	}
	t := &trainStep{net: e, subject: s, set: set, x: randomInputs(g, batch)}
	if t.loss, t.answers, err = s.answers(g, batch); err != nil {
		return nil, err
	}
	for _, out := range t.answers.Outputs {
		t.grads = append(t.grads, out.Grad)
	}
	for _, p := range g.Params() {
		u := part.Update{Name: p.Name, W: p.Data, G: p.Grad, Set: set, LR: rate}
		for range s.optimizer.Slots() {
			u.Slots = append(u.Slots, make([]float32, len(p.Data)))
		}
		t.updates = append(t.updates, u)
	}
	return &Work{items: batch, flop: 6 * float64(g.MACs()) * float64(batch), net: e, clock: s.lab.nanoseconds(), run: t.run}, nil
}

// trainStep is what a training step needs.
type trainStep struct {
	net      *engine.Net
	subject  *Subject
	set      *kernel.Set
	updates  []part.Update
	x, grads [][]float32 // by input, by output
	answers  *part.Batch
	loss     part.Loss
}

func (t *trainStep) run() error {
	for k, y := range t.net.ForwardAll(t.x, t.answers.Len, engine.Train) {
		t.answers.Outputs[k].Values = y[:len(t.grads[k])]
	}
	loss := t.loss.Loss(t.answers)
	if loss-loss != 0 {
		return fmt.Errorf("the loss of %s is %v on random data", t.subject.name, loss)
	}
	t.net.BackwardAll(t.grads)
	if node, what, bad := t.net.NotFinite(); bad {
		return fmt.Errorf("%s of %s is not finite on random data", what, node)
	}
	for i := range t.updates {
		t.updates[i].Step++
		t.subject.optimizer.Update(&t.updates[i])
	}
	return nil
}
