package check

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"qpipe/lang/config"
	"qpipe/lang/program"
	"qpipe/lang/scope"
)

// foreseen puts what `layer.NAME` will be of a loop of parts in its place before there are any, if its instances read single ones of
// it: so that no list is made for each instance. Until they are there, they are pending. It reports whether it could: what a
// definition gives is not known before, and an expression may use the list as a whole, which has what has been made so far.
func (u *unroller) foreseen(f *frame, l *config.Layer, keys []string) bool {
	_, part := u.opt.Signatures.Signature(program.LayerKind, l.Type)
	if !part || len(keys) == 0 || !single(l.From.Expr, l.Name) {
		return false
	}
	var list []cty.Value
	object := map[string]cty.Value{}
	for _, key := range keys {
		name := f.prefix + l.Name + "." + key
		u.pending[name] = true
		list, object[key] = append(list, scope.Wire(name)), scope.Wire(name)
	}
	if f.layers[l.Name] = cty.ObjectVal(object); l.Count != nil {
		f.layers[l.Name] = cty.TupleVal(list)
	}
	return true
}

// single reports whether an expression uses layer.NAME only to take one of its instances, and calls no function, which might ask
// whether it is there.
func single(e hcl.Expression, name string) bool {
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
			if isLayer(n, name) {
				whole++
			}
		case *hclsyntax.IndexExpr:
			if t, is := hcl.UnwrapExpression(n.Collection).(*hclsyntax.ScopeTraversalExpr); is && isLayer(t, name) {
				whole--
			}
		}
		return nil
	})
	return ok && whole == 0
}

// isLayer reports whether an expression is layer.NAME, and no more.
func isLayer(e *hclsyntax.ScopeTraversalExpr, name string) bool {
	if len(e.Traversal) != 2 || e.Traversal.RootName() != "layer" {
		return false
	}
	a, ok := e.Traversal[1].(hcl.TraverseAttr)
	return ok && a.Name == name
}
