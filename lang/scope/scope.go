// Package scope is what the expressions of a pipeline can refer to: it gives variables their values, evaluates locals, resolves
// references, and evaluates expressions, within bounds, now or when the results of a run are known. It collects what is
// wrong, each mistake once. It knows no part and no rule.
package scope

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"qpipe/lang/diag"
	"qpipe/lang/functions"
	"qpipe/lang/program"
	"qpipe/lang/syntax"
)

// Scope is what expressions can refer to, and what has been found wrong so far. Every step adds to
// the list and marks as bad what it could not find, so that no later step complains about the same
// mistake again.
type Scope struct {
	List diag.List

	files   *syntax.Files
	names   map[string]map[string]*Name // by kind, as in references: "var", "local", "dataset", …
	folders map[string]*Name            // of stages, in lower case
	locals  []*Name                     // in an order in which they can be evaluated
	budget  *functions.Budget
	blocks  int // made by dynamic blocks so far
	context *hcl.EvalContext
	sorted  map[string][]string // names by kind, when they have been asked for
	said    said
	spent   bool // that the budget of the whole pipeline is spent has been reported
	hints   int  // work that suggestions may still take
	late    late
	inner   map[string]map[string]cty.Value // the words besides the names, inside of a network; nil for what is no object

	valuesLost bool // a file of variable values could not be read: what it gives is not known
}

// New makes the scope of a pipeline's files, with nothing in it.
func New(files *syntax.Files) *Scope {
	b := functions.NewBudget()
	return &Scope{
		files: files, budget: b, hints: maxHints,
		names: map[string]map[string]*Name{}, folders: map[string]*Name{},
		context: &hcl.EvalContext{Variables: roots(nil), Functions: tableFor(files, b)},
	}
}

// declared is the Go value behind a reference to a block: its kind and name.
type declared struct{ kind, name string }

// The types of values that are not data: references to blocks, and checkpoints.
var (
	datasetType    = cty.Capsule("dataset", reflect.TypeFor[declared]())
	modelType      = cty.Capsule("model", reflect.TypeFor[declared]())
	qconfigType    = cty.Capsule("qconfig", reflect.TypeFor[declared]())
	checkpointType = cty.Capsule("checkpoint", reflect.TypeFor[program.Checkpoint]())
)

// capsules are the types of references to blocks, by kind.
func capsules() map[string]cty.Type {
	return map[string]cty.Type{"dataset": datasetType, "model": modelType, "qconfig": qconfigType}
}

// roots returns the variables of an evaluation context; what is not given is an
// empty object.
func roots(given map[string]map[string]cty.Value) map[string]cty.Value {
	out := map[string]cty.Value{}
	for _, root := range []string{"var", "local", "dataset", "model", "qconfig", "stage"} {
		out[root] = cty.ObjectVal(given[root])
	}
	return out
}

// Locals makes the values that expressions can refer to and evaluates the locals.
func (s *Scope) Locals() {
	given := map[string]map[string]cty.Value{"var": {}, "local": {}, "stage": s.stageValues()}
	for id, n := range s.names["var"] {
		given["var"][id] = n.value
	}
	for kind, ty := range capsules() {
		given[kind] = map[string]cty.Value{}
		for id := range s.names[kind] {
			given[kind][id] = cty.CapsuleVal(ty, &declared{kind, id})
		}
	}
	s.context.Variables = roots(given)
	for _, id := range s.Known("local") {
		s.evaluateLocal(s.names["local"][id])
	}
	for id, n := range s.names["local"] {
		given["local"][id] = n.value
	}
	s.context.Variables = roots(given)
}

