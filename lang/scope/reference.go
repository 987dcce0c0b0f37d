package scope

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/lang/syntax"
)

// References resolves everything that an expression refers to. It returns the
// stages' results among them, also those that come through local values, each of
// these once: locals that refer to locals would else multiply them. ok is
// false when something is missing or bad, so that there is no point in
// evaluating.
func (s *Scope) References(expr hcl.Expression, address, attr string) (refs []program.Ref, ok bool) {
	ok = true
	through := map[result]bool{}
	for _, t := range expr.Variables() {
		found, fine := s.resolve(t, address)
		ok = ok && fine
		if s.spent && len(found) > 0 {
			return nil, false
		}
		if s.budget != nil && !s.budget.TakeReferences(len(found)) {
			s.overdrawn(At{Address: address, Subject: syntax.Range(expr.Range())}, "")
			return nil, false
		}
		for _, r := range found {
			if t.RootName() == "local" {
				if through[result{r.Stage, r.What}] {
					continue
				}
				through[result{r.Stage, r.What}] = true
			}
			r.Attr, r.Range = attr, syntax.Range(t.SourceRange())
			refs = append(refs, r)
		}
	}
	return refs, ok
}

func (s *Scope) resolve(t hcl.Traversal, address string) ([]program.Ref, bool) {
	kind := t.RootName()
	if kind == "stage" && s.names[kind] != nil {
		return s.resolveStage(t, address)
	}
	if v, ok := s.inner[kind]; ok {
		return nil, s.inside(t, v, address)
	}
	names, ok := s.names[kind]
	if !ok || kind == "output" || kind == "network" {
		kinds := s.words()
		s.Errorf(diag.UnknownReference, At{Address: address, Subject: syntax.Range(t[0].SourceRange())},
			s.rootHint(kind, kinds), "nothing is called %q", kind)
		return nil, false
	}
	id, ok := step(t, 1)
	if !ok {
		s.Errorf(diag.UnknownReference, At{Address: address, Subject: syntax.Range(t.SourceRange())},
			fmt.Sprintf("Name one of them: %s.%s.", kind, s.First(kind, "name")), "%s alone is not a value", kind)
		return nil, false
	}
	n, ok := names[id]
	if !ok {
		s.unknown(kind, id, At{Address: address, Subject: syntax.Range(t.SourceRange())})
		return nil, false
	}
	n.Used = true
	if n.Block != nil && kind != "var" && len(t) > 2 {
		s.Errorf(diag.UnknownReference, At{Address: address, Subject: syntax.Range(t.SourceRange())},
			fmt.Sprintf("Refer to it as a whole: %s.%s. A value that is needed in two places can be a local or a variable.", kind, id),
			"nothing can be read from inside %s.%s", kind, id)
		return nil, false
	}
	if kind == "local" {
		s.evaluateLocal(n)
	}
	return n.refs, !n.Bad
}

// unknown reports a name that no block has; a block whose labels are wrong may be
// the one that is meant.
func (s *Scope) unknown(kind, id string, p At) {
	if !s.unlabelled(kind) {
		s.Errorf(diag.UnknownReference, p, s.suggest(kind, id), "there is no %s.%s", kind, id)
	}
}

// words are the first words of references, where they are looked up.
func (s *Scope) words() []string {
	var words []string
	for _, kind := range []string{"var", "local", "dataset", "model", "qconfig", "stage"} {
		if s.names[kind] != nil {
			words = append(words, kind)
		}
	}
	return append(words, slices.Sorted(maps.Keys(s.inner))...)
}

// rootHint suggests what was meant by an unknown first word.
func (s *Scope) rootHint(word string, kinds []string) string {
	for _, k := range kinds {
		if _, ok := s.names[k][word]; ok {
			return fmt.Sprintf("Did you mean %s.%s?", k, word)
		}
	}
	return diag.DidYouMean(word, kinds, "things that can be referred to") + " A string is written in double quotes."
}

