package graph

import (
	"fmt"
	"math"
	"slices"

	"qpipe/interp/checkpoint"
	"qpipe/interp/part"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// Past describes the training that a stage with resume_optimizer continues, as far as it is
// known before the run.
type Past struct {
	Load      Load
	Form      nn.Form
	Whence    string   // where the checkpoint comes from, for messages: `stage "float"`, or the file
	Step      int      // completed steps; -1 if known only during the run
	PerEpoch  int      // steps of an epoch; -1 if unknown
	Rate      float64  // the learning rate of its last step; NaN if unknown
	Seed      int64    // of the order of the images
	Slots     []string // names of the optimizer's slots; nil if unknown
	Callbacks []string // names of the callbacks (see stage.CallbackNames)
	States    []string // names of the callbacks that have a state in the checkpoint
	Frozen    []string // nodes whose BN may be frozen
}

// PastOf describes the training of the stage that writes a checkpoint.
func (p *Plan) PastOf(load Load) *Past {
	up := load.Up
	past := &Past{
		Load: load, Form: up.Model.Form(), Whence: fmt.Sprintf("stage %q", up.Name), Step: -1, PerEpoch: up.Length.StepsPerEpoch, Seed: p.Program.Settings.Seed,
		Rate: up.rateAt(up.Length.Steps-1, p.Catalog), Callbacks: callbackNames(up.Stage), States: p.states(up), Frozen: up.frozen(),
	}
	if opt := p.Optimizer(up.Trainer); opt != nil {
		past.Slots = opt.Slots()
	}
	switch {
	case load.From.Which == "last" && up.Length.Steps > 0 && up.Length.StepsPerEpoch > 0:
		past.Step = up.Length.Steps
	case up.Trainer.LRUpdater != nil:
		past.Rate = math.NaN()
	}
	return past
}

// PastOfFile describes the training of a checkpoint that is a file.
func PastOfFile(load Load, snap *checkpoint.Snapshot) *Past {
	past := &Past{
		Load: load, Form: snap.Form, Whence: load.From.Path, Step: snap.Step, PerEpoch: snap.Position.StepsPerEpoch, Rate: snap.LR, Seed: snap.Seed,
		Slots: []string{}, Frozen: snap.FrozenBN,
	}
	for slot := range snap.Optimizer {
		past.Slots = append(past.Slots, slot)
	}
	for _, c := range snap.Callbacks {
		past.Callbacks = append(past.Callbacks, c.Name)
		if len(c.State) > 0 {
			past.States = append(past.States, c.Name)
		}
	}
	return past
}

// callbackNames returns the names of a stage's callbacks, as checkpoints have them.
func callbackNames(s *program.Stage) []string {
	types := make([]string, len(s.Callbacks))
	for i, c := range s.Callbacks {
		types[i] = c.Type
	}
	return stage.CallbackNames(types)
}

// states returns the names of a stage's callbacks that have a state at its end.
func (p *Plan) states(s *Stage) []string {
	var out []string
	for i, name := range callbackNames(s.Stage) {
		c := s.Callbacks[i]
		if k, ok := c.Args.(program.BestKeeper); ok && (!k.KeepsBest() || !slices.Contains(s.Writes, "best")) {
			continue
		}
		if p.stateful(c) {
			out = append(out, name)
		}
	}
	return out
}

// stateful reports whether a callback has a state.
func (p *Plan) stateful(c program.Callback) bool {
	cb, err := part.New[part.Callback](p.Catalog, c.Call)
	_, ok := cb.(part.Stateful)
	return err == nil && ok
}

// Optimizer makes a trainer's optimizer. It returns nil if the arguments contain a mistake.
func (p *Plan) Optimizer(t *program.Trainer) part.Optimizer {
	opt, err := part.New[part.Optimizer](p.Catalog, t.Optimizer)
	if err != nil {
		return nil
	}
	return opt
}

// rateAt returns the learning rate of a step of the stage, NaN if unknown.
func (s *Stage) rateAt(step int, c part.Catalog) float64 {
	t := s.Trainer
	opt, err := part.New[part.Optimizer](c, t.Optimizer)
	if err != nil {
		return math.NaN()
	}
	base := opt.LR()
	if t.ResumeOptimizer && !t.ResumeEpochOrStep {
		if base = math.NaN(); s.Past != nil {
			base = s.Past.Rate
		}
	}
	if t.LRUpdater == nil || math.IsNaN(base) {
		return base
	}
	u, err := part.New[part.LRUpdater](c, *t.LRUpdater)
	if err != nil || step < 0 || s.Length.Steps <= 0 || s.Length.StepsPerEpoch <= 0 {
		return math.NaN()
	}
	return stage.RateAt(base, u, step, s.Length)
}

// frozen lists the nodes whose BN may be frozen in a stage's checkpoint.
func (s *Stage) frozen() []string {
	var nodes []string
	for i, c := range s.Callbacks {
		if _, freezes := c.Args.(program.BNFreezer); freezes {
			nodes = append(nodes, s.Modules[i]...)
		}
	}
	if s.Past != nil && s.Trainer.ResumeEpochOrStep {
		nodes = append(nodes, s.Past.stillFrozen()...)
	}
	return nodes
}

// stillFrozen lists the nodes whose BN is frozen when a full recovery begins, by their names in this stage.
func (p *Past) stillFrozen() []string {
	nodes := make([]string, len(p.Frozen))
	for i, node := range p.Frozen {
		nodes[i] = checkpoint.Renamed(node, p.Load.Options)
	}
	return nodes
}

// Acted reports whether the other stage has the same callback as callback i of this stage: of
// the same type, with the same modules and the same schedule. Then the points of its
// schedule that lie before this stage have been acted upon in the other stage. For a file,
// only types and places can be compared.
func (p *Past) Acted(s *Stage, i int) bool {
	c := &s.Callbacks[i]
	if p.Load.Up == nil {
		return slices.Contains(p.Callbacks, callbackNames(s.Stage)[i])
	}
	return slices.ContainsFunc(p.Load.Up.Callbacks, func(b program.Callback) bool {
		return b.Type == c.Type && b.When != nil && c.When != nil && b.When.Text == c.When.Text && slices.EqualFunc(b.Modules, c.Modules,
			func(x, y program.Selector) bool { return x.Text == y.Text })
	})
}

// BestOf returns the earliest stage that the best checkpoint of this stage may come from: a
// stage takes over the best checkpoint of the training that it continues. Absorptions
// after that stage may be missing in the checkpoint.
func (s *Stage) BestOf() *Stage {
	for s.Past != nil && s.Past.Load.Up != nil && s.Trainer.ResumeEpochOrStep && slices.Contains(s.Past.Load.Up.Writes, "best") {
		s = s.Past.Load.Up
	}
	return s
}

// idle reports whether it is already known that the stage has no step to do.
func (s *Stage) idle() bool {
	return s.Past != nil && s.Trainer.ResumeEpochOrStep && s.Past.Step >= 0 && s.Past.Step == s.Length.Steps
}

// trainerAt returns the place of the first of these attributes that is written in the
// trainer, or the place of the attribute that asks for the recovery.
func trainerAt(s *Stage, attrs ...string) diag.Range {
	for _, a := range append(attrs, "resume_epoch_or_step", "resume_optimizer") {
		if r, ok := s.Trainer.Origin.Attrs[a]; ok {
			return r
		}
	}
	return s.Trainer.Origin.Header
}

// related points to the trainer of the stage that is continued.
func (p *Past) related() []diag.Related {
	if p.Load.Up == nil {
		return nil
	}
	return []diag.Related{{Message: "it continues from this training", Range: p.Load.Up.Trainer.Origin.Header}}
}
