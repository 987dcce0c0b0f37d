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
	have, err := renamed(unwrapped(give, take, o.Rename), o)
	if err != nil {
		return nil, err
	}
	m := &Matching{of: len(take), options: o}
	wanted := map[string]nn.Tensor{}
	for _, w := range take {
		wanted[w.Name] = w
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
		if _, ok := wanted[name]; ok {
			continue
		}
		m.passed = append(m.passed, name)
		if !counter(name) {
			m.Extra = append(m.Extra, Mismatch{Name: name})
		}
	}
	if len(m.Missing)+len(m.Extra) > 0 && !(o.AllowMiss && o.IgnoreExtra) {
		m.likely(have, wanted)
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

// sameType reports whether the data of two tensors have the same Go type.
func sameType(a, b any) bool { return fmt.Sprintf("%T", a) == fmt.Sprintf("%T", b) }

// typeOf names the type of a tensor's data, for messages.
func typeOf(data any) string {
	if u, ok := data.(Unloadable); ok {
		return u.DType
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", data), "[]")
}

// counter reports whether a tensor is PyTorch's count of a BatchNorm's batches, which qpipe does not need.
func counter(name string) bool { return strings.HasSuffix(name, ".num_batches_tracked") }

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
