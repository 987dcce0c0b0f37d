package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"qpipe/interp/exec"
	"qpipe/lang/diag"
)

// summary prints the closing table and the outputs.
func (a *app) summary(r *exec.Report, out string, took time.Duration) {
	p := a.paint(a.Out)
	rows := [][]string{{"stage", "", "accuracy", "size", "time"}}
	for _, s := range r.Stages {
		rows = append(rows, []string{s.Name, s.State, accuracy(s.Metrics), fileSize(s.Bytes), spent(s)})
	}
	fmt.Fprintln(a.Out)
	for i, line := range table(rows, "llrrr") {
		if i == 0 {
			line = p.dim(line)
		}
		fmt.Fprintln(a.Out, line)
	}
	if len(r.Outputs) > 0 {
		fmt.Fprintln(a.Out)
	}
	for _, o := range r.Outputs {
		fmt.Fprintf(a.Out, "%s = %s\n", p.bold(o.Name), printable(value(o.Value)))
	}
	fmt.Fprintf(a.Out, "\n%s in %s\n", printable(out), seconds(took.Seconds()))
}

// accuracy is the column of that name: the stage's metric "accuracy", or its
// only metric with its name.
func accuracy(m map[string]float64) string {
	if v, ok := m["accuracy"]; ok {
		return fmt.Sprintf("%.2f %%", 100*v)
	}
	names := make([]string, 0, len(m))
	for name := range m {
		if name != "loss" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return names[0] + " " + metric(m[names[0]])
}

func fileSize(n int64) string {
	if n <= 0 {
		return ""
	}
	return size(n)
}

func spent(s exec.StageReport) string {
	if s.Seconds <= 0 {
		return ""
	}
	return seconds(s.Seconds)
}

// value prints an output's value: lists and objects as JSON.
func value(v any) string {
	switch v := v.(type) {
	case float64:
		return metric(v)
	case string:
		return v
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSpace(text.String())
}

// table lays rows out in columns; align has a letter for each, "l" or "r". A
// column without a text takes no room.
func table(rows [][]string, align string) []string {
	widths := make([]int, len(align))
	for _, row := range rows {
		for i, cell := range row {
			row[i] = printable(cell)
			widths[i] = max(widths[i], cells(row[i]))
		}
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		var texts []string
		for j, cell := range row {
			if widths[j] == 0 {
				continue
			}
			pad := strings.Repeat(" ", widths[j]-cells(cell))
			if align[j] == 'r' {
				texts = append(texts, pad+cell)
			} else {
				texts = append(texts, cell+pad)
			}
		}
		lines[i] = strings.TrimRight(strings.Join(texts, "  "), " ")
	}
	return lines
}

// endLine is the last line of `run -json`.
type endLine struct {
	Time        string              `json:"time"`
	Kind        string              `json:"event"` // "run_end"
	Out         string              `json:"out"`
	Interrupted bool                `json:"interrupted"`
	Seconds     float64             `json:"seconds"`
	Stages      []exec.StageReport  `json:"stages"`
	Outputs     []exec.OutputReport `json:"outputs"`
	diag.Items
}

// report is the JSON form of all that is to say about a pipeline and its run.
func (l *loaded) report(more diag.List) diag.Items {
	return diag.NewItems(slices.Concat(l.diags, more), l.files.Source)
}

func (a *app) jsonEnd(l *loaded, out string, o outcome, took time.Duration) error {
	end := endLine{
		Time: now(), Kind: "run_end", Out: out, Seconds: took.Seconds(),
		Stages: []exec.StageReport{}, Outputs: []exec.OutputReport{}, Items: l.report(o.diags),
	}
	if o.report != nil {
		end.Interrupted = o.report.Interrupted
		end.Stages = append(end.Stages, o.report.Stages...)
		end.Outputs = append(end.Outputs, o.report.Outputs...)
	}
	newJSONLines(a.out.raw(), a.Err).write(end)
	return nil
}
