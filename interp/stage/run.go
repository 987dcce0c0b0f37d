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
	step() error
	// slots returns the optimizer's state tensors, nil where there is no optimizer.
	slots() *slots
	// release lets go of the net.
	release()
	// rebuild follows a change of the model's structure.
	rebuild() error
	close()
}

// run is a job under way.
type run struct {
	*Job
	ctx      context.Context
	state    *part.State
	seed     int64
	worker   worker // nil: only validate
	hooks    []hook
	pos      checkpoint.Position
	absorbed []checkpoint.Absorption // the receipts so far
	frozen   []string
	best     map[string]float64
	eval     evaluator
	kept     string
	meter    meter
	batch    int // images of a step
	valBatch int // and of a validation step
	began    time.Time
}

// Run runs the job. The error is ErrInterrupted after Stop, a *Failure where
// training itself failed, or what a part returned.
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

// start brings the job to the place where its first step is due.
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
	if err := r.measure(); err != nil {
		return err
	}
	r.hooks = r.schedule()
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

// loop alternates between the hooks of a moment and a step.
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
		clear(r.state.Metrics) // what was measured is of the weights before the step
		r.state.Step++
		r.state.Epoch = r.epochAt(r.state.Step)
	}
}

// epochAt is the number of epochs completed after so many steps. The last one
// may be shorter than the others.
func (r *run) epochAt(step int) int {
	l := r.state.Length
	if step >= l.Steps {
		return l.Epochs
	}
	return step / l.StepsPerEpoch
}

// check refuses a job that cannot run.
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
		for k, classes := range f.Spec.Apart(r.Model) {
			if have := f.Spec.Targets[k].Classes; have > classes {
				return fmt.Errorf("the data set has %s, the model tells %d apart", part.Count(have, "class"), classes)
			}
		}
	}
	if err := r.judges(); err != nil {
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

// judges refuses a loss or a metric that does not take what the network answers and the data says.
func (r *run) judges() error {
	outputs := r.Model.Outputs()
	if t := r.Trainer; t != nil && r.Train != nil {
		if err := part.Fits(t.Loss, outputs, r.Train.Spec.Targets); err != nil {
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

// measure finds the stage's extent.
func (r *run) measure() error {
	l := program.Length{}
	switch {
	case r.Trainer != nil:
		t := r.Trainer
		per := r.Train.Steps(t.BatchSize, t.DropLast)
		if per == 0 {
			return part.Bad("batch_size", "the %d training images do not fill one batch of %d: make batch_size smaller, or set drop_last = false", r.Train.Samples.Len(), t.BatchSize)
		}
		if t.Epochs > program.MostSteps/per {
			return part.Bad("num_epochs", "%d epochs of %d steps are more than the %d steps that a stage may have", t.Epochs, per, program.MostSteps)
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
	}
	r.state.Length = l
	return nil
}

// equip makes what the steps need: nets, optimizer slots, batches ahead.
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

// ended completes an error with the moment and with what survives it, and
// writes the checkpoint of an interrupted run.
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

func (r *run) interrupted() error {
	if r.worker != nil {
		if err := r.save("last"); err != nil {
			return err
		}
	}
	r.emit(event.Interrupt{})
	return nil
}

// halted reports whether the run shall not go on: ErrInterrupted after a stop
// that keeps everything, the context's error after one that does not.
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
