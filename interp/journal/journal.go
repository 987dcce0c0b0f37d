// Package journal writes the two logs of a run, events.jsonl and metrics.jsonl, passes events on, and makes what a log has
// lost again from the other one and from the manifest.
package journal

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"qpipe/interp/artifact"
	"qpipe/interp/event"
	"qpipe/interp/number"
	"qpipe/interp/runs"
	"qpipe/lang/diag"
)

// Journal writes events.jsonl and metrics.jsonl and passes events on. The
// metrics file has no times, and its stages stand in the plan's order: that of a resumed run equals that of one that was
// never interrupted.
type Journal struct {
	mu      sync.Mutex
	clock   func() time.Time
	show    func(event.Event)
	Warn    func(Notice) // says at once what is wrong with a log
	folder  *runs.Run
	order   []string // the stages of the plan
	events  *runs.Log
	metrics *runs.Log
	lines   []measurement // of metrics, as they stand in the file
	strays  int           // lines of metrics that no stage of this folder has written
	seen    map[string]bool
	notices []Notice // not yet said
	err     error    // the first one of a write
}

// Notice is what is to be said of a log.
type Notice struct {
	Code            diag.Code
	Summary, Detail string
}

// measurement is a line of metrics.jsonl.
type measurement struct {
	stage, key string
	step       int
	text       []byte
}

// Open opens the logs. What is wrong with them is said by flush.
func Open(r *runs.Run, order []string, clock func() time.Time, show func(event.Event)) (*Journal, error) {
	j := &Journal{clock: clock, show: show, folder: r, order: order, seen: map[string]bool{}}
	var found []*runs.Damage
	var err error
	j.events, j.metrics, found, err = r.OpenLogs(func(object []byte) {
		l, ok := parseMeasured(object)
		switch {
		case !ok || j.strange(l.stage):
			j.strays++
		case !j.seen[l.key]:
			j.seen[l.key] = true
			j.lines = append(j.lines, l)
		}
	})
	if err != nil {
		return nil, err
	}
	j.events.Tell = func(d *runs.Damage) {
		j.damaged(d)
		j.entries()
	}
	j.metrics.Tell = j.damaged
	j.metrics.Lines = func(yield func([]byte) error) error { return yieldAll(j.lines, yield) }
	if err := j.restore(found); err != nil {
		j.Close()
		return nil, err
	}
	if !j.events.Whole() {
		j.entries()
	}
	r.Manifest.Logs = &runs.Logs{Events: j.events.Count()}
	return j, nil
}

// strange reports whether no stage of the name has ever begun in this folder. A manifest that was lost does not know.
func (j *Journal) strange(stageName string) bool {
	m := j.folder.Manifest
	return m.Logs != nil && !j.folder.Rebuilt && m.Stage(stageName) == nil
}

// entries logs what the manifest says of the stages, where the log has lost that: a lost manifest is made of it.
func (j *Journal) entries() {
	for _, e := range j.folder.Manifest.Stages {
		j.log(Entry(e))
	}
}

// Entry is what the manifest says of a stage, as an event.
func Entry(e *runs.StageEntry) event.Event {
	return event.Event{Stage: e.Name, Data: event.Entry{Entry: e}}
}

func yieldAll(lines []measurement, yield func([]byte) error) error {
	for _, l := range lines {
		if err := yield(l.text); err != nil {
			return err
		}
	}
	return nil
}

// metricLine is a line of metrics.jsonl.
type metricLine struct {
	Stage   string        `json:"stage"`
	Event   string        `json:"event"`
	Epoch   int           `json:"epoch"`
	Step    int           `json:"step"`
	LR      *number.Float `json:"lr,omitempty"`
	Metrics number.Map    `json:"metrics"`
}

func (l *metricLine) key() string { return fmt.Sprint(l.Stage, " ", l.Event, " ", l.Step) }

// parseMeasured reads a line's object.
func parseMeasured(object []byte) (measurement, bool) {
	var l metricLine
	var text bytes.Buffer
	fields := json.NewDecoder(bytes.NewReader(object))
	fields.DisallowUnknownFields() // an event of the same kind has others
	if fields.Decode(&l) != nil || json.Compact(&text, object) != nil || l.Metrics == nil || !slices.Contains(measuring(), l.Event) {
		return measurement{}, false
	}
	return measurement{l.Stage, l.key(), l.Step, text.Bytes()}, true
}

// measuring are the kinds of events that have a line in metrics.jsonl.
func measuring() []string {
	return []string{event.Epoch{}.Kind(), event.Validation{}.Kind()}
}

// metricOf is what an event has for metrics.jsonl.
func metricOf(e event.Event) (l metricLine, ok bool) {
	l = metricLine{Stage: e.Stage, Event: e.Data.Kind(), Epoch: e.Epoch, Step: e.Step}
	switch d := e.Data.(type) {
	case event.Epoch:
		l.Metrics, l.LR = d.Metrics, d.LR
	case event.Validation:
		l.Metrics = d.Metrics
	default:
		return l, false
	}
	return l, true
}

// Event logs an event and shows it.
func (j *Journal) Event(e event.Event) {
	j.mu.Lock()
	if _, passing := e.Data.(event.Progress); !passing {
		j.log(e)
	}
	if l, ok := metricOf(e); ok && !j.seen[l.key()] {
		j.metric(l)
	}
	j.mu.Unlock()
	if j.show != nil {
		j.show(e)
	}
	j.Flush()
}

// log adds an event to events.jsonl.
func (j *Journal) log(e event.Event) {
	now := ""
	if j.clock != nil {
		now = j.clock().UTC().Format(time.RFC3339Nano)
	}
	j.note(j.events.Append(e.Line(now)))
}

