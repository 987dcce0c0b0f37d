package exec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"qpipe/interp/artifact"
	"qpipe/interp/runs"
	"qpipe/interp/stage"
)

// journal writes events.jsonl and metrics.jsonl and passes events on. The
// metrics file has no times: that of a resumed run equals that of one that was
// never interrupted.
type journal struct {
	mu      sync.Mutex
	clock   func() time.Time
	show    func(stage.Event)
	events  *runs.Log
	metrics *runs.Log
	seen    map[string]bool // the lines of metrics that are there already
	err     error           // the first one of a write
}

func openJournal(r *runs.Run, clock func() time.Time, show func(stage.Event)) (*journal, error) {
	events, err := r.OpenLog(runs.EventsName)
	if err != nil {
		return nil, err
	}
	metrics, err := r.OpenLog(runs.MetricsName)
	if err != nil {
		_ = events.Close()
		return nil, err
	}
	return &journal{clock: clock, show: show, events: events, metrics: metrics, seen: map[string]bool{}}, nil
}

// eventLine is a line of events.jsonl.
type eventLine struct {
	Time string `json:"time,omitempty"`
	stage.Event
}

// metricLine is a line of metrics.jsonl.
type metricLine struct {
	Stage   string           `json:"stage"`
	Event   string           `json:"event"`
	Epoch   int              `json:"epoch"`
	Step    int              `json:"step"`
	LR      *float64         `json:"lr,omitempty"`
	Metrics artifact.Metrics `json:"metrics"`
}

func (l *metricLine) key() string { return fmt.Sprint(l.Stage, " ", l.Event, " ", l.Step) }

// event logs an event and shows it.
func (j *journal) event(e stage.Event) {
	j.mu.Lock()
	if e.Kind != stage.EventProgress {
		line := eventLine{Event: e}
		if j.clock != nil {
			line.Time = j.clock().UTC().Format(time.RFC3339Nano)
		}
		j.note(j.events.Append(line))
	}
	if e.Kind == stage.EventEpoch || e.Kind == stage.EventValidation {
		j.metric(e)
	}
	j.mu.Unlock()
	if j.show != nil {
		j.show(e)
	}
}

func (j *journal) metric(e stage.Event) {
	line := metricLine{Stage: e.Stage, Event: e.Kind, Epoch: e.Epoch, Step: e.Step}
	if m, ok := e.Data["metrics"].(map[string]float64); ok {
		line.Metrics = m
	}
	if lr, ok := e.Data["lr"].(float64); ok {
		line.LR = &lr
	}
	if j.seen[line.key()] {
		return
	}
	j.seen[line.key()] = true
	j.note(j.metrics.Append(line))
}

func (j *journal) note(err error) {
	if j.err == nil {
		j.err = err
	}
}

// rewind drops the metrics of a stage after the given step: all with step -1.
func (j *journal) rewind(stageName string, step int) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen = map[string]bool{}
	return j.metrics.Trim(func(text []byte) bool {
		var l metricLine
		if json.Unmarshal(text, &l) != nil || l.Stage == stageName && l.Step > step {
			return false
		}
		j.seen[l.key()] = true
		return true
	})
}

// lines returns the metrics of a stage as they stand in the file.
func (j *journal) lines(stageName string) (out []json.RawMessage, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	err = j.metrics.Trim(func(text []byte) bool {
		var l metricLine
		if json.Unmarshal(text, &l) == nil && l.Stage == stageName {
			out = append(out, json.RawMessage(bytes.TrimSpace(bytes.Clone(text))))
		}
		return true
	})
	return out, err
}

// replace puts the lines in the place of a stage's.
func (j *journal) replace(stageName string, lines []json.RawMessage) error {
	if err := j.rewind(stageName, -1); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, line := range lines {
		if err := j.metrics.Append(line); err != nil {
			return err
		}
	}
	return j.metrics.Sync()
}

// sync makes the metrics durable; a checkpoint must not be ahead of them.
func (j *journal) sync() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	return j.metrics.Sync()
}

func (j *journal) close() {
	_ = j.events.Close()
	_ = j.metrics.Close()
}
