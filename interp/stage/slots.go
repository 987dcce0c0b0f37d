package stage

import (
	"fmt"

	"qpipe/interp/part"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// slots are an optimizer's state tensors: for each parameter one of every name.
type slots struct {
	names   []string
	updates []part.Update // in the order of the graph's parameters
}

func newSlots(names []string) *slots { return &slots{names: names} }

// follow takes over the parameters of a graph. A parameter that is the same as
// before keeps its slots; those of a new one, or of one whose memory is new
// (which is what an absorption does), are zero; those of a vanished one go.
func (s *slots) follow(params []*nn.Param, set *part.Kernels) {
	old := make(map[string]part.Update, len(s.updates))
	for _, u := range s.updates {
		old[u.Name] = u
	}
	s.updates = make([]part.Update, len(params))
	for i, p := range params {
		u := part.Update{Name: p.Name, W: p.Data, G: p.Grad, Set: set}
		if o, ok := old[p.Name]; ok && same(o.W, p.Data) {
			u.Slots = o.Slots
		} else {
			u.Slots = make([][]float32, len(s.names))
			for k := range u.Slots {
				u.Slots[k] = make([]float32, len(p.Data))
			}
		}
		s.updates[i] = u
	}
}

func same(a, b []float32) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// reset zeroes the slots of the named parameters.
func (s *slots) reset(names map[string]bool) {
	if s == nil {
		return
	}
	for _, u := range s.updates {
		if !names[u.Name] {
			continue
		}
		for _, v := range u.Slots {
			clear(v)
		}
	}
}

// tensors returns the slots as files hold them; nil slots have none.
func (s *slots) tensors(g *nn.Graph) map[string][]nn.Tensor {
	if s == nil {
		return nil
	}
	out := make(map[string][]nn.Tensor, len(s.names))
	for k, name := range s.names {
		list := make([]nn.Tensor, len(s.updates))
		for i, u := range s.updates {
			shape, data := g.ToFile(u.Name, u.Slots[k])
			list[i] = nn.Tensor{Name: u.Name, Shape: shape, Data: data}
		}
		out[name] = list
	}
	return out
}

// restore fills the slots from a snapshot.
func (s *slots) restore(g *nn.Graph, from map[string][]nn.Tensor) error {
	for k, name := range s.names {
		byName := make(map[string]nn.Tensor, len(from[name]))
		for _, t := range from[name] {
			byName[t.Name] = t
		}
		for _, u := range s.updates {
			data, ok := byName[u.Name].Data.([]float32)
			if !ok || len(data) != len(u.W) {
				return part.Bad("resume_optimizer", "the checkpoint has no %s for %s: it was written without this optimizer; set resume_optimizer = false", name, u.Name)
			}
			copy(u.Slots[k], g.FromFile(u.Name, data))
		}
	}
	return nil
}

// sound reports the first parameter with a slot that is not finite.
func (s *slots) sound() error {
	if s == nil {
		return nil
	}
	for _, u := range s.updates {
		for k, v := range u.Slots {
			if !tensor.Finite(v) {
				return fmt.Errorf("%s of %s is not finite", s.names[k], u.Name)
			}
		}
	}
	return nil
}
