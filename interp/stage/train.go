package stage

import (
	"fmt"
	"math"

	"qpipe/interp/feed"
	"qpipe/interp/part"
	"qpipe/lang/program"
	"qpipe/ops/engine"
	"qpipe/ops/tensor"
)

// trainer runs the steps of `trainer {}`. A step allocates no memory.
type trainer struct {
	run     *run
	net     engine.Compiled
	loader  *feed.Loader
	answers *answers
	state   *slots
	base    float64 // the base learning rate: the optimizer's, or that of the checkpoint

	faults     []error             // for each parameter, the error of its last update
	values     []float32           // of the losses in the present step
	lr         float32             // learning rate of the present step
	unsound    []bool              // for each parameter, whether its last update made it not finite
	updateTask func(i, worker int) // updateOne, made once because a method value allocates
}

func newTrainer(r *run) (*trainer, error) {
	t := &trainer{run: r, answers: newAnswers(r.Model, r.batch), base: r.Trainer.Optimizer.LR()}
	t.updateTask, t.values = t.updateOne, make([]float32, r.Trainer.Losses.Len())
	t.state = newSlots(r.Trainer.Optimizer.Slots())
	if r.Resume != nil && !r.full() {
		t.base = r.Resume.LR
	}
	if r.Resume == nil || !r.full() {
		r.state.LR = t.base
	}
	if err := t.rebuild(); err != nil {
		return nil, err
	}
	r.trainLabels = newCounted(r.Train, r.state.Step%r.state.Length.StepsPerEpoch != 0)
	var err error
	t.loader, err = r.Train.Load(feed.Order{
		Seed: uint64(r.seed), Shuffle: true,
		Batch: r.batch, PerEpoch: r.state.Length.StepsPerEpoch,
		From: r.state.Step, To: r.state.Length.Steps,
	}, r.readers())
	return t, err
}

// rebuild compiles the net again and adapts the slots to its parameters.
func (t *trainer) rebuild() (err error) {
	r := t.run
	t.net, err = r.engine().Compile(r.Model, r.batch, true)
	if err == nil {
		t.state.follow(r.Model.Params(), r.Kernels)
	}
	return err
}

func (t *trainer) slots() *slots { return t.state }

func (t *trainer) release() { t.net = nil }

func (t *trainer) close() {
	if t.loader != nil {
		t.loader.Close()
	}
}

// step is one optimizer step.
func (t *trainer) step() error {
	r := t.run
	r.meter.begin(r.now())
	lr, err := t.rate()
	if err != nil {
		return err
	}
	b, err := t.loader.Next()
	if err != nil {
		return err
	}
	r.trainLabels.add(b)
	n := len(b.Index)
	loss, err := t.differentiate(b, n)
	if err != nil {
		return err
	}
	if err := t.update(lr); err != nil {
		return err
	}
	r.state.LR, r.state.Loss = lr, float64(loss)
	r.pos.LossSum += float64(loss) * float64(n)
	t.sumUp(n)
	r.pos.Images += n
	r.meter.end(r.now(), n)
	r.progress("train", n, float64(loss))
	return nil
}

// sumUp adds the losses of a step of n samples up, where there are several.
func (t *trainer) sumUp(n int) {
	if len(t.values) == 1 {
		return
	}
	pos := &t.run.pos
	if len(pos.LossSums) != len(t.values) {
		pos.LossSums = make([]float64, len(t.values))
	}
	for i, v := range t.values {
		pos.LossSums[i] += float64(v) * float64(n)
	}
}

// differentiate computes the batch's loss and every parameter's gradient.
func (t *trainer) differentiate(b *feed.Batch, n int) (float32, error) {
	t.net.SetKey(t.draw())
	y := t.net.ForwardAll(b.Inputs(), n, engine.Train)
	loss, err := t.loss(t.answers.to(b, y))
	switch {
	case err != nil:
		return 0, err
	case finite64(float64(loss)):
	case noneCounts(b):
		return 0, &Failure{Err: &part.Fault{Call: t.run.Calls.loss(0), Err: fmt.Errorf("the loss is %v for a batch in which every label is ignored: it must be 0", loss)}}
	default:
		return 0, t.culprit(loss)
	}
	t.net.BackwardAll(t.answers.grads)
	if node, what, bad := t.net.NotFinite(); bad {
		return 0, &Failure{Module: node, Err: fmt.Errorf("%s is not finite: a smaller learning rate usually helps", what)}
	}
	return loss, nil
}

// drawn begins the keys of what steps draw: "dropout".
const drawn = 0x64726f706f7574

// draw is the key of what the present step draws at random.
func (t *trainer) draw() uint64 {
	var r part.Rand
	r.Seed(drawn, uint64(t.run.seed), uint64(t.run.state.Step))
	return r.Uint64()
}

