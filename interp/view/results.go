package view

import (
	"fmt"
	"strings"
	"time"

	"qpipe/interp/console"
	"qpipe/interp/eval"
	"qpipe/interp/exec"
)

// Summary is the table of the stages and the outputs at the end of a run.
func (s *Sheet) Summary(r *exec.Report, out string, took time.Duration) {
	rows := [][]string{{"stage", "", "accuracy", "size", "time"}}
	for _, st := range r.Stages {
		size, spent := "", ""
		if st.Bytes > 0 {
			size = console.Size(st.Bytes)
		}
		if st.Seconds > 0 {
			spent = console.Seconds(st.Seconds)
		}
		rows = append(rows, []string{st.Name, st.State, console.Accuracy(st.Metrics), size, spent})
	}
	fmt.Fprintln(s)
	s.table(rows, "llrrr", "")
	if len(r.Outputs) > 0 {
		fmt.Fprintln(s)
	}
	for _, o := range r.Outputs {
		fmt.Fprintf(s, "%s = %s\n", s.paint.Bold(o.Name), console.Printable(console.Value(o.Value)))
	}
	fmt.Fprintf(s, "\n%s in %s\n", console.Printable(out), console.Seconds(took.Seconds()))
}

// Evaluation is the result of an evaluation.
func (s *Sheet) Evaluation(r *eval.Report) {
	s.Title(r.Model)
	form := strings.TrimSuffix(fmt.Sprintf("%s, %s", r.Form, r.Mode), ", ")
	if r.EMA {
		form += ", averaged weights"
	}
	s.Row("form", form)
	s.Row("data", fmt.Sprintf("%s, %s", r.Data, console.Count(r.Images, "image")))
	for _, m := range console.MetricRows(r.Metrics) {
		s.Row(m[0], m[1])
	}
	s.Row("loss", fmt.Sprintf("%.4f", r.Metrics["loss"]))
	s.Row("speed", fmt.Sprintf("%s images/s, %s", console.Short(r.PerSecond), console.Count(r.Threads, "thread")))
	if d := r.Dump; d != nil {
		s.Row("dump", fmt.Sprintf("%s: %s, %s", d.Folder, console.Count(d.Arrays, "array"), console.Size(d.Bytes)))
	}
	for _, c := range r.Confusion {
		s.confusion(c)
	}
}
