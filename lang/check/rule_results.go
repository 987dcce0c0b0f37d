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
	}
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
	if s.inside.ValData != nil || which == "loss" && s.Trainer != nil {
		return
	}
	detail := "Add to that stage: val_data = dataset." + orWord(c.known("dataset"), "name")
	if s.Trainer != nil {
		detail += fmt.Sprintf(". Without validation there is only stage.%s.metrics.loss", s.Name)
	}
	d := c.errorf(diag.NoMetrics, p, detail+".", "stage %q does not measure %q: it has no val_data", s.Name, which)
	d.Related = note("the stage is here", s.Origin.Header)
}
