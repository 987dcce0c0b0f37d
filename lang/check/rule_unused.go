package check

import (
	"fmt"

	"qpipe/lang/diag"
	"qpipe/lang/syntax"
)

// ruleUnreadStage: a stage that trains or calibrates leaves a checkpoint for
// someone. The last stage is what the pipeline is for; outputs, asserts and
// exports are uses.
func (c *checker) ruleUnreadStage() {
	read := map[string]bool{}
	for _, s := range c.stages {
		for _, r := range s.refs {
			read[r.Stage] = true
		}
	}
	for _, o := range c.prog.Outputs {
		for _, r := range o.Refs {
			read[r.Stage] = true
		}
		for _, cond := range o.Conditions {
			for _, r := range cond.Refs {
				read[r.Stage] = true
			}
		}
	}
	for i, s := range c.stages {
		if !s.trains() || read[s.Name] || i == len(c.stages)-1 || len(s.Exports)+len(s.Conditions) > 0 {
			continue
		}
		c.warnf(diag.StageUnread, place(s.Origin, ""),
			fmt.Sprintf("Load its checkpoint in a later stage (stage.%s.checkpoint.last), print a metric of it in an output, or remove it.", s.Name),
			"nothing reads what stage %q leaves", s.Name)
	}
}

// ruleUnused: a name that nothing refers to is often a typing mistake elsewhere.
func (c *checker) ruleUnused() {
	for _, kind := range []string{"var", "local", "dataset", "model", "qconfig"} {
		for _, id := range c.known(kind) {
			n := c.names[kind][id]
			if n.used {
				continue
			}
			word := "local value"
			if n.block != nil {
				word = n.block.Keyword
			}
			c.warnf(diag.Unused, at{address: n.address, subject: syntax.Range(n.where)},
				fmt.Sprintf("Remove it, or refer to it as %s.%s.", kind, id), "%s %q is never used", word, id)
		}
	}
}

// ruleIdleCallback: callbacks act during training or calibration only.
func (c *checker) ruleIdleCallback(s *stage) {
	if s.trains() {
		return
	}
	for _, cb := range s.Callbacks {
		if cb.Args == nil {
			continue
		}
		c.warnf(diag.CallbackIdle, place(cb.Origin, ""), "The stage only converts and validates. Remove the callback, or add a trainer.",
			"callback %q never acts: stage %q neither trains nor calibrates", cb.Type, s.Name)
	}
}
