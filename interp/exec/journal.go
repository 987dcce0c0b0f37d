package exec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"qpipe/interp/artifact"
	"qpipe/interp/stage"
)

const metricsName = "metrics.jsonl"

// journal writes events.jsonl and metrics.jsonl and passes events on. The
// metrics file has no times: that of a resumed run equals that of one that was
// never interrupted.
type journal struct {
	mu      sync.Mutex
	clock   func() time.Time
	show    func(stage.Event)
	events  *artifact.Log
	metrics *artifact.Log
	seen    map[string]bool // the lines of metrics that are there already
	err     error           // the first one of a write
}

func openJournal(d *artifact.Disk, dir string, clock func() time.Time, show func(stage.Event)) (*journal, error) {
	events, err := artifact.OpenLog(d, filepath.Join(dir, "events.jsonl"))
	if err != nil {
		return nil, err
	}
	metrics, err := artifact.OpenLog(d, filepath.Join(dir, metricsName))
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
func (j *journal) lines(stageName string) (out []byte, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	err = j.metrics.Trim(func(text []byte) bool {
		var l metricLine
		if json.Unmarshal(text, &l) == nil && l.Stage == stageName {
			out = append(out, text...)
		}
		return true
	})
	return out, err
}

// refill appends lines that lines has returned.
func (j *journal) refill(lines []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for line := range bytes.Lines(lines) {
		if !json.Valid(line) {
			continue
		}
		if err := j.metrics.Append(json.RawMessage(bytes.TrimSpace(line))); err != nil {
			return err
		}
	}
	return nil
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

// keeper keeps a stage's checkpoints, each after the metrics that lead to it.
type keeper struct {
	artifact.Folder
	journal *journal
}

// Save implements stage.Keeper.
func (k keeper) Save(name string, s *stage.Snapshot) error {
	if err := k.journal.sync(); err != nil {
		return err
	}
	return k.Folder.Save(name, s)
}
