package check

import (
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"qpipe/lang/check/functions"
	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/lang/syntax"
)

func (c *checker) outputs() {
	for _, b := range c.cfg.Outputs {
		in, ok := inside[config.Output](c, b)
		o := &program.Output{Name: b.Name, Origin: c.origin(b.Address(), b.Header)}
		record(&o.Origin, in.Value, in.Description)
		c.get(b.Address(), in.Description, &o.Description)
		if in.Value == nil && ok {
			c.missing(b.Address(), b.Header, "value", "Say what to print: value = stage.name.metrics.accuracy")
		}
		if in.Value != nil {
			o.Refs = c.deferrable(in.Value, b.Address())
			o.Value = c.deferred(in.Value.Expr, b.Address(), anyValue)
		}
		o.Conditions = c.conditions(in.Preconditions, in.Asserts, b.Address())
		c.prog.Outputs = append(c.prog.Outputs, o)
	}
}

// deferrable checks an expression that may depend on the run: what it refers to
// must exist, and what is known must evaluate.
func (c *checker) deferrable(a *hcl.Attribute, address string) []program.Ref {
	refs, ok := c.references(a.Expr, address, a.Name)
	if !ok {
		return nil
	}
	v, ok := c.value(a.Expr, address)
	if ok && v.IsWhollyKnown() && len(refs) == 0 {
		if _, err := plain(v); err != nil {
			c.errorf(diag.WrongType, at{address: address, subject: syntax.Range(a.Expr.Range())},
				"Take a metric, a checkpoint's path, a variable or a local value.", "%q %s", a.Name, err)
		}
	}
	return refs
}

func (c *checker) conditions(pre, post []*config.Condition, address string) []program.Condition {
	var out []program.Condition
	for _, set := range []struct {
		kind   string
		blocks []*config.Condition
	}{{"precondition", pre}, {"assert", post}} {
		for i, b := range set.blocks {
			at := fmt.Sprintf("%s.%s[%d]", address, set.kind, i)
			if cond, ok := c.decodeCondition(b, set.kind, at); ok {
				out = append(out, cond)
			}
		}
	}
	return out
}

func (c *checker) decodeCondition(b *config.Condition, kind, address string) (program.Condition, bool) {
	cond := program.Condition{Kind: kind, Origin: c.origin(address, b.Header)}
	record(&cond.Origin, b.Condition, b.Message)
	holds, known, message, ok := c.condition(b, address, kind)
	if !ok {
		return cond, false
	}
	if known && !holds {
		c.errorf(diag.ConditionFalse, at{address: address, subject: cond.Origin.At("condition")}, message, "this %s does not hold", kind)
	}
	first, _ := c.references(b.Condition.Expr, address, "condition")
	second, _ := c.references(b.Message.Expr, address, "error_message")
	cond.Refs = append(first, second...)
	cond.Holds = c.deferred(b.Condition.Expr, address, asType(cty.Bool))
	cond.Message = c.deferred(b.Message.Expr, address, asType(cty.String))
	return cond, true
}

// finish turns the value of a deferred expression into what the caller wants.
type finish func(cty.Value) (cty.Value, error)

func anyValue(v cty.Value) (cty.Value, error) { return v, nil }

func asType(want cty.Type) finish {
	return func(v cty.Value) (cty.Value, error) {
		out, err := convert.Convert(v, want)
		if err != nil || out.IsNull() {
			return v, mismatch(word(want), v)
		}
		return out, nil
	}
}

// deferred makes the closure that evaluates an expression after the run. It
// reads only what the check has finished, and what the ones before have found under
// a lock, so it may be called at any time.
func (c *checker) deferred(expr hcl.Expression, address string, f finish) program.Deferred {
	return func(r program.Results) (any, diag.List) {
		p := at{address: address, subject: syntax.Range(expr.Range())}
		c.late.Lock()
		defer c.late.Unlock()
		later, list := c.later(expr, address, r)
		if list.HasErrors() {
			return nil, list
		}
		v, ok := later.value(expr, address)
		if !ok {
			return nil, later.list
		}
		v, err := f(v)
		if err == nil {
			var out any
			if out, err = plain(v); err == nil {
				return out, nil
			}
		}
		later.errorf(diag.BadResult, p, "The run is over; the stages' results are kept. Change the expression and run again.", "this value %s", err)
		return nil, later.list
	}
}

