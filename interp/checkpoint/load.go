package checkpoint

import (
	"fmt"
	"strings"

	"qpipe/interp/part"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// LoadError says why a snapshot does not fit a graph: tensor by tensor.
type LoadError struct {
	Why     string     // the likely cause, with the way out; "" when none is known
	Missing []Mismatch // in the model, not in the checkpoint
	Extra   []Mismatch // in the checkpoint, not in the model
	Shapes  []Mismatch // in both, but different
	Types   []Mismatch // in both, but of a type that the model cannot take
}

// Unloadable stands for the data of a tensor whose type the program has no use for,
// such as PyTorch's counters of batches. It may be passed over.
type Unloadable struct {
	DType string // as the file says
	Bytes int
}

// Loaded says what loading a checkpoint has done.
type Loaded struct {
	Tensors int      // of the model that have been set
	Of      int      // tensors of the model
	Missed  []string // those of the model that keep their values
	Passed  []string // those of the checkpoint that were passed over
}

// Mismatch is a tensor that does not fit.
type Mismatch struct {
	Name   string
	Near   string // the nearest name on the other side, "" when none is near
	Reason string // for Shapes and Types: what differs
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
		for i, m := range list {
			if i == mostListed {
				fmt.Fprintf(&b, "\n  and %d more", len(list)-i)
				break
			}
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
	section(e.Types, "of a type that cannot be loaded", "save them as float32")
	return b.String()
}

// mostListed is how many tensors of a kind are listed.
const mostListed = 100

// none reports whether all fits.
func (e *LoadError) none() bool { return len(e.Missing)+len(e.Extra)+len(e.Shapes)+len(e.Types) == 0 }

// Restore makes the model that a snapshot was written from: its structure with its weights, or
// with the averaged ones.
func Restore(s *Snapshot, averaged bool) (*nn.Graph, error) {
	g, err := nn.Restore(s.Structure)
	if err != nil {
		return nil, err
	}
	return g, LoadTensors(g, s, part.LoadOptions{LoadEMAModel: averaged})
}

// LoadTensors puts a snapshot's tensors into a graph: it replays the snapshot's
// absorptions, then matches by name. The error is a *LoadError that names every
// tensor that does not fit; the graph is of no use after it.
func LoadTensors(g *nn.Graph, s *Snapshot, o part.LoadOptions) error {
	_, err := Load(g, s, o)
	return err
}

// Load is LoadTensors and says what it has done.
func Load(g *nn.Graph, s *Snapshot, o part.LoadOptions) (*Loaded, error) {
	why, ok := formsFit(s, g, o)
	if !ok {
		return nil, &LoadError{Why: why}
	}
	source := s.Model
	if o.LoadEMAModel {
		if source = s.Shadow; source == nil {
			return nil, part.Bad("load_ema_model", "the checkpoint holds no averaged weights: set load_ema_model = false")
		}
	}
	if err := replay(g, s.Absorbed, o.Rename); err != nil {
		return nil, err
	}
	m, err := Match(source, g.Tensors(), o)
	if err != nil {
		return nil, err
	}
	if err := m.Err(why); err != nil {
		return nil, err
	}
	for _, t := range m.fit {
		if data, ok := t.Data.([]float32); ok && !tensor.Finite(data) && !Unobserved(t.Name, data) {
			return nil, part.Bad("checkpoint_path", "the tensor %s holds a value that is not finite", t.Name)
		}
	}
	return m.loaded(), g.SetTensors(m.fit)
}

// formsFit refuses forms between which weights have no meaning, and says in words
// what a mismatch between the others may come from.
func formsFit(s *Snapshot, g *nn.Graph, o part.LoadOptions) (why string, ok bool) {
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
	case from == nn.Quantized:
		return fmt.Sprintf("it is a finished int8 model, and the model is already in the %s form: let LoadCheckpoint be the stage's only converter", to), false
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
		left[m.Name] = m.Absorbable()
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
