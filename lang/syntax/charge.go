package syntax

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Charge is the name of a function of two arguments that evaluation must offer. A call of it
// stands around every value that an expression can multiply or that costs more than its
// text: what a `for` or a splat walks over, what a `for` makes, the interpolated parts of a
// string, and the operands of operators. So whoever evaluates can stop an expression that
// makes too much. The second argument says what is done with the value: a number of 0 or
// more is the work for each of its elements, and see below. No text can spell the name.
const Charge = "\x00charge"

// What is done with a value that is charged, other than walking over it.
const (
	ToText   = -1 // it becomes part of a string
	ToNumber = -2 // it becomes a number, if it is none
)

// meter puts the calls, and exact arithmetic, into a tree that was just parsed, and reports whether the
// text calls functions of its own.
func meter(node hclsyntax.Node) (calls bool) {
	m := &metering{wanted: map[hclsyntax.Expression]int{}}
	_ = hclsyntax.Walk(node, m)
	return m.calls
}

// metering walks a tree. It counts the nodes of what loops repeat, and puts the calls in on
// its way up, so that it does not meet them.
type metering struct {
	calls  bool
	size   int   // nodes so far
	open   []int // size when the nodes around were entered
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
		if n.Val.Type() == cty.String && !n.Val.IsNull() {
			m.size += len(n.Val.AsString()) / 16
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
	case *hclsyntax.BinaryOpExpr:
		operands(n)
		decimals(n)
	case *hclsyntax.UnaryOpExpr:
		n.Val = charged(n.Val, ToNumber)
	case *hclsyntax.ConditionalExpr:
		n.TrueResult, n.FalseResult = charged(n.TrueResult, 0), charged(n.FalseResult, 0)
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
		use = 0
	case hclsyntax.OpLogicalAnd, hclsyntax.OpLogicalOr:
		return
	}
	n.LHS, n.RHS = charged(n.LHS, use), charged(n.RHS, use)
}

// charged puts a call around an expression whose value is not small for certain.
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
	r := e.Range()
	return charge{&hclsyntax.FunctionCallExpr{
		Name: Charge, Args: []hclsyntax.Expression{e, &hclsyntax.LiteralValueExpr{Val: cty.NumberIntVal(int64(use)), SrcRange: r}},
		NameRange: r, OpenParenRange: r, CloseParenRange: r,
	}}
}

// charge is a call of the function. Once nothing is left to take, it does not even
// look at its argument: a call walks over all of it.
type charge struct{ *hclsyntax.FunctionCallExpr }

// Value implements hcl.Expression.
func (c charge) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	for at := ctx; at != nil; at = at.Parent() {
		f, ok := at.Functions[Charge]
		if !ok {
			continue
		}
		if left, err := f.Call([]cty.Value{cty.True, cty.Zero}); err == nil && !left.IsKnown() {
			return cty.DynamicVal, nil
		}
		break
	}
	return c.FunctionCallExpr.Value(ctx)
}
