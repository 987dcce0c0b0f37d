package stage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"qpipe/interp/checkpoint"
	"qpipe/interp/event"
	"qpipe/interp/feed"
	"qpipe/interp/number"
	"qpipe/interp/part"
	"qpipe/lang/program"
)

// worker does a stage's steps: a *trainer or a *calibrator.
type worker interface {
	// step reads one batch and trains or calibrates on it.
	step() error
	// slots returns the optimizer's state tensors, nil if there is no optimizer.
	slots() *slots
	// release drops the net, so that its memory can be collected.
	release()
	// rebuild compiles the net again after the model's structure has changed.
	rebuild() error
	// close stops the goroutines that read ahead.
	close()
}

// run is a job that is running.
type run struct {
	*Job
	ctx      context.Context
	state    *part.State // what callbacks see
	seed     int64       // the job's, or that of the checkpoint that is continued
	worker   worker      // nil: the job only validates
	hooks    []hook
	pos      checkpoint.Position     // how far this moment and this epoch have come
	absorbed []checkpoint.Absorption // the receipts so far
	frozen   []string                // nodes whose BN is frozen, sorted
	best     map[string]float64      // metrics of the checkpoint "best", nil if there is none
	eval     evaluator
	kept     string // the last checkpoint that was written, "" if none
	meter    meter
	noted    int // the step of the last event.Step
	batch    int // images in a training or calibration step
	valBatch int // images in a validation step
	// The labels of the epoch and of a validation pass; nil if the job does not train or validate.
	trainLabels, valLabels *counted
	began                  time.Time
}

// Run runs the job. The error is ErrInterrupted after Stop was closed, a *Failure if the
// training itself failed, or an error that a part returned.
func (j *Job) Run(ctx context.Context) (*Result, error) {
	r := &run{Job: j, ctx: ctx, seed: j.Seed, pos: checkpoint.Position{Begins: true}}
	defer r.close()
	if err := r.start(); err != nil {
		return nil, r.ended(err)
	}
	if err := r.loop(); err != nil {
		return nil, r.ended(err)
	}
	r.warnOfChance()
	r.emit(event.End{Metrics: number.Of(r.state.Metrics), Seconds: number.Float(r.now().Sub(r.began).Seconds())})
	return &Result{Model: j.Model, Metrics: r.state.Metrics, BestMetrics: r.best, Steps: r.state.Step}, nil
}

// start prepares everything up to the first moment: it checks the job, restores the
// checkpoint, and makes nets, optimizer and loaders.
func (r *run) start() error {
	r.began = r.now()
	r.state = &part.State{
		Stage: r.Name, Mode: r.Mode, Model: r.Model, Kernels: r.Kernels,
		Metrics: map[string]float64{}, Loop: loop{r},
	}
	if err := r.check(); err != nil {
		return err
	}
	r.absorbed = r.inherited()
	if err := r.setLength(); err != nil {
		return err
	}
	r.hooks = r.listHooks()
	if err := r.recall(); err != nil {
		return err
	}
	if err := r.equip(); err != nil {
		return err
	}
	if err := r.starters(); err != nil {
		return err
	}
	if err := r.recallCompanions(); err != nil {
		return err
	}
	r.emitStart()
	return nil
}

// loop alternates between a moment (see [hook]) and a step.
func (r *run) loop() error {
	for {
		if err := r.moment(); err != nil {
			return err
		}
		if r.last() {
			return nil
		}
		if err := r.worker.step(); err != nil {
			return err
		}
		r.pos.Hooks, r.pos.Begins = 0, false
		clear(r.state.Metrics) // they were measured with the weights before this step
		r.state.Step++
		r.state.Epoch = r.epochAt(r.state.Step)
	}
}

// epochAt returns the number of epochs completed after so many steps. The last epoch may
// be shorter than the others.
func (r *run) epochAt(step int) int {
	l := r.state.Length
	if step >= l.Steps {
		return l.Epochs
	}
	return step / l.StepsPerEpoch
}

