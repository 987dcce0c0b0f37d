package lower

import (
	"fmt"
	"slices"

	"qpipe/interp/graph"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// callbacks finds the nodes that each of a stage's callbacks acts on. Callbacks without
// selectors come last: they act on the nodes that the others leave.
func (l *lowerer) callbacks(s *graph.Stage) {
	s.Modules = make([][]string, len(s.Callbacks))
	for i := range s.Callbacks {
		if s.Callbacks[i].Modules != nil {
			s.Modules[i] = l.acted(s, &s.Callbacks[i])
		}
	}
	for i := range s.Callbacks {
		if s.Callbacks[i].Modules == nil {
			s.Modules[i] = l.acted(s, &s.Callbacks[i])
		}
	}
}

// acted returns the names of the nodes that a callback acts on; none if it does not take modules.
func (l *lowerer) acted(s *graph.Stage, c *program.Callback) []string {
	sig, ok := l.plan.Catalog.Signature(program.CallbackKind, c.Type)
	if !ok || sig.Modules == program.NotTaken {
		return nil
	}
	chosen, ok := l.choose(c, s.Model.Modules())
	if l.behind(s, c) {
		return nil
	}
	if _, absorbs := c.Args.(program.BNAbsorber); absorbs {
		if s.Model.Form() != nn.QAT || s.Mode == nn.FuseBN {
			return nil // lang/lint has reported that there is nothing to absorb
		}
		l.namedTwice(s, c)
		if ok || len(chosen) > 0 {
			chosen = l.absorbs(s, c, chosen)
		}
	}
	if _, freezes := c.Args.(program.BNFreezer); freezes && (ok || len(chosen) > 0) {
		l.freezes(s, c, chosen)
	}
	var out []string
	for _, m := range chosen {
		out = append(out, m.Name)
	}
	return out
}

// freezes reports a freezing callback that selects no BN. A BN that is absorbed counts as well: the checkpoint may be older.
func (l *lowerer) freezes(s *graph.Stage, c *program.Callback, chosen []nn.Module) {
	hasBN := func(m nn.Module) bool { return m.BN != "" || s.Absorbed[m.Name] != nil || s.Surely[m.Name] }
	if s.Mode == nn.FuseBN || slices.ContainsFunc(chosen, hasBN) {
		return
	}
	var with []string
	for _, m := range s.Model.Modules() {
		if hasBN(m) {
			with = append(with, m.Name)
		}
	}
	detail := "No node of the network has a BN."
	if len(with) > 0 {
		detail = "These nodes have one: " + diag.Enumerate(with) + "."
	}
	l.fail(diag.Diagnostic{
		Code: diag.SelectsNoBN, Subject: modulesOf(c), Address: c.Origin.Address,
		Summary: c.Type + " selects no node with a BN", Detail: detail,
	})
}

// behind reports whether a callback has nothing to do any more: all points of its schedule lie
// before this stage's first step, and the stage that is continued has the same callback.
func (l *lowerer) behind(s *graph.Stage, c *program.Callback) bool {
	p := s.Past
	if p == nil || c.When == nil || p.Step < 0 || !s.Trainer.ResumeEpochOrStep {
		return false
	}
	passed, left := c.When.Passed(p.Step, s.Length)
	return passed && !left && p.Acted(s, slices.IndexFunc(s.Callbacks, func(b program.Callback) bool { return b.Origin.Address == c.Origin.Address }))
}

// choose returns the nodes that a callback's selectors choose; without selectors, all. ok is
// false if a selector matches nothing, which it reports.
func (l *lowerer) choose(c *program.Callback, modules []nn.Module) (chosen []nn.Module, ok bool) {
	if c.Modules == nil {
		return modules, true
	}
	ok = true
	for _, sel := range c.Modules {
		if !anyMatches(sel, modules) {
			l.selectsNothing(sel, c.Origin, allNames(modules))
			ok = false
		}
	}
	for _, m := range modules {
		if selects(c.Modules, m) {
			chosen = append(chosen, m)
		}
	}
	return chosen, ok
}

// anyMatches reports whether a selector matches one of the nodes.
func anyMatches(s program.Selector, modules []nn.Module) bool {
	for _, m := range modules {
		if matches(s, m) {
			return true
		}
	}
	return false
}

// allNames lists the names of all nodes and their members.
func allNames(modules []nn.Module) []string {
	var out []string
	for _, m := range modules {
		out = append(out, names(m)...)
	}
	return out
}

// absorbs returns those of the chosen nodes whose BN the callback absorbs, and records them in
// s.Absorbed. It reports a BN that another callback absorbs as well.
func (l *lowerer) absorbs(s *graph.Stage, c *program.Callback, chosen []nn.Module) []nn.Module {
	var own []nn.Module
	var twice []string
	var first *program.Callback
	for _, m := range chosen {
		by := s.Absorbed[m.Name]
		switch {
		case by == nil && m.Absorbable():
			own = append(own, m)
			s.Absorbed[m.Name] = c
		case by == nil, c.Modules == nil:
			// A callback without selectors absorbs only what is left.
		case s.Surely[m.Name] || m.Absorbable() && here(s, by):
			twice, first = append(twice, m.Name), by
		case m.Absorbable():
			own = append(own, m) // the loaded checkpoint may be older than the other stage's absorption
			s.Absorbed[m.Name] = c
		}
	}
	switch {
	case len(twice) > 0:
		l.absorbedTwice(c, first, twice)
	case len(own) == 0:
		l.selectsNoBN(s, c)
	default:
		l.firesTwice(s, c)
	}
	return own
}

// namedTwice reports a selector that adds nothing: earlier selectors of the callback match all of its BNs.
func (l *lowerer) namedTwice(s *graph.Stage, c *program.Callback) {
	first := map[string]program.Selector{}
	for _, sel := range c.Modules {
		var again string
		fresh := sel.Negated
		for _, m := range s.Model.Modules() {
			if !m.Absorbable() || !matches(sel, m) || sel.Negated {
				continue
			}
			if _, named := first[m.Name]; !named {
				first[m.Name], fresh = sel, true
			} else if again == "" {
				again = m.Name
			}
		}
		if again != "" && !fresh {
			l.fail(diag.Diagnostic{
				Code: diag.AbsorbedTwice, Subject: sel.Range, Address: c.Origin.Address, Module: again,
				Summary: fmt.Sprintf("%q selects only modules that are selected before it", sel.Text),
				Detail:  "Name each module once.",
				Related: []diag.Related{{Message: "selected here already", Range: first[again].Range}},
			})
		}
	}
}

// here reports whether the callback belongs to this stage.
func here(s *graph.Stage, c *program.Callback) bool {
	for i := range s.Callbacks {
		if &s.Callbacks[i] == c {
			return true
		}
	}
	return false
}

// modulesOf returns the place of a callback's modules or, if it has none, of the callback.
func modulesOf(c *program.Callback) diag.Range { return c.Origin.At("modules") }

// absorbedTwice reports BNs that two callbacks absorb.
func (l *lowerer) absorbedTwice(c, first *program.Callback, twice []string) {
	when := ""
	if first.When != nil {
		when = fmt.Sprintf(" at %q", first.When.Text)
	}
	what := "the BN of " + twice[0] + " is"
	if len(twice) > 1 {
		what = fmt.Sprintf("the BNs of %s and %d more nodes are", twice[0], len(twice)-1)
	}
	l.fail(diag.Diagnostic{
		Code: diag.AbsorbedTwice, Subject: modulesOf(c), Address: c.Origin.Address, Module: twice[0],
		Summary: fmt.Sprintf("%s absorbed twice", what),
		Detail:  "After the first absorption there is no BN left: name each module in one place. Both name " + diag.Enumerate(twice) + ".",
		Related: []diag.Related{{Message: "absorbed here" + when + " already", Range: modulesOf(first)}},
	})
}

// selectsNoBN reports an absorbing callback that finds no BN.
func (l *lowerer) selectsNoBN(s *graph.Stage, c *program.Callback) {
	var with, alone []string
	for _, m := range s.Model.Modules() {
		switch {
		case m.Absorbable():
			with = append(with, m.Name)
		case m.BN != "" && (c.Modules == nil || selects(c.Modules, m)):
			alone = append(alone, m.Name)
		}
	}
	detail := "No node of the network has a BN that can be absorbed."
	if len(with) > 0 {
		detail = "These nodes have one: " + diag.Enumerate(with) + "."
	}
	if len(alone) > 0 {
		detail += " A BN that does not follow a convolution remains a node of its own, in the int8 model, too: " + diag.Enumerate(alone) + "."
	}
	l.fail(diag.Diagnostic{
		Code: diag.SelectsNoBN, Subject: modulesOf(c), Address: c.Origin.Address,
		Summary: c.Type + " selects no node with a BN that it can absorb", Detail: detail,
	})
}

// firesTwice reports an absorbing callback whose schedule has a second point.
func (l *lowerer) firesTwice(s *graph.Stage, c *program.Callback) {
	w := c.When
	if w == nil || w.Every <= 0 || w.Start || w.End {
		return
	}
	second, n := w.From+w.Every, s.Length.Epochs
	if w.Unit == program.Step {
		n = s.Length.Steps
	}
	if n <= 0 || second >= n || (w.To >= 0 && second > w.To) {
		return
	}
	l.fail(diag.Diagnostic{
		Code: diag.AbsorbedTwice, Subject: c.Origin.At("when"), Address: c.Origin.Address,
		Summary: fmt.Sprintf("%s would absorb the same BNs twice: at %s %d and at %s %d", c.Type, w.Unit, w.From, w.Unit, second),
		Detail:  fmt.Sprintf("Absorb once: when = %q.", fmt.Sprintf("%s %d", w.Unit, w.From)),
		Related: []diag.Related{{Message: "the modules", Range: modulesOf(c)}},
	})
}
