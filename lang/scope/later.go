package scope

import (
	"maps"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"qpipe/lang/diag"
	"qpipe/lang/functions"
	"qpipe/lang/program"
	"qpipe/lang/syntax"
)

// Finish turns the value of a deferred expression into what the caller wants.
type Finish func(cty.Value) (cty.Value, error)

// Any takes every value as it is.
func Any(v cty.Value) (cty.Value, error) { return v, nil }

// Bool takes true or false.
func Bool(v cty.Value) (cty.Value, error) { return asType(v, cty.Bool) }

// Text takes a string.
func Text(v cty.Value) (cty.Value, error) { return asType(v, cty.String) }

func asType(v cty.Value, want cty.Type) (cty.Value, error) {
	out, err := convert.Convert(v, want)
	if err != nil || out.IsNull() {
		return v, mismatch(word(want), v)
	}
	return out, nil
}

// Deferred makes the closure that evaluates an expression after the run. It
// reads only what the check has finished, and what the ones before have found under
// a lock, so it may be called at any time.
func (s *Scope) Deferred(expr hcl.Expression, address string, f Finish) program.Deferred {
	return func(r program.Results) (any, diag.List) {
		p := At{Address: address, Subject: syntax.Range(expr.Range())}
		s.late.Lock()
		defer s.late.Unlock()
		later, list := s.later(expr, address, r)
		if list.HasErrors() {
			return nil, list
		}
		v, ok := later.Value(expr, address)
		if !ok {
			return nil, later.List
		}
		v, err := f(v)
		if err == nil {
			var out any
			if out, err = Plain(v); err == nil {
				return out, nil
			}
		}
		later.Errorf(diag.BadResult, p, "The run is over; the stages' results are kept. Change the expression and run again.", "this value %s", err)
		return nil, later.List
	}
}

// late is what has been found after the run: the results that were asked for, and the values of locals
// that depend on them. Many outputs can refer to the same locals, and these to others.
type late struct {
	sync.Mutex
	results map[result]cty.Value
	locals  map[*Name]cty.Value
}

// result names what a stage has left: "checkpoint.last", "metrics.accuracy".
type result struct{ stage, what string }

// later is the checker as it sees things after the run: the stages that an
// expression refers to have results, and the locals that need them are
// evaluated again.
func (s *Scope) later(expr hcl.Expression, address string, r program.Results) (*Scope, diag.List) {
	quiet := &Scope{names: s.names, files: s.files}
	refs, _ := quiet.References(expr, address, "")
	stages, list := s.results(refs, address, r)
	if list.HasErrors() {
		return nil, list
	}
	b := functions.NewBudget()
	l := &Scope{names: s.names, files: s.files, budget: b, context: &hcl.EvalContext{Functions: tableFor(s.files, b)}}
	l.context.Variables = maps.Clone(s.context.Variables)
	l.context.Variables["stage"] = cty.ObjectVal(stages)
	l.context.Variables["local"] = cty.ObjectVal(s.localsOf(expr, l))
	return l, nil
}

// localsOf returns the values of the locals that an expression names; those that depend on stages
// are evaluated by l where they have not been.
func (s *Scope) localsOf(expr hcl.Expression, l *Scope) map[string]cty.Value {
	values := map[string]cty.Value{}
	for _, t := range expr.Variables() {
		id, ok := step(t, 1)
		n := s.names["local"][id]
		if !ok || t.RootName() != "local" || n == nil {
			continue
		}
		v, found := s.late.locals[n]
		switch {
		case len(n.refs) == 0:
			v = n.value
		case !found:
			v = n.value
			ctx := l.context.NewChild()
			ctx.Variables = map[string]cty.Value{"local": cty.ObjectVal(s.localsOf(n.expr, l))}
			l.budget.Refill()
			if evaluated, diags := evaluate(n.expr, ctx); !diags.HasErrors() {
				v = evaluated
			}
			s.late.locals[n] = v
		}
		values[id] = v
	}
	return values
}

// results asks the run for what the references name, and makes the object of
// each of their stages of it. What was not referred to is absent. Where an answer is
// another one than before, what was found with that is forgotten.
func (s *Scope) results(refs []program.Ref, address string, r program.Results) (map[string]cty.Value, diag.List) {
	type parts struct{ checkpoint, metrics map[string]cty.Value }
	stages := map[string]parts{}
	if s.late.results == nil {
		s.late.results, s.late.locals = map[result]cty.Value{}, map[*Name]cty.Value{}
	}
	later := &Scope{}
	for _, ref := range refs {
		if _, ok := stages[ref.Stage]; !ok {
			stages[ref.Stage] = parts{map[string]cty.Value{}, map[string]cty.Value{}}
		}
		what, which, _ := strings.Cut(ref.What, ".")
		p := At{Address: address, Subject: ref.Range}
		var v cty.Value
		if what == "checkpoint" {
			path, ok := r.Checkpoint(ref.Stage, which)
			if !ok {
				later.Errorf(diag.BadResult, p, "Did the stage run?", "stage %q has left no checkpoint %q", ref.Stage, which)
				continue
			}
			v = cty.StringVal(path)
			stages[ref.Stage].checkpoint[which] = v
		} else {
			m, ok := r.Metric(ref.Stage, which)
			if !ok {
				later.Errorf(diag.BadResult, p, "The names of its metrics are printed at the end of the stage and are in metrics.jsonl.",
					"stage %q has no metric %q", ref.Stage, which)
				continue
			}
			v = number(m)
			stages[ref.Stage].metrics[which] = v
		}
		at := result{ref.Stage, ref.What}
		if before, ok := s.late.results[at]; ok && !before.RawEquals(v) {
			s.late.results, s.late.locals = map[result]cty.Value{}, map[*Name]cty.Value{}
		}
		s.late.results[at] = v
	}
	out := map[string]cty.Value{}
	for id, p := range stages {
		out[id] = cty.ObjectVal(map[string]cty.Value{"checkpoint": cty.ObjectVal(p.checkpoint), "metrics": cty.ObjectVal(p.metrics)})
	}
	return out, later.List
}

// number makes a value of a metric: the shortest decimal that represents it, 0.46 of 46
// among 100; one that is not finite is null, since the
// language has no such number.
func number(f float64) cty.Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return cty.NullVal(cty.Number)
	}
	v, err := cty.ParseNumberVal(strconv.FormatFloat(f, 'g', -1, 64))
	if err != nil {
		return cty.NumberFloatVal(f)
	}
	return v
}