// loss computes the sum of the losses and the gradients of the outputs.
func (t *trainer) loss(b *part.Batch) (total float32, err error) {
	all := t.run.Trainer.Losses
	for i := range all.Len() {
		v, err := one(all, i, b)
		if err != nil {
			return 0, &Failure{Err: &part.Fault{Call: t.run.Calls.loss(i), Err: err}}
		}
		if t.values[i] = v; i == 0 {
			total = v
		} else {
			total += v
		}
	}
	all.End(b)
	return total, nil
}

// one computes loss i.
func one(all *part.Losses, i int, b *part.Batch) (v float32, err error) {
	defer part.Guard(&err, "Loss")
	return all.One(i, b), nil
}

// culprit returns the error for a loss that is not finite. It names the node that
// produced the first bad value, if it can be found.
func (t *trainer) culprit(loss float32) error {
	f := &Failure{}
	if node, what, bad := t.net.NotFinite(); bad {
		f.Module, f.Err = node, fmt.Errorf("the loss is %v, since %s is not finite: a smaller learning rate usually helps", loss, what)
		return f
	}
	f.Err = fmt.Errorf("the loss is %v: a smaller learning rate usually helps", loss)
	for _, m := range t.run.Model.Modules() {
		if y, _, _, ok := t.net.Output(m.Name); ok && !tensor.Finite(y) {
			f.Module, f.Err = m.Name, fmt.Errorf("the loss is %v, since the node's output is not finite: a smaller learning rate usually helps", loss)
			return f
		}
	}
	return f
}

// update lets the optimizer change every parameter. The workers share the parameters among them.
func (t *trainer) update(lr float64) error {
	t.lr = float32(lr)
	if len(t.unsound) != len(t.state.updates) {
		t.unsound, t.faults = make([]bool, len(t.state.updates)), make([]error, len(t.state.updates))
	}
	t.run.Workers.Run(len(t.state.updates), t.updateTask)
	for i, bad := range t.unsound {
		if err := t.faults[i]; err != nil {
			return &Failure{Err: &part.Fault{Call: t.run.Calls.Optimizer, Err: err}}
		}
		if name := t.state.updates[i].Name; bad {
			return &Failure{
				Module: nodeOf(t.run.Model, name),
				Err:    fmt.Errorf("%s is not finite after its update: a smaller learning rate usually helps", name),
			}
		}
	}
	return nil
}

// updateOne updates parameter i and checks the result.
func (t *trainer) updateOne(i, _ int) {
	defer part.Guard(&t.faults[i], "Update")
	u := &t.state.updates[i]
	u.LR, u.Step = t.lr, t.run.state.Step
	t.run.Trainer.Optimizer.Update(u)
	t.unsound[i] = !t.run.Kernels.Finite(u.W)
}

// rate returns the learning rate of the next step.
func (t *trainer) rate() (float64, error) { return t.rateAt(t.run.state.Step) }

// rateAt returns the learning rate of a step, and an error if it is no usable number.
func (t *trainer) rateAt(step int) (float64, error) {
	lr, err := t.scheduled(step)
	if err != nil {
		return 0, &Failure{Err: &part.Fault{Call: t.run.Calls.LRUpdater, Err: err}}
	}
	if !finite64(lr) || lr > math.MaxFloat32 || lr < 0 {
		call := t.run.Calls.LRUpdater
		if t.run.Trainer.LRUpdater == nil {
			call = t.run.Calls.Optimizer
		}
		return 0, &Failure{Err: &part.Fault{Call: call, Err: fmt.Errorf("the learning rate of step %d is %v", step, lr)}}
	}
	return lr, nil
}

// scheduled returns the learning rate of a step as the lr_updater computes it.
func (t *trainer) scheduled(step int) (lr float64, err error) {
	defer part.Guard(&err, "LR")
	return RateAt(t.base, t.run.Trainer.LRUpdater, step, t.run.state.Length), nil
}

// RateAt returns the learning rate of a step in a training of length l. u may be nil: then the rate is base.
func RateAt(base float64, u part.LRUpdater, step int, l program.Length) float64 {
	if u == nil {
		return base
	}
	return u.LR(base, part.Progress{
		Epoch: step / l.StepsPerEpoch, Step: step, StepsPerEpoch: l.StepsPerEpoch,
		Epochs: l.Epochs, Steps: l.Steps,
	})
}

// closeEpoch sets the metric "loss" to the mean loss of the epoch's images, and clears the sums.
func (r *run) closeEpoch() error {
	if r.pos.Images > 0 {
		r.state.Metrics["loss"] = r.pos.LossSum / float64(r.pos.Images)
		if r.pos.LossSums != nil {
			for i, name := range r.Trainer.Losses.Names() {
				r.state.Metrics[name] = r.pos.LossSums[i] / float64(r.pos.Images)
			}
		}
	}
	r.pos.LossSum, r.pos.LossSums, r.pos.Images = 0, nil, 0
	if r.trainLabels != nil {
		r.trainLabels.close(r, fmt.Sprintf("epoch %d of the training", r.state.Epoch))
	}
	return nil
}
