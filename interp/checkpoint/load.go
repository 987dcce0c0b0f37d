package checkpoint

import (
	"fmt"
	"slices"
	"strings"

	"qpipe/interp/part"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// LoadError lists the tensors because of which a snapshot does not fit a graph.
type LoadError struct {
	Why string // the likely cause and what to do; "" if unknown
	// Torchvision is how many tensors torchvision's names would fit that are neither in Missing nor in Extra.
	Torchvision int
	Renames     []Likely   // rules under which tensors would fit that are neither in Missing nor in Extra
	Missing     []Mismatch // in the model, but not in the checkpoint
	Extra       []Mismatch // in the checkpoint, but not in the model
	Shapes      []Mismatch // in both, with different shapes
	Types       []Mismatch // in both, with different types
}

// Unloadable takes the place of a tensor's data if the program does not use its type, as
// for PyTorch's counters of batches. Loading can skip such a tensor.
type Unloadable struct {
	DType string // as written in the file
	Bytes int
}

// Loaded is the result of loading a checkpoint.
type Loaded struct {
	Tensors int      // number of the model's tensors that were loaded
	Of      int      // number of all tensors of the model
	Missed  []string // tensors of the model that were not loaded and keep their values
	Passed  []string // tensors of the checkpoint that were skipped
}

// Mismatch is a tensor that does not fit.
type Mismatch struct {
	Name   string
	Near   string // the most similar name on the other side, "" if none is similar
	Reason string // for Shapes and Types: the difference
}

// Error returns a headline, and a line for each tensor.
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
	if text := e.RenameText(); text != "" {
		b.WriteString("\nof another name (likely: " + text + ")")
	}
	section(e.Missing, "missing in the checkpoint", "allow_miss = true leaves them as they are")
	section(e.Extra, "not in the model", "ignore_extra = true skips them")
	section(e.Shapes, "of another shape", "ignore_tensor_shape = true leaves them as they are")
	section(e.Types, "of a type that cannot be loaded", "save them as float32")
	return b.String()
}

// mostListed is the largest number of tensors that a section of the message lists.
const mostListed = 100

// none reports whether everything fits.
func (e *LoadError) none() bool {
	return e.Torchvision+len(e.Renames)+len(e.Missing)+len(e.Extra)+len(e.Shapes)+len(e.Types) == 0
}

// Restore rebuilds the model of a snapshot: its structure with its weights, or with the
// averaged weights.
func Restore(s *Snapshot, averaged bool) (*nn.Graph, error) {
	g, err := nn.Restore(s.Structure)
	if err != nil {
		return nil, err
	}
	return g, LoadTensors(g, s, part.LoadOptions{LoadEMAModel: averaged})
}

// LoadTensors loads a snapshot's tensors into a graph. First it absorbs the BNs in the
// graph that the snapshot's model had absorbed; then it matches tensors by name. If some
// do not fit, the error is a *LoadError that names all of them, and the graph must not be
// used any more.
func LoadTensors(g *nn.Graph, s *Snapshot, o part.LoadOptions) error {
	_, err := Load(g, s, o)
	return err
}

// Load is like LoadTensors, and also returns what was loaded.
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
	if err := replay(g, s.Absorbed, o); err != nil {
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
		data, ok := t.Data.([]float32)
		if ok && !tensor.Finite(data) && !Unobserved(t.Name, data) {
			return nil, part.Bad("checkpoint_path", "the tensor %s holds a value that is not finite", t.Name)
		}
		if ok && strings.HasSuffix(t.Name, ".running_var") && len(data) > 0 && slices.Min(data) < 0 {
			return nil, part.Bad("checkpoint_path", "the tensor %s holds a variance below 0: the file is damaged, or it is no BatchNorm's", t.Name)
		}
	}
	return m.loaded(), g.SetTensors(m.fit)
}

// formsFit reports whether weights of the snapshot's form have a meaning in the graph's
// form. why is the reason if they do not; otherwise it is the likely cause of tensors
// that do not fit, "" if none is known.
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
		return fmt.Sprintf("it is in the float form, and the model is already in the %s form: put LoadCheckpoint before the converter", to), o.AllowMiss
	case from == nn.Quantized:
		return fmt.Sprintf("it is a finished int8 model, and the model is already in the %s form: make LoadCheckpoint the stage's only converter", to), false
	case to == nn.Float && quant(from):
		return fmt.Sprintf("it is in the %s form, and the model is still in the float form: put LoadCheckpoint after Float2QAT", from), false
	case to == nn.Quantized:
		return fmt.Sprintf("it is in the %s form, and the model is already quantized: put LoadCheckpoint before QAT2Quantize", from), false
	default:
		return fmt.Sprintf("it is in the %s form, and the model is in the %s form", from, to), false
	}
}

// replay absorbs the BNs in the graph that the snapshot's model had absorbed, so that both
// have the same tensors. A node whose BN is not there (for example, under fuse_bn) has
// the same tensors already.
func replay(g *nn.Graph, absorbed []Absorption, o part.LoadOptions) error {
	if len(absorbed) == 0 {
		return nil
	}
	left := map[string]bool{}
	for _, m := range g.Modules() {
		left[m.Name] = m.Absorbable()
	}
	var list []nn.Absorbed
	for _, a := range absorbed {
		node, recompute := Renamed(a.Module, o), a.WeightScale == "recompute"
		if left[node] {
			list = append(list, nn.Absorbed{
				Node: node, BN: Renamed(a.BN, o), Recompute: recompute,
				Frozen: a.Mode == nn.WithBN && !recompute,
			})
		}
	}
	if err := g.ReplayAbsorbed(list); err != nil {
		return fmt.Errorf("replaying the checkpoint's absorptions: %w", err)
	}
	return nil
}
