package cli

import (
	"slices"
	"time"

	"qpipe/interp/console"
	"qpipe/interp/exec"
	"qpipe/lang/diag"
)

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