// step returns the name at position i of a traversal: .name or ["name"].
func step(t hcl.Traversal, i int) (string, bool) {
	if i >= len(t) {
		return "", false
	}
	switch s := t[i].(type) {
	case hcl.TraverseAttr:
		return s.Name, true
	case hcl.TraverseIndex:
		if s.Key.Type() == cty.String && s.Key.IsKnown() && !s.Key.IsNull() {
			return s.Key.AsString(), true
		}
	}
	return "", false
}

// checkpoints are the names of what a stage may leave.
func checkpoints() []string { return []string{"best", "last", program.Int8} }

// resolveStage resolves stage.n.checkpoint.best|last|int8 and stage.n.metrics.name.
func (s *Scope) resolveStage(t hcl.Traversal, address string) ([]program.Ref, bool) {
	p := At{Address: address, Subject: syntax.Range(t.SourceRange())}
	const forms = "A stage's results are stage.n.checkpoint.best, stage.n.checkpoint.last, stage.n.checkpoint.int8 and stage.n.metrics.name."
	id, ok := step(t, 1)
	if !ok {
		s.Errorf(diag.UnknownReference, p, forms, "stage alone is not a value")
		return nil, false
	}
	n, ok := s.names["stage"][id]
	if !ok {
		s.unknown("stage", id, p)
		return nil, false
	}
	n.Used = true
	what, _ := step(t, 2)
	which, named := step(t, 3)
	switch {
	case what == "checkpoint" && slices.Contains(checkpoints(), which) && len(t) == 4:
	case what == "checkpoint":
		s.Errorf(diag.UnknownReference, p, checkpointHint(id, which), "stage.%s has no such checkpoint", id)
		return nil, false
	case what == "metrics" && !named:
		s.Errorf(diag.UnknownReference, p, fmt.Sprintf("Name the metric: stage.%s.metrics.accuracy.", id), "stage.%s.metrics alone is not a value", id)
		return nil, false
	case what == "metrics":
	default:
		s.Errorf(diag.UnknownReference, p, stageHint(id, what, forms), "stage.%s has no such result", id)
		return nil, false
	}
	return []program.Ref{{Stage: id, What: what + "." + which}}, true
}

func checkpointHint(id, which string) string {
	if which == "" {
		return fmt.Sprintf("Say which: stage.%s.checkpoint.best or stage.%[1]s.checkpoint.last.", id)
	}
	return diag.DidYouMean(which, checkpoints(), "checkpoints that a stage may leave")
}

func stageHint(id, what, forms string) string {
	if what == "" {
		return fmt.Sprintf("Did you mean stage.%s.checkpoint.last?", id)
	}
	if near := diag.Nearest(what, []string{"checkpoint", "metrics"}); near != "" {
		return fmt.Sprintf("Did you mean stage.%s.%s?", id, near)
	}
	return forms
}

// StageList decodes depends_on: a list of stage.n.
func (s *Scope) StageList(attr *hcl.Attribute, address string) []program.Ref {
	if attr == nil {
		return nil
	}
	const form = "Write a list of stages: [stage.float, stage.calibration]."
	exprs, diags := hcl.ExprList(attr.Expr)
	if diags.HasErrors() {
		s.Errorf(diag.WrongType, At{Address: address, Subject: syntax.Range(attr.Expr.Range())}, form, "depends_on is not a list of stages")
		return nil
	}
	var refs []program.Ref
	for _, e := range exprs {
		r := syntax.Range(e.Range())
		t, diags := hcl.AbsTraversalForExpr(e)
		id, ok := step(t, 1)
		if diags.HasErrors() || !ok || t.RootName() != "stage" || len(t) != 2 {
			s.Errorf(diag.WrongType, At{Address: address, Subject: r}, form, "depends_on takes whole stages")
			continue
		}
		n, ok := s.names["stage"][id]
		if !ok {
			s.unknown("stage", id, At{Address: address, Subject: r})
			continue
		}
		n.Used = true
		if !slices.ContainsFunc(refs, func(r program.Ref) bool { return r.Stage == id }) {
			refs = append(refs, program.Ref{Stage: id, Attr: "depends_on", Range: r})
		}
	}
	return refs
}
