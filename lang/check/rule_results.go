package check

import (
	"fmt"
	"strings"

	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// ruleResults: a result that is referred to must be one that the stage leaves.
func (c *checker) ruleResults() {
	for _, s := range c.stages {
		for _, r := range s.refs {
			c.result(r)
		}
	}
	for _, o := range c.prog.Outputs {
		refs := o.Refs
		for _, cond := range o.Conditions {
			refs = append(refs[:len(refs):len(refs)], cond.Refs...)
		}
		for _, r := range refs {
			c.result(ref{r, o.Origin.Address})
		}
	}
}

func (c *checker) result(r ref) {
	s := c.stageNamed(r.Stage)
	if s == nil {
		return
	}
	what, which, _ := strings.Cut(r.What, ".")
	p := at{address: r.address, subject: r.Range}
	switch what {
	case "checkpoint":
		c.checkpointExists(s, which, p)
	case "metrics":
		c.metricExists(s, which, p)
	}
}

func (c *checker) checkpointExists(s *stage, which string, p at) {
	header := s.Origin.Header
	switch {
	case which == program.Int8:
		if s.sound && s.form != program.Quantized && !s.loadsFile() {
			d := c.errorf(diag.NoCheckpoint, p, `The converter "QAT2Quantize" makes one.`, "stage %q leaves no int8 model: it ends with %s model", s.Name, article(s.form))
			d.Related = note("the stage is here", header)
		}
	case !s.trains() && s.form == program.Quantized:
		d := c.errorf(diag.NoCheckpoint, p, fmt.Sprintf("Take stage.%s.checkpoint.int8.", s.Name), "stage %q leaves no checkpoint %q, but an int8 model", s.Name, which)
		d.Related = note("the stage is here", header)
	case !s.trains():
		d := c.errorf(diag.NoCheckpoint, p, c.writers(), "stage %q writes no checkpoint: it neither trains nor calibrates", s.Name)
		d.Related = note("the stage is here", header)
	case which == "best" && s.Trainer == nil:
		d := c.errorf(diag.NoCheckpoint, p, fmt.Sprintf("Take stage.%s.checkpoint.last.", s.Name), "stage %q keeps no best checkpoint: calibration has one result", s.Name)
		d.Related = note("the stage is here", header)
	case which == "best" && !s.keepsBest():
		d := c.errorf(diag.NoCheckpoint, p,
			fmt.Sprintf(`Add to that stage: callback "Checkpoint" { monitor = "accuracy" }. Or take stage.%s.checkpoint.last.`, s.Name),
			"stage %q keeps no best checkpoint", s.Name)
		d.Related = note("the stage is here", header)
	case which == "best" && s.unjudged() != nil:
		d := c.errorf(diag.NoCheckpoint, p,
			fmt.Sprintf("Add to that stage: val_data = dataset.%s. Or take stage.%s.checkpoint.last.", orWord(c.known("dataset"), "name"), s.Name),
			"stage %q cannot tell its best checkpoint: it has no val_data", s.Name)
		d.Related = note("the callback that would keep it", s.unjudged().Origin.Header)
	}
}

// unjudged is the callback that would keep the best checkpoint by a metric which
// the stage does not measure. One whose monitor is written has been reported.
func (s *stage) unjudged() *program.Callback {
	for i := range s.Callbacks {
		cb := &s.Callbacks[i]
		m, ok := cb.Args.(program.Monitor)
		if _, written := cb.Origin.Attrs["monitor"]; ok && !written && !s.measures(m.Monitors()) {
			return cb
		}
	}
	return nil
}

// ruleOneBest: a stage has one best checkpoint, so one callback says which it is.
func (c *checker) ruleOneBest(s *stage) {
	var first *program.Callback
	for i := range s.Callbacks {
		cb := &s.Callbacks[i]
		if k, ok := cb.Args.(program.BestKeeper); !ok || !k.KeepsBest() || cb.Faulty {
			continue
		}
		if first == nil {
			first = cb
			continue
		}
		d := c.errorf(diag.DuplicateBlock, place(cb.Origin, "monitor"), `Keep one of the two, or give one of them monitor = "".`,
			"a second callback keeps the best checkpoint of stage %q", s.Name)
		d.Related = note("the first is here", first.Origin.Header)
	}
}

// ruleMonitor: what a callback watches must be measured. That the validation
// measures it the graph finds out; here, that there is a validation. The default
// of an unwritten monitor is no promise.
func (c *checker) ruleMonitor(s *stage) {
	for _, cb := range s.Callbacks {
		m, ok := cb.Args.(program.Monitor)
		if _, written := cb.Origin.Attrs["monitor"]; !ok || !written || cb.Faulty || s.measures(m.Monitors()) {
			continue
		}
		c.errorf(diag.NoMetrics, place(cb.Origin, "monitor"), "Add to the stage: val_data = dataset."+orWord(c.known("dataset"), "name")+".",
			"stage %q does not measure %q: it has no val_data", s.Name, m.Monitors())
	}
}

// measures reports whether the stage can know a metric: "" is none.
func (s *stage) measures(metric string) bool {
	return metric == "" || s.inside.ValData != nil || metric == "loss" && s.Trainer != nil
}

// keepsBest reports whether a callback keeps the best checkpoint; one that could
// not be decoded is believed to.
func (s *stage) keepsBest() bool {
	for _, cb := range s.Callbacks {
		if k, ok := cb.Args.(program.BestKeeper); cb.Args == nil || ok && k.KeepsBest() {
			return true
		}
	}
	return false
}

// writers names the stages that do write checkpoints.
func (c *checker) writers() string {
	var names []string
	for _, s := range c.stages {
		if !s.broken && s.trains() {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 {
		return "A stage with a trainer or a calibrator writes one."
	}
	return "Stages that write one: " + diag.Enumerate(names) + "."
}

func (c *checker) metricExists(s *stage, which string, p at) {
	if s.measures(which) {
		return
	}
	detail := "Add to that stage: val_data = dataset." + orWord(c.known("dataset"), "name")
	if s.Trainer != nil {
		detail += fmt.Sprintf(". Without validation there is only stage.%s.metrics.loss", s.Name)
	}
	d := c.errorf(diag.NoMetrics, p, detail+".", "stage %q does not measure %q: it has no val_data", s.Name, which)
	d.Related = note("the stage is here", s.Origin.Header)
}
