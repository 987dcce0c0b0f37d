package stage

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"qpipe/lang/diag"
	"qpipe/ops/nn"
)

// LoadError says why a snapshot does not fit a graph: tensor by tensor.
type LoadError struct {
	Why     string     // the likely cause, with the way out; "" when none is known
	Missing []Mismatch // in the model, not in the checkpoint
	Extra   []Mismatch // in the checkpoint, not in the model
	Shapes  []Mismatch // in both, but different
}

// Mismatch is a tensor that does not fit.
type Mismatch struct {
	Name   string
	Near   string // the nearest name on the other side, "" when none is near
	Reason string // for Shapes: what differs
}

// Error returns a headline and a line a tensor.
func (e *LoadError) Error() string {
	var b strings.Builder
	b.WriteString("the checkpoint does not fit the model")
	if e.Why != "" {
		b.WriteString(": " + e.Why)
	}
	section := func(list []Mismatch, what, way string) {
		if len(list) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n%s (%s):", what, way)
		for _, m := range list {
			b.WriteString("\n  " + m.Name)
			if m.Reason != "" {
				b.WriteString(": " + m.Reason)
			}
			if m.Near != "" {
				b.WriteString(" (near: " + m.Near + ")")
			}
		}
	}
	section(e.Missing, "missing in the checkpoint", "allow_miss = true leaves them as they are")
	section(e.Extra, "not in the model", "ignore_extra = true passes over them")
	section(e.Shapes, "of another shape", "ignore_tensor_shape = true leaves them as they are")
	return b.String()
}

// LoadTensors puts a snapshot's tensors into a graph: it replays the snapshot's
// absorptions, then matches by name. The error is a *LoadError that names every
// tensor that does not fit; the graph is of no use after it.
func LoadTensors(g *nn.Graph, s *Snapshot, o LoadOptions) error {
	why, ok := formsFit(s, g, o)
	if !ok {
		return &LoadError{Why: why}
	}
	source := s.Model
	if o.LoadEMAModel {
		if source = s.Shadow; source == nil {
			return Bad("load_ema_model", "the checkpoint holds no averaged weights: set load_ema_model = false")
		}
	}
	if err := replay(g, s.Absorbed, o.Rename); err != nil {
		return err
	}
	have := make(map[string]nn.Tensor, len(source))
	for _, t := range source {
		t.Name = Renamed(t.Name, o.Rename)
		if _, twice := have[t.Name]; twice {
			return Bad("rename", "two tensors of the checkpoint become %q", t.Name)
		}
		have[t.Name] = t
	}
	return put(g, have, o, why)
}

// formsFit refuses forms between which weights have no meaning, and says in words
// what a mismatch between the others may come from.
func formsFit(s *Snapshot, g *nn.Graph, o LoadOptions) (why string, ok bool) {
	from, to := s.Form, g.Form()
	quant := func(f nn.Form) bool { return f == nn.Calibration || f == nn.QAT }
	switch {
	case from == to, quant(from) && quant(to):
		if from != nn.Float && s.Mode != g.Mode() {
			why = fmt.Sprintf("it was written with qat_mode = %q, the model has %q", s.Mode, g.Mode())
		}
		return why, true
	case from == nn.Float && quant(to):
		return fmt.Sprintf("it is of the float form, the model is already in the %s form: put LoadCheckpoint before the converter", to), o.AllowMiss
	case to == nn.Float && quant(from):
		return fmt.Sprintf("it is of the %s form, the model is still in the float form: put LoadCheckpoint after Float2QAT", from), false
	case to == nn.Quantized:
		return fmt.Sprintf("it is of the %s form, the model is already quantized: put LoadCheckpoint before QAT2Quantize", from), false
	default:
		return fmt.Sprintf("it is of the %s form, the model of the %s form", from, to), false
	}
}

// replay absorbs what the snapshot's model had absorbed, where the graph has a BN
// left. A node without one (under fuse_bn, say) has the same tensors already.
func replay(g *nn.Graph, absorbed []Absorption, rename map[string]string) error {
	if len(absorbed) == 0 {
		return nil
	}
	left := map[string]bool{}
	for _, m := range g.Modules() {
		left[m.Name] = m.BN != ""
	}
	var list []nn.Absorbed
	for _, a := range absorbed {
		node, recompute := Renamed(a.Module, rename), a.WeightScale == "recompute"
		if left[node] {
			list = append(list, nn.Absorbed{
				Node: node, BN: Renamed(a.BN, rename), Recompute: recompute,
				Frozen: a.Mode == nn.WithBN && !recompute,
			})
		}
	}
	if err := g.ReplayAbsorbed(list); err != nil {
		return fmt.Errorf("replaying the checkpoint's absorptions: %w", err)
	}
	return nil
}

// put matches names and shapes, and copies if all is as the options allow.
func put(g *nn.Graph, have map[string]nn.Tensor, o LoadOptions, why string) error {
	e, fit := &LoadError{Why: why}, []nn.Tensor(nil)
	wanted := map[string]bool{}
	for _, w := range g.Tensors() {
		wanted[w.Name] = true
		h, ok := have[w.Name]
		switch {
		case !ok:
			e.Missing = append(e.Missing, Mismatch{Name: w.Name})
		case !slices.Equal(w.Shape, h.Shape):
			e.Shapes = append(e.Shapes, Mismatch{Name: w.Name, Reason: fmt.Sprintf("the checkpoint has %s, the model %s", dims(h.Shape), dims(w.Shape))})
		default:
			fit = append(fit, h)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if !wanted[name] {
			e.Extra = append(e.Extra, Mismatch{Name: name})
		}
	}
	e.suggest()
	e.forgive(o)
	if len(e.Missing)+len(e.Extra)+len(e.Shapes) > 0 {
		return e
	}
	var errs []error
	for _, t := range fit {
		errs = append(errs, g.SetTensor(t))
	}
	return errors.Join(errs...)
}

// forgive drops what the options allow.
func (e *LoadError) forgive(o LoadOptions) {
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

// suggest gives every missing tensor the nearest extra one, and the other way round.
func (e *LoadError) suggest() {
	names := func(list []Mismatch) (out []string) {
		for _, m := range list {
			out = append(out, m.Name)
		}
		return out
	}
	missing, extra := names(e.Missing), names(e.Extra)
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
	best, found := "", false
	for old := range rename {
		if (old == "" || name == old || strings.HasPrefix(name, old+".")) && (!found || len(old) > len(best)) {
			best, found = old, true
		}
	}
	if !found {
		return name
	}
	rest := strings.TrimPrefix(strings.TrimPrefix(name, best), ".")
	return strings.Trim(rename[best]+"."+rest, ".")
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
