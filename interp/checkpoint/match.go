package checkpoint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/ops/nn"
)

// Matching is the result of comparing a checkpoint's tensors with a model's, by name.
type Matching struct {
	LoadError             // tensors that do not fit and that no option allows
	of        int         // number of the model's tensors
	fit       []nn.Tensor // tensors of the checkpoint that fit, with the model's names
	missed    []string    // the model's tensors that none fits
	passed    []string    // the checkpoint's tensors that the model does not have
	options   part.LoadOptions
}

// Match compares the tensors that a checkpoint gives with those that a model takes, by
// name, shape and type. The tensors need no numbers.
func Match(give, take []nn.Tensor, o part.LoadOptions) (*Matching, error) {
	have, err := renamed(give, o.Rename)
	if err != nil {
		return nil, err
	}
	m := &Matching{of: len(take), options: o}
	wanted := map[string]bool{}
	for _, w := range take {
		wanted[w.Name] = true
		h, ok := have[w.Name]
		_, unloadable := h.Data.(Unloadable)
		switch {
		case !ok:
			m.Missing = append(m.Missing, Mismatch{Name: w.Name})
		case !slices.Equal(w.Shape, h.Shape):
			m.Shapes = append(m.Shapes, Mismatch{Name: w.Name, Reason: fmt.Sprintf("the checkpoint has %s, the model %s", dims(h.Shape), dims(w.Shape))})
		case unloadable, !sameType(h.Data, w.Data):
			m.Types = append(m.Types, Mismatch{Name: w.Name, Reason: fmt.Sprintf("the checkpoint has %s, the model %s", typeOf(h.Data), typeOf(w.Data))})
		default:
			m.fit = append(m.fit, h)
			continue
		}
		m.missed = append(m.missed, w.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if !wanted[name] {
			m.Extra = append(m.Extra, Mismatch{Name: name, Reason: counter(name)})
			m.passed = append(m.passed, name)
		}
	}
	m.suggest()
	m.forgive(o)
	return m, nil
}

// Err returns nil if every tensor that must be loaded fits, and at least one does. why is
// the likely cause of a mismatch, for the message.
func (m *Matching) Err(why string) error {
	switch {
	case !m.none():
		m.Why = why
		return &m.LoadError
	case len(m.fit) == 0 && m.of > 0:
		return m.nothing()
	}
	return nil
}

// nothing returns the error that not a single tensor fits. It is an error even if the
// options allow every single mismatch.
func (m *Matching) nothing() error {
	hint := "compare the names (`qpipe show`), and if only their beginnings differ, write rename = { \"theirs\" = \"ours\" }"
	if len(m.passed) > 0 && len(m.missed) > 0 {
		hint = fmt.Sprintf("it has %s and more, the model %s: %s", m.passed[0], m.missed[0], hint)
	}
	return &LoadError{Why: fmt.Sprintf("none of its tensors is one of the model's %d; %s", m.of, hint)}
}

// loaded returns what loading the tensors that fit means for the model.
func (m *Matching) loaded() *Loaded {
	return &Loaded{Tensors: len(m.fit), Of: m.of, Missed: m.missed, Passed: m.passed}
}

// renamed returns the tensors by their names after the rename rules. It is an error if a
// rule applies to no tensor, or if two tensors get the same name.
func renamed(give []nn.Tensor, rename map[string]string) (map[string]nn.Tensor, error) {
	have, met := make(map[string]nn.Tensor, len(give)), map[string]bool{}
	for _, t := range give {
		if rule, ok := ruleFor(t.Name, rename); ok {
			met[rule] = true
		}
		t.Name = Renamed(t.Name, rename)
		if _, twice := have[t.Name]; twice {
			return nil, part.Bad("rename", "two tensors of the checkpoint become %q", t.Name)
		}
		have[t.Name] = t
	}
	for _, rule := range slices.Sorted(maps.Keys(rename)) {
		if !met[rule] {
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

// sameType reports whether the data of two tensors have the same Go type.
func sameType(a, b any) bool { return fmt.Sprintf("%T", a) == fmt.Sprintf("%T", b) }

// typeOf names the type of a tensor's data, for messages.
func typeOf(data any) string {
	if u, ok := data.(Unloadable); ok {
		return u.DType
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", data), "[]")
}

// counter explains a tensor that every PyTorch model with BatchNorm has; "" for other tensors.
func counter(name string) string {
	if strings.HasSuffix(name, ".num_batches_tracked") {
		return "PyTorch's count of batches, which qpipe does not need"
	}
	return ""
}

// forgive drops the mismatches that the options allow.
func (e *LoadError) forgive(o part.LoadOptions) {
	if o.AllowMiss {
		e.Missing = nil
	}
	if o.IgnoreExtra {
		e.Extra = nil
	}
	if o.IgnoreTensorShape {
		e.Shapes = nil
	}
}

// mostPairs bounds how many pairs of names are compared in search of similar ones.
const mostPairs = 100_000

// suggest finds, for every missing tensor, the extra tensor with the most similar name, and
// for every extra tensor the missing one.
func (e *LoadError) suggest() {
	names := func(list []Mismatch) (out []string) {
		for _, m := range list {
			out = append(out, m.Name)
		}
		return out
	}
	missing, extra := names(e.Missing), names(e.Extra)
	if len(missing)*len(extra) > mostPairs {
		return
	}
	for i, name := range missing {
		e.Missing[i].Near = diag.Nearest(name, extra)
	}
	for i, name := range extra {
		e.Extra[i].Near = diag.Nearest(name, missing)
	}
}

// Renamed returns the name of a checkpoint's tensor after the rename rules of
// LoadCheckpoint. A rule replaces a prefix that ends at a dot; the rule with the longest
// prefix wins.
func Renamed(name string, rename map[string]string) string {
	rule, found := ruleFor(name, rename)
	if !found {
		return name
	}
	rest := strings.TrimPrefix(strings.TrimPrefix(name, rule), ".")
	return strings.Trim(rename[rule]+"."+rest, ".")
}

// ruleFor returns the prefix of the rule that applies to a name: the longest one that the
// name begins with.
func ruleFor(name string, rename map[string]string) (best string, found bool) {
	for old := range rename {
		if (old == "" || name == old || strings.HasPrefix(name, old+".")) && (!found || len(old) > len(best)) {
			best, found = old, true
		}
	}
	return best, found
}

// dims formats a shape in file order: "16×3×3×3".
func dims(shape []int) string {
	if len(shape) == 0 {
		return "a single value"
	}
	text := make([]string, len(shape))
	for i, n := range shape {
		text[i] = fmt.Sprint(n)
	}
	return strings.Join(text, "×")
}
