package graph

import (
	"slices"

	"qpipe/lang/program"
)

// Order returns the plan's stages in an order in which they can run: each stage after those
// that it reads, otherwise in written order. lang/lint reports circles; here a circle is
// cut at an arbitrary place.
func Order(p *program.Program) []*Stage {
	made := map[string]*Stage{}
	written := map[string]*program.Stage{}
	for _, s := range p.Stages {
		written[s.Name] = s
	}
	var out []*Stage
	var visit func(s *program.Stage) *Stage
	visit = func(s *program.Stage) *Stage {
		if m, ok := made[s.Name]; ok {
			return m
		}
		m := &Stage{Stage: s}
		made[s.Name] = m
		for _, name := range Needs(s) {
			if up := written[name]; up != nil && up != s {
				m.Reads = append(m.Reads, visit(up))
			}
		}
		out = append(out, m)
		return m
	}
	for _, s := range p.Stages {
		visit(s)
	}
	return out
}

// Needs lists the stages that a stage refers to, each once, in the order of the references.
func Needs(s *program.Stage) []string {
	var names []string
	add := func(refs []program.Ref) {
		for _, r := range refs {
			if !slices.Contains(names, r.Stage) {
				names = append(names, r.Stage)
			}
		}
	}
	for _, c := range Calls(s) {
		add(c.Refs)
	}
	for _, c := range s.Conditions {
		add(c.Refs)
	}
	add(s.DependsOn)
	return names
}

// Calls lists the parts that a stage names, without data sets and the model.
func Calls(s *program.Stage) []program.Call {
	var calls []program.Call
	if s.Convert != nil {
		calls = append(calls, s.Convert.Converters...)
	}
	if t := s.Trainer; t != nil {
		calls = append(calls, t.Optimizer)
		if t.LRUpdater != nil {
			calls = append(calls, *t.LRUpdater)
		}
		calls = append(calls, program.Calls(t.Losses)...)
	}
	calls = append(calls, program.Calls(s.Validation.Metrics)...)
	for _, c := range s.Callbacks {
		calls = append(calls, c.Call)
	}
	return append(calls, s.Exports...)
}