// stageValues makes the object of stages as they are before a run: a checkpoint is a
// capsule and a metric unknown.
func (s *Scope) stageValues() map[string]cty.Value {
	out := map[string]cty.Value{}
	for id := range s.names["stage"] {
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
func (s *Scope) evaluateLocal(n *Name) {
	switch n.state {
	case 1:
		s.Errorf(diag.LocalCycle, At{Address: n.Address, Subject: syntax.Range(n.Where)},
			"Each of them needs another's value first. Break the circle.", "local.%s refers to itself, directly or through others", n.Name)
		n.Bad = true
		return
	case 2:
		return
	}
	n.state = 1
	refs, ok := s.References(n.expr, n.Address, n.Name)
	n.refs, n.value = refs, cty.DynamicVal
	if ok && !n.Bad {
		n.value, ok = s.valueIn(s.localContext(n.expr, s.context), n.expr, n.Address)
	}
	n.Bad = n.Bad || !ok
	n.state = 2
	s.locals = append(s.locals, n)
}

// localContext returns the context for a local's expression: it holds only the
// locals that the expression names, so that many locals stay cheap.
func (s *Scope) localContext(expr hcl.Expression, base *hcl.EvalContext) *hcl.EvalContext {
	values := map[string]cty.Value{}
	for _, t := range expr.Variables() {
		if id, ok := step(t, 1); ok && t.RootName() == "local" && s.names["local"][id] != nil {
			values[id] = s.names["local"][id].value
		}
	}
	if len(values) == 0 {
		return base
	}
	ctx := base.NewChild()
	ctx.Variables = map[string]cty.Value{"local": cty.ObjectVal(values)}
	return ctx
}

// Value evaluates an expression whose references are resolved. The value may be
// unknown where it depends on a run.
func (s *Scope) Value(expr hcl.Expression, address string) (cty.Value, bool) {
	return s.valueIn(s.context, expr, address)
}

func (s *Scope) valueIn(ctx *hcl.EvalContext, expr hcl.Expression, address string) (cty.Value, bool) {
	if s.spent {
		return cty.DynamicVal, false
	}
	s.budget.Refill()
	v, diags := evaluate(expr, ctx)
	p := At{Address: address, Subject: syntax.Range(expr.Range())}
	if s.overdrawn(p, "this expression makes too much, or takes too long") {
		return cty.DynamicVal, false
	}
	if diags.HasErrors() {
		s.Add(address, s.explain(diags, ctx))
		return cty.DynamicVal, false
	}
	if functions.Size(v, maxValue) > maxValue {
		s.budget.Overdraw()
		return cty.DynamicVal, !s.overdrawn(p, "this value is too large")
	}
	s.budget.Take(v)
	return v, !s.overdrawn(p, "this value is too large")
}

// overdrawn reports an expression that has taken too much, and once that all of the
// pipeline have: the others are then left alone.
func (s *Scope) overdrawn(p At, summary string) bool {
	if !s.budget.Overdrawn() && !s.budget.Spent() {
		return false
	}
	if s.budget.Spent() {
		s.spent = true
		summary = "the expressions of this pipeline make too much, or take too long, all together; here it was enough"
	}
	code, detail := tooLarge()
	d := s.Errorf(code, p, detail, "%s", summary)
	d.Unfinished = s.spent
	return true
}

// explain says hcl's diagnostics about an expression in our words.
func (s *Scope) explain(diags hcl.Diagnostics, ctx *hcl.EvalContext) diag.List {
	list := syntax.TranslateAs(diags, diag.EvaluationFailed)
	for i, d := range list {
		src := s.files.Source(d.Subject.File)
		if len(list) == len(diags) {
			if a, ok := absentIn(diags[i], src); ok {
				a.say(d)
			}
		}
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
)

// tooLarge returns the way out for a value over the limit.
func tooLarge() (code diag.Code, detail string) {
	return diag.ValueTooLarge, "A pipeline's values are small: names, numbers, short lists. Is a range or a product larger than meant?"
}

// tableFor builds the functions that the files can call: for most pipelines none.
func tableFor(files *syntax.Files, b *functions.Budget) map[string]function.Function {
	if files.Calls() {
		return functions.Table(files.Dir, b)
	}
	return functions.Meter(b)
}