// check returns an error if the model, the data and the parts do not fit together.
func (r *run) check() error {
	for _, f := range []*feed.Feed{r.Train, r.Val} {
		if f == nil {
			continue
		}
		if f.Samples.Len() == 0 {
			return errors.New("the data set is empty")
		}
		if err := part.Takes(r.Model, f.Spec.Shapes()); err != nil {
			return fmt.Errorf("the model does not fit the data: %w", err)
		}
	}
	if err := r.checkFits(); err != nil {
		return err
	}
	if (r.Trainer != nil || r.Calibrator != nil) && r.Train == nil {
		return errors.New("the stage has no train_data")
	}
	if t := r.Trainer; t != nil && t.ResumeOptimizer && r.Resume == nil {
		return part.Bad("resume_optimizer", "there is no checkpoint to resume from: name one with LoadCheckpoint, or set resume_optimizer = false")
	}
	return nil
}

// checkFits returns an error if the loss or a metric cannot use the network's outputs and
// the data's targets.
func (r *run) checkFits() error {
	outputs := r.Model.Outputs()
	if t := r.Trainer; t != nil && r.Train != nil {
		if err := part.Fits(t.Losses, outputs, r.Train.Spec.Targets); err != nil {
			return fmt.Errorf("the loss does not fit: %w", err)
		}
	}
	for _, m := range r.Metrics {
		if r.Val == nil {
			return nil
		}
		if err := part.Fits(m, outputs, r.Val.Spec.Targets); err != nil {
			return fmt.Errorf("the metric %s does not fit: %w", strings.Join(m.Names(), ", "), err)
		}
	}
	return nil
}

// setLength computes the batch sizes and the number of steps and epochs.
func (r *run) setLength() error {
	l := program.Length{}
	switch {
	case r.Trainer != nil:
		t := r.Trainer
		per := r.Train.Steps(t.BatchSize, t.DropLast)
		if per == 0 {
			return part.Bad("batch_size", "the %d training images do not fill one batch of %d: make batch_size smaller, or set drop_last = false", r.Train.Samples.Len(), t.BatchSize)
		}
		if t.Epochs > program.MostSteps/per {
			return part.Bad("num_epochs", "%d epochs of %d steps are more than a stage may have, which is %d steps", t.Epochs, per, program.MostSteps)
		}
		r.batch = r.Train.Batch(t.BatchSize)
		l = program.Length{Epochs: t.Epochs, Steps: t.Epochs * per, StepsPerEpoch: per}
		if t.Steps > 0 {
			l.Steps, l.Epochs = t.Steps, (t.Steps+per-1)/per
		}
		r.pos.StepsPerEpoch = per
	case r.Calibrator != nil:
		r.batch = r.Train.Batch(r.Calibrator.BatchSize)
		l = program.Length{Epochs: 1, Steps: r.Calibrator.Steps, StepsPerEpoch: r.Calibrator.Steps}
	}
	if r.Val != nil {
		r.valBatch = r.Val.Batch(r.ValBatch)
		r.valLabels = newCounted(r.Val, false)
	}
	r.state.Length = l
	return nil
}

// equip makes what the steps need: the net, the optimizer's slots and the loader of batches.
func (r *run) equip() (err error) {
	switch {
	case r.Trainer != nil:
		var t *trainer
		if t, err = newTrainer(r); err != nil {
			return err
		}
		r.worker = t
		r.warnOfRecovery(t)
	case r.Calibrator != nil:
		r.worker, err = newCalibrator(r)
	}
	return err
}

func (r *run) close() {
	if r.worker != nil {
		r.worker.close()
	}
}

// ended handles the error that ends a run. After an interrupt it writes the checkpoint
// "last". It adds epoch, step and the last written checkpoint to a Failure.
func (r *run) ended(err error) error {
	if errors.Is(err, ErrInterrupted) {
		if err = r.interrupted(); err == nil {
			return ErrInterrupted
		}
	}
	var f *Failure
	if errors.As(err, &f) {
		f.Epoch, f.Step, f.Kept = r.state.Epoch, r.state.Step, r.kept
	}
	return err
}

// interrupted saves "last" and emits the interrupt.
func (r *run) interrupted() error {
	if r.worker != nil {
		if err := r.save("last"); err != nil {
			return err
		}
	}
	r.emit(event.Interrupt{})
	return nil
}

// halted returns an error if the run must stop. ErrInterrupted means that Stop was
// closed: the run saves its state first. The context's error means that it was
// cancelled: nothing is saved.
func (r *run) halted() error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	select {
	case <-r.Stop:
		return ErrInterrupted
	default:
		return nil
	}
}

func finite64(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
