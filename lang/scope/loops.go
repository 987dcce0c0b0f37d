package scope

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/syntax"
)

// loopReferences walks a body as written and resolves what the for_each and the
// labels of its dynamic blocks refer to; iterators are the loop variables of the
// dynamic blocks around.
func (s *Scope) loopReferences(body *hclsyntax.Body, address string, iterators []string) bool {
	ok := true
	for _, b := range body.Blocks {
		if b.Type != "dynamic" || len(b.Labels) != 1 {
			ok = s.loopReferences(b.Body, address, iterators) && ok
			continue
		}
		own := append(slices.Clone(iterators), iterator(b))
		ok = s.loopExpression(b.Body.Attributes["for_each"], address, iterators) && ok
		ok = s.loopExpression(b.Body.Attributes["labels"], address, own) && ok
		for _, inner := range b.Body.Blocks {
			if inner.Type == "content" {
				ok = s.loopReferences(inner.Body, address, own) && ok
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

func (s *Scope) loopExpression(a *hclsyntax.Attribute, address string, iterators []string) bool {
	if a == nil {
		return true
	}
	ok := true
	for _, t := range a.Expr.Variables() {
		if slices.Contains(iterators, t.RootName()) {
			continue
		}
		refs, fine := s.resolve(t, address)
		if fine && len(refs) > 0 {
			s.Errorf(diag.NotKnownYet, At{Address: address, Subject: syntax.Range(t.SourceRange())},
				"Only what is known before the run can make blocks.", "a dynamic block cannot depend on stage %q", refs[0].Stage)
			fine = false
		}
		ok = ok && fine
	}
	return ok
}

// checkLoop judges the value of a for_each before its blocks are made.
func (s *Scope) checkLoop(v cty.Value, expr hcl.Expression, _ *hcl.EvalContext) hcl.Diagnostics {
	fail := func(summary, detail string) hcl.Diagnostics {
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: expr.Range().Ptr()}}
	}
	switch {
	case !v.IsKnown():
		return fail("Dynamic for_each is not known before the run", "Only what is known before the run can make blocks.")
	case v.IsNull() || !v.CanIterateElements():
		return nil // dynblock says it
	}
	if s.blocks += v.LengthInt(); s.blocks > maxBlocks {
		return fail("Dynamic for_each makes too many blocks", fmt.Sprintf("A pipeline's dynamic blocks make at most %d blocks.", maxBlocks))
	}
	return nil
}

// Resolve resolves what the for_each and labels of a block's dynamic blocks refer to.
func (s *Scope) Resolve(b *config.Block) bool {
	if b.Raw() == nil {
		return true
	}
	return s.loopReferences(b.Raw(), b.Address(), nil)
}

// Expand decodes something in which dynamic blocks are expanded, within the pipeline's bounds. It takes over
// what decode reports; ok is false with an error.
func (s *Scope) Expand(p At, decode func(*config.Loops) diag.List) (ok bool) {
	s.budget.Refill()
	list := s.expandGuarded(p, decode)
	if s.budget.Overdrawn() && !s.spent && s.overdrawn(p, "the dynamic blocks of this block make too much") {
		return false
	}
	return s.Add(p.Address, list)
}

func (s *Scope) expandGuarded(p At, decode func(*config.Loops) diag.List) (list diag.List) {
	defer func() {
		if recover() != nil {
			list = diag.List{{
				Code: diag.BadDynamic, Summary: "the dynamic blocks of this block cannot be expanded",
				Detail: "Write them in a simpler form.", Subject: p.Subject,
			}}
		}
	}()
	return decode(&config.Loops{Context: s.context, Check: s.checkLoop})
}