// late is what has been found after the run: the results that were asked for, and the values of locals
// that depend on them. Many outputs can refer to the same locals, and these to others.
type late struct {
	sync.Mutex
	results map[result]cty.Value
	locals  map[*name]cty.Value
}

// result names what a stage has left: "checkpoint.last", "metrics.accuracy".
type result struct{ stage, what string }

// later is the checker as it sees things after the run: the stages that an
// expression refers to have results, and the locals that need them are
// evaluated anew.
func (c *checker) later(expr hcl.Expression, address string, r program.Results) (*checker, diag.List) {
	quiet := &checker{names: c.names, files: c.files}
	refs, _ := quiet.references(expr, address, "")
	stages, list := c.results(refs, address, r)
	if list.HasErrors() {
		return nil, list
	}
	b := functions.NewBudget()
	l := &checker{names: c.names, files: c.files, budget: b, context: &hcl.EvalContext{Functions: tableFor(c.files, b)}}
	l.context.Variables = maps.Clone(c.context.Variables)
	l.context.Variables["stage"] = cty.ObjectVal(stages)
	l.context.Variables["local"] = cty.ObjectVal(c.localsOf(expr, l))
	return l, nil
}

// localsOf returns the values of the locals that an expression names; those that depend on stages
// are evaluated by l where they have not been.
func (c *checker) localsOf(expr hcl.Expression, l *checker) map[string]cty.Value {
	values := map[string]cty.Value{}
	for _, t := range expr.Variables() {
		id, ok := step(t, 1)
		n := c.names["local"][id]
		if !ok || t.RootName() != "local" || n == nil {
			continue
		}
		v, found := c.late.locals[n]
		switch {
		case len(n.refs) == 0:
			v = n.value
		case !found:
			v = n.value
			ctx := l.context.NewChild()
			ctx.Variables = map[string]cty.Value{"local": cty.ObjectVal(c.localsOf(n.expr, l))}
			l.budget.Refill()
			if evaluated, diags := evaluate(n.expr, ctx); !diags.HasErrors() {
				v = evaluated
			}
			c.late.locals[n] = v
		}
		values[id] = v
	}
	return values
}

// results asks the run for what the references name, and makes the object of
// each of their stages of it. What was not referred to is absent. Where an answer is
// another one than before, what was found with that is forgotten.
func (c *checker) results(refs []program.Ref, address string, r program.Results) (map[string]cty.Value, diag.List) {
	type parts struct{ checkpoint, metrics map[string]cty.Value }
	stages := map[string]parts{}
	if c.late.results == nil {
		c.late.results, c.late.locals = map[result]cty.Value{}, map[*name]cty.Value{}
	}
	later := &checker{}
	for _, ref := range refs {
		if _, ok := stages[ref.Stage]; !ok {
			stages[ref.Stage] = parts{map[string]cty.Value{}, map[string]cty.Value{}}
		}
		what, which, _ := strings.Cut(ref.What, ".")
		p := at{address: address, subject: ref.Range}
		var v cty.Value
		if what == "checkpoint" {
			path, ok := r.Checkpoint(ref.Stage, which)
			if !ok {
				later.errorf(diag.BadResult, p, "Did the stage run?", "stage %q has left no checkpoint %q", ref.Stage, which)
				continue
			}
			v = cty.StringVal(path)
			stages[ref.Stage].checkpoint[which] = v
		} else {
			m, ok := r.Metric(ref.Stage, which)
			if !ok {
				later.errorf(diag.BadResult, p, "The names of its metrics are printed at the end of the stage and stand in metrics.jsonl.",
					"stage %q has no metric %q", ref.Stage, which)
				continue
			}
			v = number(m)
			stages[ref.Stage].metrics[which] = v
		}
		at := result{ref.Stage, ref.What}
		if before, ok := c.late.results[at]; ok && !before.RawEquals(v) {
			c.late.results, c.late.locals = map[result]cty.Value{}, map[*name]cty.Value{}
		}
		c.late.results[at] = v
	}
	out := map[string]cty.Value{}
	for id, p := range stages {
		out[id] = cty.ObjectVal(map[string]cty.Value{"checkpoint": cty.ObjectVal(p.checkpoint), "metrics": cty.ObjectVal(p.metrics)})
	}
	return out, later.list
}

// number makes a value of a metric: the shortest decimal that stands for it, 0.46 of 46
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
