package check

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"qpipe/lang/diag"
	"qpipe/lang/syntax"
)

// loopReferences walks a body as written and resolves what the for_each and the
// labels of its dynamic blocks refer to; iterators are the loop variables of the
// dynamic blocks around.
func (c *checker) loopReferences(body *hclsyntax.Body, address string, iterators []string) bool {
	ok := true
	for _, b := range body.Blocks {
		if b.Type != "dynamic" || len(b.Labels) != 1 {
			ok = c.loopReferences(b.Body, address, iterators) && ok
			continue
		}
		own := append(slices.Clone(iterators), iterator(b))
		ok = c.loopExpression(b.Body.Attributes["for_each"], address, iterators) && ok
		ok = c.loopExpression(b.Body.Attributes["labels"], address, own) && ok
		for _, inner := range b.Body.Blocks {
			if inner.Type == "content" {
				ok = c.loopReferences(inner.Body, address, own) && ok
			}
		}
	}
	return ok
}

func iterator(b *hclsyntax.Block) string {
	if a := b.Body.Attributes["iterator"]; a != nil {
		if word := hcl.ExprAsKeyword(a.Expr); word != "" {
			return word
		}
	}
	return b.Labels[0]
}

func (c *checker) loopExpression(a *hclsyntax.Attribute, address string, iterators []string) bool {
	if a == nil {
		return true
	}
	ok := true
	for _, t := range a.Expr.Variables() {
		if slices.Contains(iterators, t.RootName()) {
			continue
		}
		refs, fine := c.resolve(t, address)
		if fine && len(refs) > 0 {
			c.errorf(diag.NotKnownYet, at{address: address, subject: syntax.Range(t.SourceRange())},
				"Only what is known before the run can make blocks.", "a dynamic block cannot depend on stage %q", refs[0].Stage)
			fine = false
		}
		ok = ok && fine
	}
	return ok
}
