package syntax

import (
	"errors"
	"reflect"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Charge is the name of a function that evaluation must offer: it takes a [Request] in a capsule, and answers whether
// enough is left for it. It is asked about every value that an expression can multiply or that costs more than its
// text: what a `for` or a splat iterates over, what a `for` produces, the interpolated parts of a string, and operands;
// and before every argument of a call. Once it has refused, the evaluation is given up by a panic with [ErrGivenUp]. No
// text can contain the name.
const Charge = "\x00charge"

// ErrGivenUp is the value that the evaluation of an expression panics with if it makes too much.
var ErrGivenUp = errors.New("the evaluation is given up: it makes too much")

// Request asks for what the use of a value costs.
type Request struct {
	Value cty.Value
	Use   int // the work for each of the value's elements, or one of the uses below
}

// Uses of a value other than walking over it.
const (
	ToText   = -1 // it becomes part of a string
	ToNumber = -2 // it becomes a number, if it is not one
	Compared = -3 // with another value
	Chosen   = -4 // one of two that are converted to a common type
	Passed   = -5 // to a function
	Asked    = -6 // nothing: asks only whether anything is left
)

// RequestType is the type of the capsule.
var RequestType = cty.Capsule("charge", reflect.TypeFor[Request]())

// meter puts the charges, and exact arithmetic, into a tree that was just parsed, and reports whether the
// text calls functions of its own.
func meter(node hclsyntax.Node) (calls bool) {
	m := &metering{wanted: map[hclsyntax.Expression]int{}}
	_ = hclsyntax.Walk(node, m)
	return m.calls
}

// metering walks a tree. It counts the nodes that loops repeat, and inserts the charges on the way back up, so that it
// does not visit them.
type metering struct {
	calls  bool
	size   int   // nodes so far
	open   []int // size when the enclosing nodes were entered
	wanted map[hclsyntax.Expression]int
}

func (m *metering) Enter(node hclsyntax.Node) hcl.Diagnostics {
	m.open = append(m.open, m.size)
	m.size++
	switch n := node.(type) {
	case *hclsyntax.FunctionCallExpr:
		m.calls = true
	case *hclsyntax.ForExpr:
		m.want(n.KeyExpr, n.ValExpr, n.CondExpr)
	case *hclsyntax.SplatExpr:
		m.want(n.Each)
	case *hclsyntax.ScopeTraversalExpr:
		m.size += len(n.Traversal)
	case *hclsyntax.RelativeTraversalExpr:
		m.size += len(n.Traversal)
	case *hclsyntax.BinaryOpExpr:
		m.size += 4 // an operator takes longer than a name
	case *hclsyntax.LiteralValueExpr:
		switch {
		case n.Val.IsNull():
		case n.Val.Type() == cty.String:
			m.size += len(n.Val.AsString()) / 16
		case n.Val.Type() == cty.Number && !n.Val.AsBigFloat().IsInt():
			m.size += 8 // to find the decimal that represents it
		}
	}
	return nil
}

func (m *metering) want(parts ...hclsyntax.Expression) {
	for _, e := range parts {
		if e != nil {
			m.wanted[e] = 0
		}
	}
}

func (m *metering) Exit(node hclsyntax.Node) hcl.Diagnostics {
	from := m.open[len(m.open)-1]
	m.open = m.open[:len(m.open)-1]
	if e, ok := node.(hclsyntax.Expression); ok {
		if _, ok := m.wanted[e]; ok {
			m.wanted[e] = m.size - from
		}
	}
	switch n := node.(type) {
	case *hclsyntax.FunctionCallExpr:
		for i, arg := range n.Args {
			n.Args[i] = charged(arg, Passed)
		}
	case *hclsyntax.BinaryOpExpr:
		operands(n)
		decimals(n)
	case *hclsyntax.UnaryOpExpr:
		n.Val = charged(n.Val, ToNumber)
	case *hclsyntax.ConditionalExpr:
		n.TrueResult, n.FalseResult = charged(n.TrueResult, Chosen), charged(n.FalseResult, Chosen)
	case *hclsyntax.ForExpr:
		n.CollExpr = charged(n.CollExpr, m.wanted[n.KeyExpr]+m.wanted[n.ValExpr]+m.wanted[n.CondExpr])
		n.ValExpr = charged(n.ValExpr, 0)
	case *hclsyntax.SplatExpr:
		n.Source = charged(n.Source, m.wanted[n.Each])
	case *hclsyntax.TemplateExpr:
		for i, p := range n.Parts {
			n.Parts[i] = charged(p, ToText)
		}
	}
	return nil
}

func operands(n *hclsyntax.BinaryOpExpr) {
	use := ToNumber
	switch n.Op {
	case hclsyntax.OpEqual, hclsyntax.OpNotEqual:
		use = Compared
	case hclsyntax.OpLogicalAnd, hclsyntax.OpLogicalOr:
		return
	}
	n.LHS, n.RHS = charged(n.LHS, use), charged(n.RHS, use)
}

// charged puts a charge around an expression unless its value is certainly small.
func charged(e hclsyntax.Expression, use int) hclsyntax.Expression {
	switch e := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		if text := e.Val.Type() == cty.String; text && use != ToNumber || !text && use != ToText {
			return e
		}
	case *hclsyntax.BinaryOpExpr, *hclsyntax.UnaryOpExpr:
		if use != ToText {
			return e
		}
	}
	return &charge{&hclsyntax.ParenthesesExpr{Expression: e, SrcRange: e.Range()}, use}
}

// charge is an expression whose value is charged. Code that inspects the text sees the expression inside.
type charge struct {
	*hclsyntax.ParenthesesExpr
	use int
}

// UnwrapExpression makes hcl look through.
func (e *charge) UnwrapExpression() hcl.Expression { return e.Expression }

// StartRange is that of the expression inside.
func (e *charge) StartRange() hcl.Range { return e.Expression.StartRange() }

// Value evaluates the expression, and pays for the use of its value.
func (e *charge) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	f, metered := charger(ctx)
	pay := func(v cty.Value, use int) {
		if !metered {
			return
		}
		if paid, err := f.Call([]cty.Value{cty.CapsuleVal(RequestType, &Request{v, use})}); err != nil || !paid.True() {
			panic(ErrGivenUp)
		}
	}
	if e.use == Passed {
		pay(cty.True, Asked)
	}
	v, diags := e.Expression.Value(ctx)
	pay(v, e.use)
	return v, diags
}

func charger(ctx *hcl.EvalContext) (function.Function, bool) {
	for ; ctx != nil; ctx = ctx.Parent() {
		if f, ok := ctx.Functions[Charge]; ok {
			return f, true
		}
	}
	return function.Function{}, false
}
