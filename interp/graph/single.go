package graph

import (
	"fmt"
	"slices"

	"qpipe/interp/checkpoint"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// SingleValue reports BNs that a stage would train on a single value per channel: one
// pixel of one image. images is the number of training images, negative where it is not
// known; then nil says only that nothing is known to be wrong. PyTorch refuses it as well
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
		return nil // training ends before
	}
	var nodes, frozen []string
	if s.past != nil && t.ResumeEpochOrStep {
		frozen = s.past.stillFrozen()
	}
	for _, m := range s.Model.Modules() {
		if m.BN != "" && m.Out.H*m.Out.W == 1 && !slices.Contains(frozen, m.Name) && !s.settled(m.Name, step) {
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
		Code: diag.SingleValue, Subject: t.Origin.At(attr), Address: t.Origin.Address, Module: nodes[0],
		Summary: fmt.Sprintf("%s, and %s a single value per channel in it", what, bns),
		Detail: "One value has no variance: what comes out does not depend on the image, and the running variance goes to 0. " + way +
			`, or let these BNs keep their running statistics from the start: callback "FreezeBN" { modules = [` + quoted(nodes) + "] }.",
	}
}

func quoted(names []string) (text string) {
	for i, n := range names {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%q", n)
	}
	return text
}

// settled reports whether a callback has frozen or absorbed the node's BN by the step.
func (s *Stage) settled(node string, step int) bool {
	for i, c := range s.Callbacks {
		_, absorbs := c.Args.(program.BNAbsorber)
		_, freezes := c.Args.(program.BNFreezer)
		if (absorbs || freezes) && firesBy(c.When, step) && slices.Contains(s.Modules[i], node) {
			return true
		}
	}
	return false
}

// firesBy reports whether a callback acts in front of a step of the first epoch, or of
// one before it. Without a schedule it acts before the first.
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

// frozen lists the nodes whose BN a stage's checkpoint may have frozen.
func (s *Stage) frozen() []string {
	var nodes []string
	for i, c := range s.Callbacks {
		if _, freezes := c.Args.(program.BNFreezer); freezes {
			nodes = append(nodes, s.Modules[i]...)
		}
	}
	if s.past != nil && s.Trainer.ResumeEpochOrStep {
		nodes = append(nodes, s.past.stillFrozen()...)
	}
	return nodes
}

// stillFrozen lists the nodes whose BN is frozen where a full recovery begins.
func (p *past) stillFrozen() []string {
	nodes := make([]string, len(p.frozen))
	for i, node := range p.frozen {
		nodes[i] = checkpoint.Renamed(node, p.options.Rename)
	}
	return nodes
}

// singleValue is SingleValue while lowering.
func (l *lowerer) singleValue(s *Stage, train *feed) {
	images := -1
	if train != nil {
		images = train.spec.Len
	}
	if d := SingleValue(s, images); d != nil {
		l.fail(*d)
	}
}
