package diag

import (
	"cmp"
	"slices"
)

// About describes a rule in its row of a table of rules: the code and the severity of everything that it reports, and
// words for people. Rules may share a code.
type About struct {
	Name     string // its name for people, such as "larger-lr"
	Code     Code
	Severity Severity
	Summary  string // one sentence, for the list of codes
	Doc      string // why it is a mistake, and what is usually intended
}

// Rule is a row of a table of rules. T is what the rules of the table look at. They read it and
// change nothing, so their order has no meaning.
type Rule[T any] struct {
	About
	// Last says that the rule reports only if no error has been found: it is advice about what is not needed, and
	// another mistake may be the reason.
	Last  bool
	Check func(on T, report Reporter)
}

// Reporter takes what a rule has found. The code and the severity come from the rule's row.
type Reporter func(*Diagnostic)

// Apply runs every rule of a table and adds to the list what they find.
func Apply[T any](rules []Rule[T], on T, list List) List {
	for _, last := range []bool{false, true} {
		if last && list.HasErrors() {
			break
		}
		for _, r := range rules {
			if r.Last == last {
				r.Check(on, func(d *Diagnostic) {
					d.Rule, d.Code, d.Severity = r.Name, r.Code, r.Severity
					list = append(list, d)
				})
			}
		}
	}
	return list
}

// AboutAll returns the descriptions of a table's rules.
func AboutAll[T any](rules []Rule[T]) []About {
	out := make([]About, len(rules))
	for i, r := range rules {
		out[i] = r.About
	}
	return out
}

// Meanings returns the list of all codes, in order: those of rules and all others. A code that several rules share has
// the meaning of the first.
func Meanings(rules ...About) []Meaning {
	list := slices.Concat(languageMeanings(), interpreterMeanings())
	for _, r := range rules {
		text := r.Summary
		if r.Severity == Warning {
			text = "warning: " + text
		}
		list = append(list, Meaning{r.Code, text})
	}
	slices.SortStableFunc(list, func(a, b Meaning) int { return cmp.Compare(a.Code, b.Code) })
	return slices.CompactFunc(list, func(a, b Meaning) bool { return a.Code == b.Code })
}
