package stage

import (
	"maps"
	"time"

	"qpipe/interp/event"
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

func (r *run) emit(kind string, data map[string]any) {
	if r.Events != nil {
		r.Events(event.Event{Kind: kind, Stage: r.Name, Epoch: r.state.Epoch, Step: r.state.Step, Data: data})
	}
}

// progress tells how far the steps have come.
func (r *run) progress(phase string, images int, loss float64) {
	if !r.ticks(&r.meter) {
		return
	}
	data := map[string]any{}
	if r.Trainer != nil {
		data["loss"], data["lr"] = loss, r.state.LR
	}
	left := float64(r.state.Length.Steps-r.state.Step-1) * float64(images)
	r.report(&r.meter, phase, r.state.Step+1, r.state.Length.Steps, left, data)
}

// tick tells how far a pass over done of total images has come.
func (r *run) tick(m *meter, phase string, done, total int) {
	if r.ticks(m) {
		r.report(m, phase, done, total, float64(total-done), map[string]any{})
	}
}

// ticks reports whether it is time for a progress event.
func (r *run) ticks(m *meter) bool {
	return r.Events != nil && r.Clock != nil && m.began.Sub(m.last) >= interval
}

func (r *run) report(m *meter, phase string, done, total int, left float64, data map[string]any) {
	m.last = m.began
	data["phase"], data["done"], data["total"] = phase, done, total
	if v := rate(m.images, m.busy); v > 0 {
		data["rate"], data["eta"] = v, left/v
	}
	r.emit(event.Progress, data)
}

// emitStart announces the stage, or where it goes on.
func (r *run) emitStart() {
	l := r.state.Length
	data := map[string]any{"total_steps": l.Steps, "steps_per_epoch": l.StepsPerEpoch}
	if r.Train != nil {
		data["train_images"] = r.Train.Samples.Len()
	}
	if r.Val != nil {
		data["val_images"] = r.Val.Samples.Len()
	}
	r.emit(event.Start, data)
	if r.Resume == nil || !r.steps() {
		return
	}
	scenario := "full"
	if !r.full() {
		scenario = "optimizer"
	}
	r.emit(event.Resume, map[string]any{
		"scenario": scenario, "checkpoint_epoch": r.Resume.Epoch, "checkpoint_step": r.Resume.Step, "lr": r.Resume.LR,
		"steps_left": max(r.state.Length.Steps-r.state.Step, 0),
	})
}

// emitEpoch reports a finished epoch.
func (r *run) emitEpoch() error {
	data := map[string]any{"metrics": maps.Clone(r.state.Metrics)}
	if loss, known := r.state.Metrics["loss"]; known {
		data["loss"], data["lr"] = loss, r.state.LR
	}
	if v := rate(r.meter.epoch.images, r.meter.epoch.busy); v > 0 {
		data["images_per_second"] = v
	}
	r.meter.epoch.images, r.meter.epoch.busy = 0, 0
	r.emit(event.Epoch, data)
	return nil
}
