package graph

import (
	"fmt"
	"slices"

	"qpipe/lang/diag"
	"qpipe/lang/program"
)

func singleValue() Rule {
	return Rule{
		About: diag.About{
			Name: "single-value", Code: "QP319",
			Summary: "a BN would be trained on a single value per channel, which has no variance",
			Doc:     "This happens if the BN's input has one pixel and a batch has one image.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for _, s := range p.Stages {
				images := -1
				if s.Data.Train != nil {
					images = s.Data.Train.Spec.Len
				}
				if d := SingleValue(s, images); d != nil {
					report(d)
				}
			}
		},
	}
}

// SingleValue reports BNs that a stage would train on a single value per channel: one
// pixel of one image. images is the number of training images, negative if unknown; then
// the result nil means only that no mistake is known. PyTorch does not allow it either
// ("Expected more than 1 value per channel when training").
func SingleValue(s *Stage, images int) *diag.Diagnostic {
	t := s.Trainer
	if t == nil || s.Model == nil || t.BatchSize <= 0 {
		return nil
	}
	step, attr, way := 0, "batch_size", "Make batch_size larger"
	what := "every batch has one image"
	if t.BatchSize > 1 {
		if images < 0 || t.DropLast || images%t.BatchSize != 1 {
			return nil
		}
		step, attr = images/t.BatchSize, "drop_last"
		way = "Set drop_last = true, or choose a batch_size that leaves no image over"
		what = fmt.Sprintf("the last batch of every epoch has one image (%d in batches of %d)", images, t.BatchSize)
	}
	if t.NumSteps > 0 && step >= t.NumSteps {
		return nil // training ends before that batch
	}
	var nodes, frozen []string
	if s.Past != nil && t.ResumeEpochOrStep {
		frozen = s.Past.stillFrozen()
	}
	for _, m := range s.Model.Modules() {
		if m.BN != "" && m.Out.H*m.Out.W == 1 && !slices.Contains(frozen, m.Name) && !s.stilled(m.Name, step) {
			nodes = append(nodes, m.Name)
		}
	}
	if len(nodes) == 0 {
		return nil
	}
	bns := "the BN of " + nodes[0] + " sees"
	if len(nodes) > 1 {
		bns = "the BNs of " + diag.Enumerate(nodes) + " see"
	}
	return &diag.Diagnostic{
		Code: "QP319", Subject: t.Origin.At(attr), Address: t.Origin.Address, Module: nodes[0],
		Summary: fmt.Sprintf("%s, and %s a single value per channel in it", what, bns),
		Detail: "One value has no variance: the BN's output does not depend on the image, and the running variance tends to 0. " + way +
			`, or let these BNs keep their running statistics from the start: callback "FreezeBN" { modules = [` + quoted(nodes) + "] }.",
	}
}

// quoted lists names in quotes, separated by commas.
func quoted(names []string) (text string) {
	for i, n := range names {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%q", n)
	}
	return text
}

// stilled reports whether a callback has frozen or absorbed the node's BN before a step.
func (s *Stage) stilled(node string, step int) bool {
	for i, c := range s.Callbacks {
		_, absorbs := c.Args.(program.BNAbsorber)
		_, freezes := c.Args.(program.BNFreezer)
		if (absorbs || freezes) && firesBy(c.When, step) && slices.Contains(s.Modules[i], node) {
			return true
		}
	}
	return false
}

// firesBy reports whether a callback has acted for the first time before a given step of the
// first epoch. Without a schedule it acts before the first step.
func firesBy(w *program.Schedule, step int) bool {
	switch {
	case w == nil || w.Start:
		return true
	case w.End:
		return false
	case w.Unit == program.Epoch:
		return w.From == 0
	}
	return w.From <= step
}
