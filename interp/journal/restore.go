package journal

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"qpipe/interp/event"
	"qpipe/interp/number"
	"qpipe/interp/runs"
)

// measure returns the number of lines and their checksum (CRC-32C of the texts, each with a
// newline), as the manifest records them. It returns nil for no lines.
func measure(lines []measurement) *runs.Measured {
	if len(lines) == 0 {
		return nil
	}
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for _, l := range lines {
		_, _ = h.Write(l.text) // never fails
		_, _ = h.Write([]byte("\n"))
	}
	return &runs.Measured{Lines: len(lines), Check: fmt.Sprintf("%08x", h.Sum32())}
}

// holds reports whether lines begin with the lines that the manifest has recorded in m.
func holds(lines []measurement, m *runs.Measured) bool {
	return m == nil || m.Lines <= 0 || m.Lines <= len(lines) && measure(lines[:m.Lines]).Check == m.Check
}

// restore compares metrics.jsonl with the manifest, and repairs it. found is the damage that was seen while the logs
// were opened.
//
// For every stage the manifest has the number and the checksum of its lines. If these do not agree, the stage's lines
// are rebuilt from events.jsonl, as far as it has them; the rest is lost. Lines that belong to no stage of this folder
// are removed. All that was found and done is described in the damage, which is then reported.
func (j *Journal) restore(found []*runs.Damage) error {
	var metrics *runs.Damage
	for _, d := range found {
		if d.Path == j.folder.Path(runs.MetricsName) {
			metrics = d
		}
	}
	var short []*runs.StageEntry // stages whose lines do not agree with the manifest
	unsure := false              // a stage was written by a version that recorded no checksum
	for _, e := range j.folder.Manifest.Stages {
		switch {
		case e.Lines != nil: // the manifest itself has the lines
		case !holds(of(j.lines, e.Name, allSteps), e.Measured):
			short = append(short, e)
		case e.Measured == nil && e.State == runs.Complete:
			unsure = true
		}
	}
	if metrics == nil && len(short) > 0 {
		metrics = &runs.Damage{Path: j.folder.Path(runs.MetricsName), Gone: j.metrics.Made()}
		found = append(found, metrics)
	}
	j.cut()
	if wrong := j.metrics.Count() - len(j.lines); wrong > 0 { // intact lines that do not belong in the file
		if metrics == nil {
			metrics = &runs.Damage{Path: j.folder.Path(runs.MetricsName), Sound: len(j.lines)}
			found = append(found, metrics)
		}
		if err := j.metrics.Replace(metrics); err != nil {
			return err
		}
		metrics.Strays = j.strays
		metrics.Moved += wrong - j.strays
	}
	if metrics != nil && !unsure {
		metrics.Lost, metrics.Missing = nil, 0
	}
	if len(short) > 0 {
		if err := j.again(short, metrics); err != nil {
			return err
		}
	}
	if metrics != nil {
		metrics.Unsure = unsure && metrics.Missing == 0 && len(metrics.Bad) > 0
	}
	for _, d := range found {
		j.damaged(d)
	}
	return nil
}

// cut removes surplus lines of complete stages: the manifest records how many such a stage has.
func (j *Journal) cut() {
	count := map[string]int{}
	j.lines = slices.DeleteFunc(j.lines, func(l measurement) bool {
		e := j.folder.Manifest.Stage(l.stage)
		count[l.stage]++
		tooMany := e != nil && e.State == runs.Complete && e.Lines == nil && e.Measured != nil && count[l.stage] > e.Measured.Lines
		if tooMany {
			j.strays++
		}
		return tooMany
	})
}

