package scope

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// OnlyIndexed reports whether an expression uses word.name only to take one of its elements, and calls no function, which might ask
// whether it is there.
func OnlyIndexed(e hcl.Expression, word, name string) bool {
	node, ok := e.(hclsyntax.Node)
	if !ok {
		return false
	}
	whole := 0
	ok = true
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		switch n := n.(type) {
		case *hclsyntax.FunctionCallExpr:
			ok = false
		case *hclsyntax.ScopeTraversalExpr:
			if isMember(n, word, name) {
				whole++
			}
		case *hclsyntax.IndexExpr:
			if t, is := hcl.UnwrapExpression(n.Collection).(*hclsyntax.ScopeTraversalExpr); is && isMember(t, word, name) {
				whole--
			}
		}
		return nil
	})
	return ok && whole == 0
}

// isMember reports whether an expression is word.name, and no more.
func isMember(e *hclsyntax.ScopeTraversalExpr, word, name string) bool {
	if len(e.Traversal) != 2 || e.Traversal.RootName() != word {
		return false
	}
	a, ok := e.Traversal[1].(hcl.TraverseAttr)
	return ok && a.Name == name
}
