package checkpoint

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/ops/nn"
)

// Renamed returns the model's name for a name in a checkpoint: by the rules of LoadCheckpoint, and where none applies by the
// table of names. A rule replaces a beginning that ends at a dot. In it * takes any letters but a dot, and ** any parts of the
// name; in the replacement they are what was taken, in order. Of several rules the one that replaces most of the name
// counts; of those, the one with most letters of its own.
func Renamed(name string, o part.LoadOptions) string { return newRenamer(o).renamed(name) }

// renamer has the rules of LoadCheckpoint, for any number of names.
type renamer struct {
	rules []rule
	names []part.Rename // the table, nil if it is not asked for
}

// rule is one of rename. pattern is nil if it has no wildcards.
type rule struct {
	from, to string
	letters  int // of its own
	pattern  *regexp.Regexp
}

func newRenamer(o part.LoadOptions) *renamer {
	r := &renamer{}
	for _, from := range slices.Sorted(maps.Keys(o.Rename)) {
		one := rule{from: from, to: o.Rename[from], letters: len(from) - strings.Count(from, "*")}
		if places := part.Wildcards(from); len(places) > 0 {
			one.pattern = patternOf(from, places)
		}
		r.rules = append(r.rules, one)
	}
	if o.Torchvision {
		r.names = o.Names
	}
	return r
}

// renamed is the model's name for a name in a checkpoint.
func (r *renamer) renamed(name string) string {
	if m, found := r.ruleFor(name); found {
		return m.renamed()
	}
	for _, n := range r.names {
		if rest, ok := strings.CutPrefix(name, n.Torch); ok && (rest == "" || rest[0] == '.') {
			return n.Ours + rest
		}
	}
	return name
}

// met is a rule that applies to a name.
type met struct {
	rule
	taken []string // by the wildcards
	rest  string   // of the name
}

// renamed is the name with its beginning replaced.
func (m met) renamed() string {
	to := m.to
	for _, t := range m.taken {
		if at := part.Wildcards(to); len(at) > 0 { // others are left out
			to = to[:at[0][0]] + t + to[at[0][1]:]
		}
	}
	return strings.Trim(strings.ReplaceAll(to+"."+m.rest, "..", "."), ".")
}

// ruleFor returns the rule that applies to a name.
func (r *renamer) ruleFor(name string) (best met, found bool) {
	for _, one := range r.rules {
		m, ok := one.meets(name)
		if ok && (!found || len(m.rest) < len(best.rest) || len(m.rest) == len(best.rest) && one.letters > best.letters) {
			best, found = m, true
		}
	}
	return best, found
}

// meets reports how a rule applies to a name.
func (r rule) meets(name string) (met, bool) {
	if r.pattern == nil {
		rest, ok := strings.CutPrefix(name, r.from)
		if !ok || rest != "" && rest[0] != '.' && r.from != "" {
			return met{}, false
		}
		return met{rule: r, rest: strings.TrimPrefix(rest, ".")}, true
	}
	found := r.pattern.FindStringSubmatch(name)
	if found == nil {
		return met{}, false
	}
	last := len(found) - 1
	return met{r, found[1:last], strings.TrimPrefix(found[last], ".")}, true
}

// patternOf is a rule with wildcards as a regular expression; the last group is the rest of the name.
func patternOf(from string, wildcards [][]int) *regexp.Regexp {
	text, at := "^", 0
	for _, w := range wildcards {
		text += regexp.QuoteMeta(from[at:w[0]])
		if w[1]-w[0] == 2 {
			text += `(.*)`
		} else {
			text += `([^.]*)`
		}
		at = w[1]
	}
	return regexp.MustCompile(text + regexp.QuoteMeta(from[at:]) + `(\..*|)$`)
}

// wrappers are what PyTorch puts in front of all names when a model was trained in parallel or compiled.
func wrappers() []string { return []string{"module.", "_orig_mod."} }

// unwrapped removes from all names what a wrapper has put in front, unless the model or a rule has that, too.
func unwrapped(give, take []nn.Tensor, rename map[string]string) []nn.Tensor {
	wanted := func(prefix string) bool {
		begins := func(name string) bool { return strings.HasPrefix(name+".", prefix) }
		return slices.ContainsFunc(take, func(t nn.Tensor) bool { return begins(t.Name) }) ||
			slices.ContainsFunc(slices.Collect(maps.Keys(rename)), begins)
	}
	for again := true; again; {
		again = false
		for _, prefix := range wrappers() {
			without := func(t nn.Tensor) bool { return !strings.HasPrefix(t.Name, prefix) }
			if len(give) == 0 || slices.ContainsFunc(give, without) || wanted(prefix) {
				continue
			}
			give, again = slices.Clone(give), true
			for i := range give {
				give[i].Name = strings.TrimPrefix(give[i].Name, prefix)
			}
		}
	}
	return give
}

// renamed returns the tensors by their names after the rename rules. It is an error if a
// rule applies to no tensor, or if two tensors get the same name.
func renamed(give []nn.Tensor, o part.LoadOptions) (map[string]nn.Tensor, error) {
	have, used, r := make(map[string]nn.Tensor, len(give)), map[string]bool{}, newRenamer(o)
	for _, t := range give {
		if m, ok := r.ruleFor(t.Name); ok {
			used[m.from] = true
		}
		t.Name = r.renamed(t.Name)
		if _, twice := have[t.Name]; twice {
			return nil, part.Bad("rename", "two tensors of the checkpoint become %q", t.Name)
		}
		have[t.Name] = t
	}
	for _, rule := range slices.Sorted(maps.Keys(o.Rename)) {
		if !used[rule] {
			return nil, unmet(rule, give)
		}
	}
	return have, nil
}

// mostStarts bounds the number of prefixes that are searched for a similar one.
const mostStarts = 10_000

// unmet returns the error for a rule that applies to no tensor. It suggests a similar
// prefix of the tensors' names, or lists the first parts of the names.
func unmet(rule string, give []nn.Tensor) error {
	var starts []string
	known := map[string]bool{}
	for _, t := range give {
		for i, c := range t.Name {
			if c == '.' && !known[t.Name[:i]] && len(starts) < mostStarts {
				known[t.Name[:i]] = true
				starts = append(starts, t.Name[:i])
			}
		}
	}
	if near := diag.Nearest(rule, starts); near != "" {
		return part.Bad("rename", "no tensor's name in the checkpoint begins with %q; did you mean %q?", rule, near)
	}
	first := slices.DeleteFunc(starts, func(s string) bool { return strings.Contains(s, ".") })
	return part.Bad("rename", "no tensor's name in the checkpoint begins with %q (or another rule takes them all); they begin with %s", rule, diag.Enumerate(first))
}
