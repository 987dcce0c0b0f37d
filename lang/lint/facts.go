package lint

import (
	"reflect"
	"slices"

	"qpipe/lang/program"
)

// prepare finds out what several rules need to know of the stages.
func (p *Pipeline) prepare() {
	p.byName = map[string]*Stage{}
	for _, s := range p.Stages {
		p.byName[s.Name] = s
		s.findLoads()
		s.findForm()
	}
	for _, s := range p.Stages {
		if !s.Broken {
			p.walk(s)
		}
	}
}

// stage returns the stage of that name if the rules may look at it.
func (p *Pipeline) stage(name string) *Stage {
	s := p.byName[name]
	if s == nil || s.Broken {
		return nil
	}
	return s
}

// first is the first name of a kind, or else the word.
func (p *Pipeline) first(kind, word string) string {
	for _, n := range p.Names {
		if n.Kind == kind {
			return n.Name
		}
	}
	return word
}

// load is a converter that loads a checkpoint.
type load struct {
	index      int // among the converters
	call       program.Call
	attr       string
	checkpoint program.Checkpoint
}

// findLoads lists the converters with a checkpoint among their arguments, in order.
func (s *Stage) findLoads() {
	if s.Convert == nil {
		return
	}
	for i, call := range s.Convert.Converters {
		for attr, cp := range program.Checkpoints(call.Args) {
			s.loads = append(s.loads, load{i, call, attr, cp})
			break
		}
	}
}

// findForm finds the form that the converters leave the model in.
func (s *Stage) findForm() {
	s.form, s.sound = program.Float, !s.Broken
	int8 := map[int]bool{}
	for _, l := range s.loads {
		int8[l.index] = l.checkpoint.Which == program.Int8
	}
	for i, sig := range s.Converters {
		s.sound = s.sound && sig.Kind != ""
		switch {
		case int8[i]:
			s.form = program.Quantized
		case sig.To != program.AnyForm:
			s.form = sig.To
		}
	}
}

// loadsFile reports whether the stage loads a file, which may be an int8 model: the graph looks
// into it.
func (s *Stage) loadsFile() bool {
	return slices.ContainsFunc(s.loads, func(l load) bool { return l.checkpoint.Path != "" })
}

// trains reports whether the stage has a solver, so that it writes checkpoints.
func (s *Stage) trains() bool { return s.Trainer != nil || s.Calibrator != nil }

// measures reports whether the stage can know a metric: "" is none.
func (s *Stage) measures(metric string) bool {
	return metric == "" || s.Written.ValData || metric == "loss" && s.Trainer != nil
}

// absorber returns the stage's first callback that absorbs BatchNorms.
func (s *Stage) absorber() *program.Callback {
	for i := range s.Callbacks {
		if _, ok := s.Callbacks[i].Args.(program.BNAbsorber); ok {
			return &s.Callbacks[i]
		}
	}
	return nil
}

// watched returns the metric that a callback monitors, if its text says which. The default of a
// monitor that is not written promises nothing.
func watched(c *program.Callback) (metric string, written bool) {
	m, ok := c.Args.(program.Monitor)
	if !ok {
		return "", false
	}
	_, written = c.Origin.Attrs["monitor"]
	return m.Monitors(), written
}

// floatAncestor follows the checkpoints that a stage loads back to a trained float stage. file is
// set when the way ends in a file, of which nothing is known.
func (p *Pipeline) floatAncestor(s *Stage) (float *Stage, file bool) {
	seen := map[*Stage]bool{}
	queue := []*Stage{s}
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		if seen[next] {
			continue
		}
		seen[next] = true
		for _, l := range next.loads {
			from := p.stage(l.checkpoint.Stage)
			switch {
			case l.checkpoint.Path != "" || from == nil: // without a stage it is reported elsewhere
				file = true
			case from.form == program.Float && from.Trainer != nil:
				return from, file
			default:
				queue = append(queue, from)
			}
		}
	}
	return nil, file
}

// learningRate returns the argument named lr; a rate of 0 is one that could not be found.
func learningRate(args any) (float64, bool) {
	for f, v := range program.Arguments(args) {
		if f.Name == "lr" && v.Kind() == reflect.Float64 {
			return v.Float(), v.Float() > 0
		}
	}
	return 0, false
}
