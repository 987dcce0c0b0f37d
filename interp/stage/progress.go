package stage

import (
	"time"

	"qpipe/interp/event"
	"qpipe/interp/number"
)

// interval is the least time between two progress events.
const interval = 100 * time.Millisecond

// meter measures how fast images go through: only the time between begin and
// end counts.
type meter struct {
	images      int
	busy        time.Duration
	began, last time.Time
	epoch       struct { // the same, since the epoch began
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

// rate is images a second, 0 where it is not known.
func rate(images int, busy time.Duration) float64 {
	if busy <= 0 {
		return 0
	}
	return float64(images) / busy.Seconds()
}

// now asks the clock; without one no time passes.
func (r *run) now() time.Time {
	if r.Clock == nil {
		return time.Time{}
	}
	return r.Clock()
}

func (r *run) emit(data event.Data) {
	if r.Events != nil {
		r.Events(event.Event{Stage: r.Name, Epoch: r.state.Epoch, Step: r.state.Step, Data: data})
	}
}

// progress tells how far the steps have come.
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

// tick tells how far a pass over done of total images has come.
func (r *run) tick(m *meter, phase string, done, total int) {
	if r.ticks(m) {
		r.report(m, event.Progress{Phase: phase, Done: done, Total: total}, float64(total-done))
	}
}

// ticks reports whether it is time for a progress event.
func (r *run) ticks(m *meter) bool {
	return r.Events != nil && r.Clock != nil && m.began.Sub(m.last) >= interval
}

// report tells of progress; left is how many images are still to come.
func (r *run) report(m *meter, p event.Progress, left float64) {
	m.last = m.began
	p.Speed(rate(m.images, m.busy), left)
	r.emit(p)
}

// emitStart announces the stage, or where it goes on.
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

// emitEpoch reports a finished epoch.
func (r *run) emitEpoch() error {
	e := event.Epoch{Metrics: number.Of(r.state.Metrics), Rate: number.Float(rate(r.meter.epoch.images, r.meter.epoch.busy))}
	if loss, known := r.state.Metrics["loss"]; known {
		e.Loss, e.LR = new(number.Float(loss)), new(number.Float(r.state.LR))
	}
	r.meter.epoch.images, r.meter.epoch.busy = 0, 0
	r.emit(e)
	return nil
}
