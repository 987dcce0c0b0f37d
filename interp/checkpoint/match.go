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

// Matching is a checkpoint's tensors beside those of a model, by name.
type Matching struct {
	LoadError // what the options do not allow
	of        int
	fit       []nn.Tensor // under the model's names
	missed    []string
	passed    []string
	options   part.LoadOptions
}

// Match holds the tensors that a checkpoint gives against those that a model
// takes. Without the tensors' data, too: then only names, shapes and types count.
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

// Err is nil where all that must be loaded can be, and something is.
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

// nothing says that no tensor has found its place, which no option means to allow.
func (m *Matching) nothing() error {
	hint := "compare the names (`qpipe show`), and give rename = { \"theirs\" = \"ours\" } where only the beginnings differ"
	if len(m.passed) > 0 && len(m.missed) > 0 {
		hint = fmt.Sprintf("it has %s and more, the model %s: %s", m.passed[0], m.missed[0], hint)
	}
	return &LoadError{Why: fmt.Sprintf("none of its tensors is one of the model's %d; %s", m.of, hint)}
}

func (m *Matching) loaded() *Loaded {
	return &Loaded{Tensors: len(m.fit), Of: m.of, Missed: m.missed, Passed: m.passed}
}

// renamed are the tensors by the names that the rules give them. A rule that no
// tensor meets is a mistake.
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

// mostStarts is among how many beginnings of names a near one is looked for.
const mostStarts = 10_000

// unmet says of a rule that it meets no tensor.
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

// sameType reports whether the model can take the data: they are of one type.
func sameType(a, b any) bool { return fmt.Sprintf("%T", a) == fmt.Sprintf("%T", b) }

func typeOf(data any) string {
	if u, ok := data.(Unloadable); ok {
		return u.DType
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", data), "[]")
}

// counter explains a tensor that every PyTorch model with BatchNorm has.
func counter(name string) string {
	if strings.HasSuffix(name, ".num_batches_tracked") {
		return "PyTorch's count of batches, which nothing here needs"
	}
	return ""
}

// forgive drops what the options allow.
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

// mostPairs bounds how many names are held against each other in search of near ones.
const mostPairs = 100_000

// suggest gives every missing tensor the nearest extra one, and the other way round.
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

// Renamed is the name that a checkpoint's tensor has after LoadCheckpoint's
// rename: the longest prefix that ends at a dot is replaced.
func Renamed(name string, rename map[string]string) string {
	rule, found := ruleFor(name, rename)
	if !found {
		return name
	}
	rest := strings.TrimPrefix(strings.TrimPrefix(name, rule), ".")
	return strings.Trim(rename[rule]+"."+rest, ".")
}

// ruleFor is the longest of the prefixes that a name begins with.
func ruleFor(name string, rename map[string]string) (best string, found bool) {
	for old := range rename {
		if (old == "" || name == old || strings.HasPrefix(name, old+".")) && (!found || len(old) > len(best)) {
			best, found = old, true
		}
	}
	return best, found
}

// dims prints a shape as files have it.
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
