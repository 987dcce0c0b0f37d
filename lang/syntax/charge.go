package syntax

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Charge is the name of a function that evaluation must offer. A call of it
// stands around every value that an expression can multiply (what a `for` or a
// splat walks over and what a `for` makes, and the interpolated parts of a
// string), so that whoever evaluates can stop an expression that makes too
// much. No text can spell the name.
const Charge = "\x00charge"

// meter puts the calls, and exact arithmetic, into a tree that was just parsed, and reports whether the
// text calls functions of its own.
func meter(node hclsyntax.Node) (calls bool) {
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		switch n := n.(type) {
		case *hclsyntax.FunctionCallExpr:
			calls = calls || n.Name != Charge
		case *hclsyntax.BinaryOpExpr:
			decimals(n)
		case *hclsyntax.ForExpr:
			n.CollExpr = charged(n.CollExpr)
			n.ValExpr = charged(n.ValExpr)
		case *hclsyntax.SplatExpr:
			n.Source = charged(n.Source)
		case *hclsyntax.TemplateExpr:
			for i, p := range n.Parts {
				if _, literal := p.(*hclsyntax.LiteralValueExpr); !literal {
					n.Parts[i] = charged(p)
				}
			}
		}
		return nil
	})
	return calls
}

func charged(e hclsyntax.Expression) hclsyntax.Expression {
	r := e.Range()
	return &hclsyntax.FunctionCallExpr{
		Name: Charge, Args: []hclsyntax.Expression{e},
		NameRange: r, OpenParenRange: r, CloseParenRange: r,
	}
}