func (j *Journal) metric(l metricLine) {
	text, err := json.Marshal(l)
	if err == nil {
		err = j.metrics.Append(json.RawMessage(text))
	}
	if err == nil {
		j.seen[l.key()] = true
		j.lines = append(j.lines, measurement{l.Stage, l.key(), l.Step, text})
	}
	j.note(err)
}

// note keeps the first error of a write, to be said at once.
func (j *Journal) note(err error) {
	if j.err != nil || err == nil {
		return
	}
	j.err = err
	code := diag.Unwritable
	var file *artifact.FileError
	if errors.As(err, &file) {
		code = file.Code
	}
	j.notices = append(j.notices, Notice{code, err.Error(), "Nothing more is written into it. The stage stops at its next checkpoint; the next run goes on from the one before."})
}

// damaged notes what was found wrong with a log, to be said at once.
func (j *Journal) damaged(d *runs.Damage) {
	j.notices = append(j.notices, Notice{diag.LogDamaged, d.Summary(), d.Detail()})
}

// Flush says what is wrong with the logs.
func (j *Journal) Flush() {
	j.mu.Lock()
	var all []Notice
	if j.Warn != nil {
		all, j.notices = j.notices, nil
	}
	j.mu.Unlock()
	for _, n := range all {
		j.Warn(n)
	}
}

// Rewind drops the metrics of a stage after the given step: all with step -1.
func (j *Journal) Rewind(stageName string, step int) error {
	return j.change(func(lines []measurement) []measurement {
		return slices.DeleteFunc(lines, func(l measurement) bool { return l.stage == stageName && l.step > step })
	})
}

// Replace puts the lines in the place of a stage's.
func (j *Journal) Replace(stageName string, lines []json.RawMessage) error {
	err := j.change(func(old []measurement) []measurement {
		return append(slices.DeleteFunc(old, func(l measurement) bool { return l.stage == stageName }), parseAll(stageName, lines)...)
	})
	if err == nil {
		err = j.Sync()
	}
	return err
}

// parseAll reads the lines of a stage.
func parseAll(stageName string, lines []json.RawMessage) (out []measurement) {
	for _, text := range lines {
		if l, ok := parseMeasured(text); ok && l.stage == stageName {
			out = append(out, l)
		}
	}
	return out
}

// change makes metrics.jsonl another one, and brings its stages into the plan's order.
func (j *Journal) change(edit func(lines []measurement) []measurement) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	next := edit(slices.Clone(j.lines))
	rank := func(l measurement) int {
		if i := slices.Index(j.order, l.stage); i >= 0 {
			return i
		}
		return len(j.order)
	}
	slices.SortStableFunc(next, func(a, b measurement) int { return cmp.Compare(rank(a), rank(b)) })
	if slices.EqualFunc(next, j.lines, func(a, b measurement) bool { return bytes.Equal(a.text, b.text) }) {
		return nil
	}
	if err := j.metrics.Check(false); err != nil {
		j.note(err)
		return err
	}
	if err := j.metrics.Rewrite(func(yield func([]byte) error) error { return yieldAll(next, yield) }); err != nil {
		return err
	}
	j.lines, j.seen = next, map[string]bool{}
	for _, l := range next {
		j.seen[l.key] = true
	}
	return nil
}

// of returns the lines of a stage up to a step.
func of(lines []measurement, stageName string, step int) (out []measurement) {
	for _, l := range lines {
		if l.stage == stageName && l.step <= step {
			out = append(out, l)
		}
	}
	return out
}

const allSteps = int(^uint(0) >> 1)

// Texts returns the metrics of a stage as they stand in the file, without numbers and checks.
func (j *Journal) Texts(stageName string) (out []json.RawMessage) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range of(j.lines, stageName, allSteps) {
		out = append(out, l.text)
	}
	return out
}

// Measured is what the manifest says of the stage's lines up to a step.
func (j *Journal) Measured(stageName string, step int) *runs.Measured {
	j.mu.Lock()
	defer j.mu.Unlock()
	return measure(of(j.lines, stageName, step))
}

// Sync makes the logs durable, and the manifest say, when it is saved, what they hold; a checkpoint must not be ahead of them.
func (j *Journal) Sync() error { return j.settle(false) }

// Begin does the same for logs that were just opened, and brings the metrics into the plan's order.
func (j *Journal) Begin() error {
	if err := j.arrange(); err != nil {
		return err
	}
	return j.settle(false)
}

// Finish does the same at the end of a stage, and reads the logs to be sure.
func (j *Journal) Finish() error {
	if err := j.arrange(); err != nil {
		return err
	}
	return j.settle(true)
}

// arrange brings the metrics into the plan's order.
func (j *Journal) arrange() error {
	return j.change(func(lines []measurement) []measurement { return lines })
}

func (j *Journal) settle(whole bool) error {
	j.mu.Lock()
	for _, l := range []*runs.Log{j.events, j.metrics} {
		if j.err == nil {
			j.note(l.Check(whole))
		}
		if j.err == nil {
			j.note(l.Sync())
		}
	}
	if j.err == nil {
		j.record()
	}
	err := j.err
	j.mu.Unlock()
	j.Flush()
	return err
}

// record makes the manifest say what the logs hold.
func (j *Journal) record() {
	j.folder.Manifest.Logs = &runs.Logs{Events: j.events.Count()}
	for _, e := range j.folder.Manifest.Stages {
		if e.Lines == nil {
			e.Measured = measure(of(j.lines, e.Name, allSteps))
		}
	}
}

// Close closes the logs.
func (j *Journal) Close() {
	_ = j.events.Close()
	_ = j.metrics.Close()
}
