package stage

import (
	"time"

	"qpipe/interp/event"
	"qpipe/interp/number"
)

// interval is the shortest time between two progress events.
const interval = 100 * time.Millisecond

// meter measures how many images a second are processed. It counts only the time between
// begin and end, so validation and checkpoints do not slow down the rate of training.
type meter struct {
	images int
	busy   time.Duration
	began  time.Time // of the present step
	last   time.Time // of the last progress event
	epoch  struct {  // images and busy since the epoch began
		images int
		busy   time.Duration
	}
}

func (m *meter) begin(now time.Time) { m.began = now }

func (m *meter) end(now time.Time, images int) {
	d := now.Sub(m.began)
	m.images += images
	m.busy += d
	m.epoch.images += images
	m.epoch.busy += d
}

// rate returns images a second, 0 if no time has passed.
func rate(images int, busy time.Duration) float64 {
	if busy <= 0 {
		return 0
	}
	return float64(images) / busy.Seconds()
}

// now reads the clock; without a clock it is always the zero time.
func (r *run) now() time.Time {
	if r.Clock == nil {
		return time.Time{}
	}
	return r.Clock()
}

// emit sends an event with the present stage, epoch and step.
func (r *run) emit(data event.Data) {
	if r.Events != nil {
		r.Events(event.Event{Stage: r.Name, Epoch: r.state.Epoch, Step: r.state.Step, Data: data})
	}
}

// progress emits a progress event after a training or calibration step, if one is due.
// images is the size of the step.
func (r *run) progress(phase string, images int, loss float64) {
	if !r.ticks(&r.meter) {
		return
	}
	p := event.Progress{Phase: phase, Done: r.state.Step + 1, Total: r.state.Length.Steps}
	if r.Trainer != nil {
		p.Loss, p.LR = new(number.Float(loss)), new(number.Float(r.state.LR))
	}
	r.report(&r.meter, p, float64(p.Total-p.Done)*float64(images))
}

// tick emits a progress event of a pass over the data, if one is due: done of total images.
func (r *run) tick(m *meter, phase string, done, total int) {
	if r.ticks(m) {
		r.report(m, event.Progress{Phase: phase, Done: done, Total: total}, float64(total-done))
	}
}

// ticks reports whether it is time for a progress event.
func (r *run) ticks(m *meter) bool {
	return r.Events != nil && r.Clock != nil && m.began.Sub(m.last) >= interval
}

// report completes a progress event with speed and time left, and emits it. left is the
// number of images still to process.
func (r *run) report(m *meter, p event.Progress, left float64) {
	m.last = m.began
	p.Speed(rate(m.images, m.busy), left)
	r.emit(p)
}

// emitStart emits the stage's start and, for a stage with a checkpoint, from where it resumes.
func (r *run) emitStart() {
	l := r.state.Length
	start := event.Start{TotalSteps: l.Steps, StepsPerEpoch: l.StepsPerEpoch}
	if r.Train != nil {
		start.TrainImages = r.Train.Samples.Len()
	}
	if r.Val != nil {
		start.ValImages = r.Val.Samples.Len()
	}
	r.emit(start)
	if r.Resume == nil || !r.steps() {
		return
	}
	scenario := "full"
	if !r.full() {
		scenario = "optimizer"
	}
	r.emit(event.Resume{
		Scenario: scenario, CheckpointEpoch: r.Resume.Epoch, CheckpointStep: r.Resume.Step, LR: number.Float(r.Resume.LR),
		StepsLeft: max(r.state.Length.Steps-r.state.Step, 0),
	})
}

// emitEpoch emits the event of a finished epoch.
func (r *run) emitEpoch() error {
	e := event.Epoch{Metrics: number.Of(r.state.Metrics), Rate: number.Float(rate(r.meter.epoch.images, r.meter.epoch.busy))}
	if loss, known := r.state.Metrics["loss"]; known {
		e.Loss, e.LR = new(number.Float(loss)), new(number.Float(r.state.LR))
	}
	r.meter.epoch.images, r.meter.epoch.busy = 0, 0
	r.emit(e)
	return nil
}

// note emits the event of a training step, once.
func (r *run) note() error {
	if s := r.state; r.Trainer != nil && s.Step > r.noted {
		r.noted = s.Step
		r.emit(event.Step{LR: new(number.Float(s.LR)), Metrics: number.Map{"loss": number.Float(s.Loss)}})
	}
	return nil
}
