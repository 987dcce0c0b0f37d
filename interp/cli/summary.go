package cli

import (
	"fmt"
	"slices"
	"time"

	"qpipe/interp/console"
	"qpipe/interp/exec"
	"qpipe/lang/diag"
)

// summary prints the closing table and the outputs.
func (a *app) summary(r *exec.Report, out string, took time.Duration) {
	p := a.paint(a.Out)
	rows := [][]string{{"stage", "", "accuracy", "size", "time"}}
	for _, s := range r.Stages {
		rows = append(rows, []string{s.Name, s.State, console.Accuracy(s.Metrics), fileSize(s.Bytes), spent(s)})
	}
	fmt.Fprintln(a.Out)
	for i, line := range console.Table(rows, "llrrr") {
		if i == 0 {
			line = p.Dim(line)
		}
		fmt.Fprintln(a.Out, line)
	}
	if len(r.Outputs) > 0 {
		fmt.Fprintln(a.Out)
	}
	for _, o := range r.Outputs {
		fmt.Fprintf(a.Out, "%s = %s\n", p.Bold(o.Name), console.Printable(console.Value(o.Value)))
	}
	fmt.Fprintf(a.Out, "\n%s in %s\n", console.Printable(out), console.Seconds(took.Seconds()))
}

func fileSize(n int64) string {
	if n <= 0 {
		return ""
	}
	return console.Size(n)
}

func spent(s exec.StageReport) string {
	if s.Seconds <= 0 {
		return ""
	}
	return console.Seconds(s.Seconds)
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

// report is the JSON form of the diagnostics about a pipeline and its run.
func (l *loaded) report(more diag.List) diag.Items {
	return diag.NewItems(slices.Concat(l.diags, more), l.files.Source)
}

func (a *app) jsonEnd(l *loaded, out string, o outcome, took time.Duration) error {
	end := endLine{
		Time: console.Now(), Kind: "run_end", Out: out, Seconds: took.Seconds(),
		Stages: []exec.StageReport{}, Outputs: []exec.OutputReport{}, Items: l.report(o.diags),
	}
	if o.report != nil {
		end.Interrupted = o.report.Interrupted
		end.Stages = append(end.Stages, o.report.Stages...)
		end.Outputs = append(end.Outputs, o.report.Outputs...)
	}
	console.NewJSONLines(a.out.Raw(), a.Err).Write(end)
	return nil
}
