package lint

import (
	"fmt"
	"strings"

	"qpipe/lang/diag"
	"qpipe/lang/program"
)

func noCheckpoint() Rule {
	return Rule{
		About: diag.About{
			Name: "no-checkpoint", Code: "QP237",
			Summary: "the stage does not write the checkpoint referred to",
			Doc: `A stage that trains or calibrates writes "last". A callback that keeps the best adds "best", ` +
				`and a conversion to int8 leaves "int8" alone.`,
		},
		Check: func(p *Pipeline, report diag.Reporter) {
			for r := range p.references() {
				s := p.stage(r.Stage)
				which, ok := strings.CutPrefix(r.What, "checkpoint.")
				if s == nil || !ok {
					continue
				}
				if d := p.absent(s, which, place{address: r.Address, subject: r.Range}); d != nil {
					report(d)
				}
			}
		},
	}
}

// absent says why a stage leaves no such checkpoint, nil if it does.
func (p *Pipeline) absent(s *Stage, which string, where place) *diag.Diagnostic {
	fail := func(detail, format string, a ...any) *diag.Diagnostic {
		return related(found(where, detail, format, a...), "the stage is here", s.Origin.Header)
	}
	if which == program.Int8 {
		if !s.sound || s.form == program.Quantized || s.loadsFile() {
			return nil
		}
		return fail(`The converter "QAT2Quantize" makes one.`, "stage %q leaves no int8 model: it ends with %s model", s.Name, diag.Article(s.form))
	}
	switch {
	case !s.trains() && s.form == program.Quantized:
		return fail(fmt.Sprintf("Take stage.%s.checkpoint.int8.", s.Name), "stage %q leaves no checkpoint %q, but an int8 model", s.Name, which)
	case !s.trains():
		return fail(p.writers(), "stage %q writes no checkpoint: it neither trains nor calibrates", s.Name)
	case which != "best":
		return nil
	case s.Trainer == nil:
		return fail(fmt.Sprintf("Take stage.%s.checkpoint.last.", s.Name), "stage %q keeps no best checkpoint: calibration has one result", s.Name)
	case !s.keepsBest():
		return fail(fmt.Sprintf(`Add to that stage: callback "Checkpoint" { monitor = "accuracy" }. Or take stage.%s.checkpoint.last.`, s.Name),
			"stage %q keeps no best checkpoint", s.Name)
	}
	if cb := s.unjudged(); cb != nil {
		return related(fail(fmt.Sprintf("Add to that stage: val_data = dataset.%s. Or take stage.%s.checkpoint.last.", p.first("dataset", "name"), s.Name),
			"stage %q cannot tell its best checkpoint: it has no val_data", s.Name), "the callback that would keep it", cb.Origin.Header)
	}
	return nil
}

// keepsBest reports whether a callback keeps the best checkpoint; one that could not be decoded
// counts as if it did.
func (s *Stage) keepsBest() bool {
	for _, cb := range s.Callbacks {
		if k, ok := cb.Args.(program.BestKeeper); cb.Args == nil || ok && k.KeepsBest() {
			return true
		}
	}
	return false
}

// unjudged is the callback that would keep the best checkpoint by a metric which the stage does not
// measure. One whose monitor is written has been reported.
func (s *Stage) unjudged() *program.Callback {
	for i := range s.Callbacks {
		cb := &s.Callbacks[i]
		if metric, written := watched(cb); !written && !s.measures(metric) {
			return cb
		}
	}
	return nil
}

// writers names the stages that do write checkpoints.
func (p *Pipeline) writers() string {
	var names []string
	for _, s := range p.Stages {
		if !s.Broken && s.trains() {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 {
		return "A stage with a trainer or a calibrator writes one."
	}
	return "Stages that write one: " + diag.Enumerate(names) + "."
}
