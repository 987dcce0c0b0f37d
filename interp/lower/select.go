package lower

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// names returns all names by which a node can be selected: its own and its members'.
func names(m nn.Module) []string {
	out := slices.Clone(m.Members)
	if !slices.Contains(out, m.Name) {
		out = append(out, m.Name)
	}
	return out
}

// matches reports whether a selector names the node, one of its members or a module that contains it.
func matches(s program.Selector, m nn.Module) bool {
	return slices.ContainsFunc(names(m), s.Match)
}

// selects reports whether a list of selectors chooses the node: they select one of its
// members, and no negated selector matches any.
func selects(list []program.Selector, m nn.Module) bool {
	all := names(m)
	return slices.ContainsFunc(all, func(n string) bool { return program.Select(list, n) }) &&
		!slices.ContainsFunc(list, func(s program.Selector) bool { return s.Negated && matches(s, m) })
}

// selectsNothing reports a selector that matches nothing, and suggests similar names.
func (l *lowerer) selectsNothing(s program.Selector, o program.Origin, nodes []string) {
	at := s.Range
	if at.Empty() {
		at = o.Header
	}
	d := diag.Diagnostic{
		Code: diag.SelectsNothing, Subject: at, Address: o.Address,
		Summary: fmt.Sprintf("%q selects no node of the network", s.Text),
	}
	if l.idle++; l.idle <= diag.Most { // later ones are not printed
		d.Detail = suggestion(s.Text, nodes)
	}
	l.fail(d)
}

// suggestion names nodes and modules that are similar to the selector.
func suggestion(text string, nodes []string) string {
	wanted := strings.TrimPrefix(text, "!")
	all := withModules(nodes)
	if n := diag.Nearest(wanted, all); n != "" {
		return fmt.Sprintf("Did you mean %q?", n)
	}
	if near := below(wanted, all); len(near) > 0 {
		return "There are: " + diag.Enumerate(near) + "."
	}
	return "The modules: " + diag.Enumerate(topmost(all)) + "."
}

// withModules returns the nodes and the modules that contain them, sorted by depth and name.
func withModules(nodes []string) []string {
	seen := map[string]bool{}
	for _, n := range nodes {
		for {
			seen[n] = true
			i := strings.LastIndexByte(n, '.')
			if i < 0 {
				break
			}
			n = n[:i]
		}
	}
	out := make([]string, 0, len(seen))
	for n := range seen {
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.Count(a, "."), strings.Count(b, ".")), cmp.Compare(a, b))
	})
	return out
}

// below finds the deepest module that the beginning of the selector's text names, and lists
// what is directly in it.
func below(text string, all []string) []string {
	for parent := text; ; {
		i := strings.LastIndexByte(parent, '.')
		if i < 0 {
			return nil
		}
		parent = parent[:i]
		var out []string
		for _, n := range all {
			rest, ok := strings.CutPrefix(n, parent+".")
			if ok && !strings.Contains(rest, ".") {
				out = append(out, n)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
}

// topmost lists the modules of the first two levels.
func topmost(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(n string) bool { return strings.Count(n, ".") > 1 })
}

// way turns an advice into a sentence.
func way(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
