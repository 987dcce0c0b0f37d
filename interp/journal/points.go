package journal

import (
	"encoding/json"
	"slices"
	"time"

	"qpipe/interp/event"
	"qpipe/interp/part"
)

// Points returns what a stage has measured, in the order of metrics.jsonl.
func (j *Journal) Points(stageName string) ([]part.Point, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.readTimes(); err != nil {
		return nil, err
	}
	var all []part.Point
	for _, m := range of(j.lines, stageName, allSteps) {
		l := m.line
		p := part.Point{Kind: l.Event, Epoch: l.Epoch, Step: l.Step, Time: j.times[m.key], Metrics: l.Metrics.Floats()}
		if l.LR != nil {
			p.LR = new(float64(*l.LR))
		}
		all = append(all, p)
	}
	return all, nil
}

// readTimes reads from events.jsonl when the lines of metrics.jsonl were measured, once: later events add to it. A step
// that was repeated after a kill was measured when it was done last.
func (j *Journal) readTimes() error {
	if j.times != nil {
		return nil
	}
	j.times = map[string]time.Time{}
	return j.folder.Events(func(object []byte) error {
		var e struct {
			event.Logged
			Time time.Time `json:"time"`
		}
		if telling(object) && json.Unmarshal(object, &e) == nil && slices.Contains(measuring(), e.Kind) {
			l := metricLine{Stage: e.Stage, Event: e.Kind, Step: e.Step}
			j.times[l.key()] = e.Time
		}
		return nil
	})
}
