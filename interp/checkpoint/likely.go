package checkpoint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/ops/nn"
)

// Likely is a rename rule under which tensors of the checkpoint would fit tensors of the model that are missing.
type Likely struct {
	Theirs, Ours string
	Tensors      int
}

// mostPairs bounds how many pairs of names are compared in search of rules.
const mostPairs = 200_000

// likely takes out of the missing and the extra tensors those that a rename would bring together, as far as names and
// shapes say: rules that fit most tensors first.
func (m *Matching) likely(have, want map[string]nn.Tensor) {
	if m.vision(have, want); m.Torchvision > 0 {
		return
	}
	if len(m.Missing)*len(m.Extra) > mostPairs {
		return
	}
	pairs := candidates(m.Extra, m.Missing, have, want)
	for {
		rules := map[Likely][][2]string{}
		for _, c := range pairs {
			rules[c.rule] = append(rules[c.rule], c.names)
		}
		best, found := bestOf(rules)
		if len(found) == 0 {
			return
		}
		m.Renames = append(m.Renames, best)
		gone := map[string]bool{}
		for _, p := range found {
			gone["theirs "+p[0]], gone["ours "+p[1]] = true, true
		}
		pairs = slices.DeleteFunc(pairs, func(c candidate) bool { return gone["theirs "+c.names[0]] || gone["ours "+c.names[1]] })
		m.Extra = without(m.Extra, found, 0)
		m.Missing = without(m.Missing, found, 1)
	}
}

// candidate is a tensor of the checkpoint and one of the model with the same shape, and the rule that would bring them together.
type candidate struct {
	rule  Likely
	names [2]string // theirs and ours
}

func candidates(extra, missing []Mismatch, have, want map[string]nn.Tensor) (list []candidate) {
	for _, x := range extra {
		for _, w := range missing {
			if !slices.Equal(have[x.Name].Shape, want[w.Name].Shape) {
				continue
			}
			if theirs, ours, ok := difference(x.Name, w.Name); ok {
				list = append(list, candidate{Likely{Theirs: theirs, Ours: ours}, [2]string{x.Name, w.Name}})
			}
		}
	}
	return list
}

// vision looks whether most missing tensors would be there by torchvision's names.
func (m *Matching) vision(have, want map[string]nn.Tensor) {
	if m.options.Torchvision {
		return
	}
	var pairs [][2]string
	table := newRenamer(part.LoadOptions{Names: m.options.Names, Torchvision: true})
	for _, x := range m.Extra {
		ours := table.renamed(x.Name)
		if w, ok := want[ours]; ok && slices.Equal(have[x.Name].Shape, w.Shape) {
			pairs = append(pairs, [2]string{x.Name, ours})
		}
	}
	if 2*len(pairs) > len(m.Missing) {
		m.Torchvision, m.Extra, m.Missing = len(pairs), without(m.Extra, pairs, 0), without(m.Missing, pairs, 1)
	}
}

// difference is what two names differ in, in front of the parts at their ends that they share: at least the last one.
func difference(theirs, ours string) (a, b string, ok bool) {
	x, y := strings.Split(theirs, "."), strings.Split(ours, ".")
	same := 0
	for same < len(x) && same < len(y) && x[len(x)-1-same] == y[len(y)-1-same] {
		same++
	}
	return strings.Join(x[:len(x)-same], "."), strings.Join(y[:len(y)-same], "."), same > 0
}

// bestOf is the rule that fits most tensors, of those that fit more than any other rule about the same beginning: nothing is
// guessed among equals.
func bestOf(rules map[Likely][][2]string) (best Likely, pairs [][2]string) {
	theirs, ours := map[string][]int{}, map[string][]int{} // how many tensors each rule fits
	for r, list := range rules {
		theirs[r.Theirs] = append(theirs[r.Theirs], len(list))
		ours[r.Ours] = append(ours[r.Ours], len(list))
	}
	rivals := func(counts []int, n int) bool {
		reach := 0
		for _, k := range counts {
			if k >= n {
				reach++
			}
		}
		return reach > 1 // one is the rule itself
	}
	for r, list := range rules {
		if rivals(theirs[r.Theirs], len(list)) || rivals(ours[r.Ours], len(list)) {
			continue
		}
		r.Tensors = len(list)
		if c := cmp.Or(cmp.Compare(len(pairs), len(list)), cmp.Compare(r.Theirs, best.Theirs), cmp.Compare(r.Ours, best.Ours)); pairs == nil || c < 0 {
			best, pairs = r, list
		}
	}
	return best, pairs
}

// without removes the names at the place k of the pairs.
func without(list []Mismatch, pairs [][2]string, k int) []Mismatch {
	gone := map[string]bool{}
	for _, p := range pairs {
		gone[p[k]] = true
	}
	return slices.DeleteFunc(list, func(m Mismatch) bool { return gone[m.Name] })
}

// String is the rule as it is written in a pipeline.
func (l Likely) String() string { return fmt.Sprintf("%q = %q", l.Theirs, l.Ours) }

// RenameText is what the rules are in a pipeline, and how many tensors they are about; "" if there are none.
func (e *LoadError) RenameText() string {
	if e.Torchvision > 0 {
		return fmt.Sprintf("names = \"torchvision\" would fit %s by name and shape", diag.Count(e.Torchvision, "tensor"))
	}
	if len(e.Renames) == 0 {
		return ""
	}
	var rules []string
	n := 0
	for i, r := range e.Renames {
		if n += r.Tensors; i < mostRules {
			rules = append(rules, r.String())
		}
	}
	more := ""
	if len(e.Renames) > mostRules {
		more = fmt.Sprintf(" and %d more rules", len(e.Renames)-mostRules)
	}
	return fmt.Sprintf("rename = { %s }%s would fit %s by name and shape", strings.Join(rules, ", "), more, diag.Count(n, "tensor"))
}

// mostRules is how many rules a message lists.
const mostRules = 20
