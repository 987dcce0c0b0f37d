// Package journal writes the two logs of a run, events.jsonl and metrics.jsonl, and passes events on.
//
// events.jsonl has everything that happened, in the order of time. metrics.jsonl has only the metrics of epochs,
// validations and recorded steps, without times and in the order of the plan's stages. The manifest records for each stage how many lines of
// metrics.jsonl it has, with a checksum. When the logs are opened, they are compared with the manifest: lines of
// metrics.jsonl that are missing are restored from events.jsonl, and what cannot be restored is reported.
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

// Journal writes events.jsonl and metrics.jsonl and passes events on. Because metrics.jsonl
// has no times and is sorted by stage, a resumed run has the same file as a run that was
// never interrupted.
type Journal struct {
	mu      sync.Mutex
	clock   func() time.Time
	show    func(event.Event) // gets every event after it was logged; may be nil
	Warn    func(Notice)      // reports a damaged or unwritable log to the user at once
	folder  *runs.Run
	order   []string // names of the plan's stages
	events  *runs.Log
	metrics *runs.Log
	lines   []measurement        // the lines of metrics.jsonl, in the order of the file
	strays  int                  // number of lines in metrics.jsonl that no stage of this folder has written
	seen    map[string]bool      // keys of lines
	times   map[string]time.Time // by key, when the lines were measured; nil until it is asked for
	notices []Notice             // not reported yet
	err     error                // the first error of a write; after it nothing more is written
}

// Notice is a message about a log.
type Notice struct {
	Code            diag.Code
	Summary, Detail string
}

// measurement is a line of metrics.jsonl.
type measurement struct {
	stage string
	key   string // stage, kind of event and step; there is only one line with a key
	step  int
	text  []byte     // the JSON object, without line number and check
	line  metricLine // what it says
}

// Open opens the logs and repairs them if needed. Flush reports what was wrong with them.
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

// strange reports whether no stage of this name has ever begun in this folder. It is false if the manifest was lost,
// because then that is not known.
func (j *Journal) strange(stageName string) bool {
	m := j.folder.Manifest
	return m.Logs != nil && !j.folder.Rebuilt && m.Stage(stageName) == nil
}

// entries logs every stage's entry in the manifest again, after the log has lost events. From these events a lost
// manifest can be rebuilt.
func (j *Journal) entries() {
	for _, e := range j.folder.Manifest.Stages {
		j.log(Entry(e))
	}
}

// Entry returns the event that logs a stage's entry in the manifest.
func Entry(e *runs.StageEntry) event.Event {
	return event.Event{Stage: e.Name, Data: event.Entry{Entry: e}}
}

// yieldAll yields the texts of lines, until yield returns an error.
func yieldAll(lines []measurement, yield func([]byte) error) error {
	for _, l := range lines {
		if err := yield(l.text); err != nil {
			return err
		}
	}
	return nil
}

// metricLine is the JSON object in a line of metrics.jsonl: what was measured at a step of a stage.
type metricLine struct {
	Stage   string        `json:"stage"`
	Event   string        `json:"event"`
	Epoch   int           `json:"epoch"`
	Step    int           `json:"step"`
	LR      *number.Float `json:"lr,omitempty"`
	Metrics number.Map    `json:"metrics"`
}

func (l *metricLine) key() string { return fmt.Sprint(l.Stage, " ", l.Event, " ", l.Step) }

// parseMeasured parses the object of a line; it returns false if it is not one of metrics.jsonl.
func parseMeasured(object []byte) (measurement, bool) {
	var l metricLine
	var text bytes.Buffer
	fields := json.NewDecoder(bytes.NewReader(object))
	fields.DisallowUnknownFields() // an event of the same kind in events.jsonl has more fields
	if fields.Decode(&l) != nil || json.Compact(&text, object) != nil || l.Metrics == nil || !slices.Contains(measuring(), l.Event) {
		return measurement{}, false
	}
	return measurement{l.Stage, l.key(), l.Step, text.Bytes(), l}, true
}

// measuring returns the kinds of events that have a line in metrics.jsonl.
func measuring() []string {
	return []string{event.Step{}.Kind(), event.Epoch{}.Kind(), event.Validation{}.Kind()}
}

// metricOf returns the line of metrics.jsonl for an event; ok is false if there is none.
func metricOf(e event.Event) (l metricLine, ok bool) {
	l = metricLine{Stage: e.Stage, Event: e.Data.Kind(), Epoch: e.Epoch, Step: e.Step}
	switch d := e.Data.(type) {
	case event.Step:
		l.Metrics, l.LR = d.Metrics, d.LR
	case event.Epoch:
		l.Metrics, l.LR = d.Metrics, d.LR
	case event.Validation:
		l.Metrics = d.Metrics
	default:
		return l, false
	}
	return l, true
}

