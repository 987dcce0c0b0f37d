package journal

import (
	"encoding/json"
	"slices"
	"time"

	"qpipe/interp/event"
)

// Point is what was measured at a step of a stage, and when.
type Point struct {
	Line
	Time time.Time // the zero time if events.jsonl no longer says it
}

// Points returns what a stage has measured, in the order of metrics.jsonl.
func (j *Journal) Points(stageName string) ([]Point, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.readTimes(); err != nil {
		return nil, err
	}
	var all []Point
	for _, l := range of(j.lines, stageName, allSteps) {
		all = append(all, Point{l.line, j.times[l.key]})
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
			l := Line{Stage: e.Stage, Event: e.Kind, Step: e.Step}
			j.times[l.key()] = e.Time
		}
		return nil
	})
}
