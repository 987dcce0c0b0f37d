package check

import (
	"slices"

	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// rules applies the rules between blocks, each in a file of its own. The rules
// look at stages whose blocks are right; the last ones, which are advice about
// what is not needed, only speak when nothing else is wrong.
func (c *checker) rules() {
	for _, s := range c.stages {
		s.walkForms()
	}
	c.ruleStageCycle()
	for _, s := range c.stages {
		if s.broken {
			continue
		}
		c.ruleOneSolver(s)
		c.ruleData(s)
		c.ruleConverterOrder(s)
		c.ruleSolverForm(s)
		c.ruleQConfig(s)
		c.ruleQATMode(s)
		c.ruleResume(s)
		c.ruleSchedule(s)
		c.ruleAbsorption(s)
		c.ruleAveraging(s)
		c.ruleFloatCheckpoint(s)
		c.ruleLearningRate(s)
		c.ruleIdleCallback(s)
		c.ruleMonitor(s)
		c.ruleOneBest(s)
	}
	c.ruleResults()
	if !c.list.HasErrors() {
		c.ruleUnreadStage()
		c.ruleUnused()
	}
}

// stageNamed returns the stage of that name if the rules may look at it.
func (c *checker) stageNamed(id string) *stage {
	s := c.byName[id]
	if s == nil || s.broken {
		return nil
	}
	return s
}

// load is a converter that loads a checkpoint.
type load struct {
	index      int // among the converters
	call       program.Call
	attr       string
	checkpoint program.Checkpoint
}

// loads lists the converters with a checkpoint among their arguments, in order.
func (s *stage) loads() []load {
	if s.Convert == nil || s.loaded != nil {
		return s.loaded
	}
	out := []load{}
	for i, call := range s.Convert.Converters {
		if attr, cp, ok := checkpointOf(call.Args); ok {
			out = append(out, load{i, call, attr, cp})
		}
	}
	s.loaded = out
	return out
}

// checkpointOf returns the first argument that is a checkpoint.
func checkpointOf(args any) (attr string, cp program.Checkpoint, ok bool) {
	for attr, cp := range program.Checkpoints(args) {
		return attr, cp, true
	}
	return "", cp, false
}

// walkForms finds the form that the converters leave the model in.
func (s *stage) walkForms() {
	s.form, s.sound = program.Float, !s.broken
	int8 := map[int]bool{}
	for _, l := range s.loads() {
		int8[l.index] = l.checkpoint.Which == program.Int8
	}
	for i, sig := range s.signatures {
		s.sound = s.sound && sig.Kind != ""
		switch {
		case int8[i]:
			s.form = program.Quantized
		case sig.To != program.AnyForm:
			s.form = sig.To
		}
	}
}

// loadsFile reports whether the stage loads a file, which may be an int8 model: the
// graph looks into it.
func (s *stage) loadsFile() bool {
	return slices.ContainsFunc(s.loads(), func(l load) bool { return l.checkpoint.Path != "" })
}

// trains reports whether the stage has a solver, so that it writes checkpoints.
func (s *stage) trains() bool { return s.Trainer != nil || s.Calibrator != nil }

// place is where an attribute of a block stands, or the block's header.
func place(o program.Origin, attr string) at {
	p := at{address: o.Address, subject: o.At(attr)}
	if p.subject != o.Header {
		p.context = o.Header
	}
	return p
}

func note(message string, r diag.Range) []diag.Related {
	return []diag.Related{{Message: message, Range: r}}
}
