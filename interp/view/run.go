package view

import (
	"cmp"
	"fmt"
	"path"
	"strconv"
	"strings"

	"qpipe/interp/console"
	"qpipe/interp/runs"
)

// Run describes a run's folder.
func (s *Sheet) Run(d *runs.Description) {
	m := d.Run
	s.Title(d.Path)
	s.Row("kind", d.Kind)
	s.Row("pipeline", strings.Join(m.Files, ", "))
	s.Row("note", d.Note)
	if d.Note == "" {
		s.Row("seed", strconv.FormatInt(m.Seed, 10))
	}
	s.Row("kernels", m.Kernels)
	s.Row("qpipe", m.Version)
	for _, l := range d.Logs {
		s.Row("log", l)
	}
	rows := [][]string{{"stage", "state", "form", "accuracy", "steps", "time"}}
	files := [][]string{{"file", "size", "sha256"}}
	for _, e := range m.Stages {
		rows = append(rows, []string{e.Name, e.State, e.Form, console.Accuracy(e.Metrics), steps(e.Steps), console.Seconds(e.Seconds)})
		for _, f := range e.Artifacts {
			files = append(files, []string{f.Path, console.Size(f.Bytes), cmp.Or(d.Faults[f.Path], f.SHA256)})
		}
	}
	s.section("stages", "lllrrr", rows)
	for _, e := range m.Stages {
		if e.Error != "" {
			fmt.Fprintf(s, "  %s: %s\n", console.Printable(e.Name), console.Printable(e.Error))
		}
	}
	s.section("files", "lrl", files)
	s.section("kept until a stage is complete", "llrrl", keptRows(d))
	outputs := [][]string{{"output", "value"}}
	for _, o := range m.Outputs {
		outputs = append(outputs, []string{o.Name, console.Value(o.Value)})
	}
	s.section("outputs", "ll", outputs)
}

// keptRows lists earlier results and attempts that are kept until another one is complete.
func keptRows(d *runs.Description) [][]string {
	rows := [][]string{{"stage", "state", "accuracy", "steps", "files"}}
	for _, e := range d.Run.Stages {
		for _, k := range e.Kept {
			if len(k.Artifacts) == 0 || k.Dropped {
				continue
			}
			what := path.Dir(k.Artifacts[0].Path) + ": " + console.Count(len(k.Artifacts), "file")
			for _, f := range k.Artifacts {
				if fault := d.Faults[f.Path]; fault != "" {
					what += ", " + path.Base(f.Path) + " " + fault
				}
			}
			rows = append(rows, []string{k.Name, k.State, console.Accuracy(k.Metrics), steps(k.Steps), what})
		}
	}
	return rows
}

// steps prints a stage's steps: none for one that does not train, or has not ended.
func steps(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