// again rebuilds the lines of some stages from events.jsonl. If events.jsonl does not have
// all of them, it adds those that are still in metrics.jsonl. It describes the result in d.
func (j *Journal) again(short []*runs.StageEntry, d *runs.Damage) error {
	replayed, err := j.replay()
	if err != nil {
		return err
	}
	var remade []string
	for _, e := range short {
		had := of(j.lines, e.Name, allSteps)
		lines, said := replayed[e.Name], e.Measured
		if !holds(lines, said) {
			lines = union(lines, had)
		}
		if holds(lines, said) {
			lines = lines[:said.Lines]
		}
		err := j.change(func(all []measurement) []measurement {
			return append(slices.DeleteFunc(all, func(l measurement) bool { return l.stage == e.Name }), lines...)
		})
		if err != nil {
			return err
		}
		if len(lines) > len(had) {
			remade = append(remade, fmt.Sprintf("%q", e.Name))
		}
		if missing := said.Lines - len(lines); missing > 0 {
			d.Missing += missing
			d.Told = append(d.Told, fmt.Sprintf("Of %d lines of stage %q %d are left%s", said.Lines, e.Name, len(lines), stepsOf(lines)))
		} else if !holds(lines, said) {
			d.Unsure = true
			d.Told = append(d.Told, fmt.Sprintf("Lines of stage %q are not those that the manifest has recorded", e.Name))
		}
		e.Measured = measure(lines)
	}
	if len(remade) > 0 {
		d.Told = append(d.Told, fmt.Sprintf("Lines of %s were restored from %s", strings.Join(remade, ", "), runs.EventsName))
	}
	return nil
}

// stepsOf lists the steps of lines, for a message.
func stepsOf(lines []measurement) string {
	var steps []string
	for _, l := range lines {
		if s := fmt.Sprint(l.step); !slices.Contains(steps, s) {
			steps = append(steps, s)
		}
	}
	switch {
	case len(steps) == 0:
		return ""
	case len(steps) > 10:
		return fmt.Sprintf(", up to step %s", steps[len(steps)-1])
	}
	return ": of step " + strings.Join(steps, ", ")
}

// union merges two lists of lines and sorts them by step. If both have a line with the same key, it takes a's.
func union(a, b []measurement) []measurement {
	out := slices.Clone(a)
	for _, l := range b {
		if !slices.ContainsFunc(a, func(o measurement) bool { return o.key == l.key }) {
			out = append(out, l)
		}
	}
	slices.SortStableFunc(out, func(a, b measurement) int { return cmp.Compare(a.step, b.step) })
	return out
}

// replay reads events.jsonl from its beginning and rebuilds the lines of metrics.jsonl, by
// stage. An event with metrics adds a line. An entry of the manifest corrects the lines of
// its stage: it has the lines themselves, or says how many of them were still valid at
// that time (a resumed run begins with those of its checkpoint).
func (j *Journal) replay() (map[string][]measurement, error) {
	out := map[string][]measurement{}
	err := j.folder.Events(func(object []byte) error {
		var e event.Logged
		var data struct {
			Metrics number.Map       `json:"metrics"`
			LR      *number.Float    `json:"lr"`
			Entry   *runs.StageEntry `json:"entry"`
		}
		if !telling(object) || json.Unmarshal(object, &e) != nil || len(e.Data) > 0 && json.Unmarshal(e.Data, &data) != nil {
			return nil
		}
		name := e.Stage
		if entry := data.Entry; entry != nil && e.Kind == (event.Entry{}).Kind() {
			switch {
			case entry.Lines != nil:
				out[name] = parseAll(name, entry.Lines)
			case entry.Measured == nil:
				out[name] = nil
			default:
				out[name] = out[name][:min(max(entry.Measured.Lines, 0), len(out[name]))]
			}
			return nil
		}
		l := metricLine{e.Stage, e.Kind, e.Epoch, e.Step, data.LR, data.Metrics}
		if !slices.Contains(measuring(), e.Kind) || l.Metrics == nil || slices.ContainsFunc(out[name], func(o measurement) bool { return o.key == l.key() }) {
			return nil
		}
		text, err := json.Marshal(l)
		out[name] = append(out[name], measurement{name, l.key(), l.Step, text, l})
		return err
	})
	return out, err
}

// telling reports whether a line can be an event that replay needs. It is a quick test that
// saves parsing all the others.
func telling(object []byte) bool {
	for _, kind := range append(measuring(), event.Entry{}.Kind()) {
		if bytes.Contains(object, []byte(`"event":"`+kind+`"`)) {
			return true
		}
	}
	return false
}