// Event logs an event and passes it on. Progress is passed on only.
func (j *Journal) Event(e event.Event) {
	j.mu.Lock()
	if _, passing := e.Data.(event.Progress); !passing {
		j.log(e)
	}
	if l, ok := metricOf(e); ok {
		if j.times != nil && j.clock != nil {
			j.times[l.key()] = j.clock().UTC()
		}
		if !j.seen[l.key()] {
			j.metric(l)
		}
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

// metric adds a line to metrics.jsonl.
func (j *Journal) metric(l metricLine) {
	text, err := json.Marshal(l)
	if err == nil {
		err = j.metrics.Append(json.RawMessage(text))
	}
	if err == nil {
		j.seen[l.key()] = true
		j.lines = append(j.lines, measurement{l.Stage, l.key(), l.Step, text, l})
	}
	j.note(err)
}

// note keeps the first error of a write, and adds a notice of it.
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
	j.notices = append(j.notices, Notice{code, err.Error(), "Nothing more is written to it. The stage stops at its next checkpoint, and the next run continues from the one before that."})
}

// damaged adds a notice of the damage that was found in a log.
func (j *Journal) damaged(d *runs.Damage) {
	j.notices = append(j.notices, Notice{diag.LogDamaged, d.Summary(), d.Detail()})
}

// Flush reports the notices, if Warn is set.
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

// Rewind drops the metrics of a stage after the given step. Step -1 drops all of them.
func (j *Journal) Rewind(stageName string, step int) error {
	return j.change(func(lines []measurement) []measurement {
		return slices.DeleteFunc(lines, func(l measurement) bool { return l.stage == stageName && l.step > step })
	})
}

// Replace replaces all lines of a stage, and makes the logs durable.
func (j *Journal) Replace(stageName string, lines []json.RawMessage) error {
	err := j.change(func(old []measurement) []measurement {
		return append(slices.DeleteFunc(old, func(l measurement) bool { return l.stage == stageName }), parseAll(stageName, lines)...)
	})
	if err == nil {
		err = j.Sync()
	}
	return err
}

// parseAll parses lines, and leaves out those that are not of the stage.
func parseAll(stageName string, lines []json.RawMessage) (out []measurement) {
	for _, text := range lines {
		if l, ok := parseMeasured(text); ok && l.stage == stageName {
			out = append(out, l)
		}
	}
	return out
}

// change edits the lines of metrics.jsonl, sorts them by stage in the plan's order, and
// rewrites the file if it is then different.
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

// of returns the lines of a stage up to and including a step.
func of(lines []measurement, stageName string, step int) (out []measurement) {
	for _, l := range lines {
		if l.stage == stageName && l.step <= step {
			out = append(out, l)
		}
	}
	return out
}

// allSteps is larger than any step.
const allSteps = int(^uint(0) >> 1)

// Texts returns the lines of a stage in metrics.jsonl, without line numbers and checks.
func (j *Journal) Texts(stageName string) (out []json.RawMessage) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range of(j.lines, stageName, allSteps) {
		out = append(out, l.text)
	}
	return out
}

// Measured returns the number and the checksum of a stage's lines up to a step, for the manifest.
func (j *Journal) Measured(stageName string, step int) *runs.Measured {
	j.mu.Lock()
	defer j.mu.Unlock()
	return measure(of(j.lines, stageName, step))
}

// Sync checks the logs, makes them durable, and records their lengths in the manifest, which the caller saves. It must be
// called before a checkpoint is written, so that the logs are never behind a checkpoint.
func (j *Journal) Sync() error { return j.sync(false) }

// Begin does the same for logs that were just opened, after sorting the metrics in the plan's order.
func (j *Journal) Begin() error {
	if err := j.arrange(); err != nil {
		return err
	}
	return j.sync(false)
}

// Finish does the same at the end of a stage, and reads the whole logs to check them.
func (j *Journal) Finish() error {
	if err := j.arrange(); err != nil {
		return err
	}
	return j.sync(true)
}

// arrange sorts the metrics in the plan's order.
func (j *Journal) arrange() error {
	return j.change(func(lines []measurement) []measurement { return lines })
}

// sync does the work of Sync. With whole, it reads the logs from beginning to end.
func (j *Journal) sync(whole bool) error {
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

// record writes the lengths of the logs into the manifest, with the checksum of each stage's metrics.
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
