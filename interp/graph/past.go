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

// Past is what is known of the training that a stage with resume_optimizer continues.
type Past struct {
	Load      Load
	Form      nn.Form
	Whence    string // `stage "float"`, or the file
	Step      int    // completed; -1 where only the run will know
	PerEpoch  int    // steps; -1 where it is not known
	Rate      float64
	Seed      int64    // that orders the images
	Slots     []string // nil where they are not known
	Callbacks []string // their names
	States    []string // of those that have a state in the checkpoint
	Frozen    []string // nodes whose BN it may have frozen
}

// PastOf is what is known of the training of the stage that writes a checkpoint.
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

// PastOfFile is what a checkpoint's file says of its training.
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

func callbackNames(s *program.Stage) []string {
	types := make([]string, len(s.Callbacks))
	for i, c := range s.Callbacks {
		types[i] = c.Type
	}
	return stage.CallbackNames(types)
}

// states names the callbacks of a stage that have a state at its end.
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

func (p *Plan) stateful(c program.Callback) bool {
	cb, err := part.New[part.Callback](p.Catalog, c.Call)
	_, ok := cb.(part.Stateful)
	return err == nil && ok
}

// Optimizer makes a trainer's optimizer, nil where its arguments hold a mistake.
func (p *Plan) Optimizer(t *program.Trainer) part.Optimizer {
	opt, err := part.New[part.Optimizer](p.Catalog, t.Optimizer)
	if err != nil {
		return nil
	}
	return opt
}

// rateAt is the learning rate of a step of the stage; NaN where it is not known.
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

// frozen lists the nodes whose BN a stage's checkpoint may have frozen.
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

// stillFrozen lists the nodes whose BN is frozen where a full recovery begins.
func (p *Past) stillFrozen() []string {
	nodes := make([]string, len(p.Frozen))
	for i, node := range p.Frozen {
		nodes[i] = checkpoint.Renamed(node, p.Load.Options.Rename)
	}
	return nodes
}

// Acted reports whether the other stage has a callback of the same type that acts on the same
// modules at the same points: what lies before this stage is done. i is the callback's place in
// this stage.
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

// BestOf is the stage whose best checkpoint this one's may be: the first of those whose training it
// continues. Later absorptions are not surely in it.
func (s *Stage) BestOf() *Stage {
	for s.Past != nil && s.Past.Load.Up != nil && s.Trainer.ResumeEpochOrStep && slices.Contains(s.Past.Load.Up.Writes, "best") {
		s = s.Past.Load.Up
	}
	return s
}

// idle reports whether it is known that the stage has no step to do.
func (s *Stage) idle() bool {
	return s.Past != nil && s.Trainer.ResumeEpochOrStep && s.Past.Step >= 0 && s.Past.Step == s.Length.Steps
}

// trainerAt is the place of an attribute of the trainer, or of what asks for the recovery.
func trainerAt(s *Stage, attrs ...string) diag.Range {
	for _, a := range append(attrs, "resume_epoch_or_step", "resume_optimizer") {
		if r, ok := s.Trainer.Origin.Attrs[a]; ok {
			return r
		}
	}
	return s.Trainer.Origin.Header
}

func (p *Past) related() []diag.Related {
	if p.Load.Up == nil {
		return nil
	}
	return []diag.Related{{Message: "it continues from this training", Range: p.Load.Up.Trainer.Origin.Header}}
}
