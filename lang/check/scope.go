package check

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"qpipe/lang/check/functions"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/lang/syntax"
)

// declared is the Go value behind a reference to a block: its kind and name.
type declared struct{ kind, name string }

// The types of values that are not data: references to blocks, and checkpoints.
var (
	datasetType    = cty.Capsule("dataset", reflect.TypeFor[declared]())
	modelType      = cty.Capsule("model", reflect.TypeFor[declared]())
	qconfigType    = cty.Capsule("qconfig", reflect.TypeFor[declared]())
	checkpointType = cty.Capsule("checkpoint", reflect.TypeFor[program.Checkpoint]())
)

// roots returns the variables of an evaluation context; what is not given is an
// empty object.
func roots(given map[string]map[string]cty.Value) map[string]cty.Value {
	out := map[string]cty.Value{}
	for _, root := range []string{"var", "local", "dataset", "model", "qconfig", "stage"} {
		out[root] = cty.ObjectVal(given[root])
	}
	return out
}

// scope makes the values that expressions can refer to and evaluates the locals.
func (c *checker) scope() {
	given := map[string]map[string]cty.Value{"var": {}, "local": {}, "stage": c.stageValues()}
	for id, n := range c.names["var"] {
		given["var"][id] = n.value
	}
	for kind, ty := range map[string]cty.Type{"dataset": datasetType, "model": modelType, "qconfig": qconfigType} {
		given[kind] = map[string]cty.Value{}
		for id := range c.names[kind] {
			given[kind][id] = cty.CapsuleVal(ty, &declared{kind, id})
		}
	}
	c.context.Variables = roots(given)
	for _, id := range c.known("local") {
		c.evaluateLocal(c.names["local"][id])
	}
	for id, n := range c.names["local"] {
		given["local"][id] = n.value
	}
	c.context.Variables = roots(given)
}

// stageValues makes the object of stages as they are before a run: a checkpoint is a
// capsule and a metric unknown.
func (c *checker) stageValues() map[string]cty.Value {
	out := map[string]cty.Value{}
	for id := range c.names["stage"] {
		capsule := func(which string) cty.Value {
			return cty.CapsuleVal(checkpointType, &program.Checkpoint{Stage: id, Which: which})
		}
		out[id] = cty.ObjectVal(map[string]cty.Value{
			"checkpoint": cty.ObjectVal(map[string]cty.Value{"best": capsule("best"), "last": capsule("last"), program.Int8: capsule(program.Int8)}),
			"metrics":    cty.DynamicVal,
		})
	}
	return out
}

// evaluateLocal evaluates a local value after those that it refers to, and
// reports a circle of them once.
func (c *checker) evaluateLocal(n *name) {
	switch n.state {
	case 1:
		c.errorf(diag.LocalCycle, at{address: n.address, subject: syntax.Range(n.where)},
			"Each of them needs another's value first. Break the circle.", "local.%s refers to itself, directly or through others", n.name)
		n.bad = true
		return
	case 2:
		return
	}
	n.state = 1
	refs, ok := c.references(n.expr, n.address, n.name)
	n.refs, n.value = refs, cty.DynamicVal
	if ok && !n.bad {
		n.value, ok = c.valueIn(c.localContext(n.expr, c.context), n.expr, n.address)
	}
	n.bad = n.bad || !ok
	n.state = 2
	c.locals = append(c.locals, n)
}

// localContext returns the context for a local's expression: it holds only the
// locals that the expression names, so that many locals stay cheap.
func (c *checker) localContext(expr hcl.Expression, base *hcl.EvalContext) *hcl.EvalContext {
	values := map[string]cty.Value{}
	for _, t := range expr.Variables() {
		if id, ok := step(t, 1); ok && t.RootName() == "local" && c.names["local"][id] != nil {
			values[id] = c.names["local"][id].value
		}
	}
	if len(values) == 0 {
		return base
	}
	ctx := base.NewChild()
	ctx.Variables = map[string]cty.Value{"local": cty.ObjectVal(values)}
	return ctx
}

// value evaluates an expression whose references are resolved. The value may be
// unknown where it depends on a run.
func (c *checker) value(expr hcl.Expression, address string) (cty.Value, bool) {
	return c.valueIn(c.context, expr, address)
}

func (c *checker) valueIn(ctx *hcl.EvalContext, expr hcl.Expression, address string) (cty.Value, bool) {
	if c.spent {
		return cty.DynamicVal, false
	}
	c.budget.Refill()
	v, diags := evaluate(expr, ctx)
	p := at{address: address, subject: syntax.Range(expr.Range())}
	if c.overdrawn(p, "this expression makes too much, or takes too long") {
		return cty.DynamicVal, false
	}
	if diags.HasErrors() {
		c.add(address, c.explain(diags, ctx))
		return cty.DynamicVal, false
	}
	if functions.Size(v, maxValue) > maxValue {
		c.budget.Overdraw()
		return cty.DynamicVal, !c.overdrawn(p, "this value is too large")
	}
	c.budget.Take(v)
	return v, !c.overdrawn(p, "this value is too large")
}

// overdrawn reports an expression that has taken too much, and once that all of the
// pipeline have: the others are then left alone.
func (c *checker) overdrawn(p at, summary string) bool {
	if !c.budget.Overdrawn() && !c.budget.Spent() {
		return false
	}
	if c.budget.Spent() {
		c.spent = true
		summary = "the expressions of this pipeline make too much, or take too long, all together; here it was enough"
	}
	code, detail := tooLarge()
	d := c.errorf(code, p, detail, "%s", summary)
	d.Unfinished = c.spent
	return true
}

// explain says hcl's diagnostics about an expression in our words.
func (c *checker) explain(diags hcl.Diagnostics, ctx *hcl.EvalContext) diag.List {
	list := syntax.TranslateAs(diags, diag.EvaluationFailed)
	for _, d := range list {
		src := c.files.Source(d.Subject.File)
		if d.Code != diag.UnknownFunction || d.Subject.End.Byte > len(src) {
			continue
		}
		called := string(src[d.Subject.Start.Byte:d.Subject.End.Byte])
		var names []string
		for ; ctx != nil; ctx = ctx.Parent() {
			names = slices.AppendSeq(names, maps.Keys(ctx.Functions))
		}
		names = slices.DeleteFunc(names, func(n string) bool { return n == syntax.Charge })
		d.Summary, d.Detail = fmt.Sprintf("there is no function %q", called), diag.DidYouMean(called, names, "functions")
	}
	return list
}

// evaluate is the one door to hcl's evaluator. A panic below becomes a
// diagnostic: no text may bring the program down.
func evaluate(expr hcl.Expression, ctx *hcl.EvalContext) (v cty.Value, diags hcl.Diagnostics) {
	defer func() {
		if recover() != nil {
			v = cty.DynamicVal
			diags = hcl.Diagnostics{{
				Severity: hcl.DiagError, Summary: "This expression cannot be evaluated",
				Detail: "Write it in a simpler form.", Subject: expr.Range().Ptr(),
			}}
		}
	}()
	return expr.Value(ctx)
}

// Limits of what a pipeline's expressions may make; functions.Size counts values.
const (
	maxValue  = 1 << 17 // of one variable or local value
	maxBlocks = 2_000   // that dynamic blocks may make in one pipeline
	maxKind   = 5_000   // blocks of one type at the top level
	maxStages = 1_000
	maxInside = 1_000 // blocks in a block
)

// tooLarge returns the way out for a value over the limit.
func tooLarge() (code diag.Code, detail string) {
	return diag.ValueTooLarge, "A pipeline's values are small: names, numbers, short lists. Is a range or a product larger than meant?"
}
