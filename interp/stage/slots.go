package stage

import (
	"fmt"

	"qpipe/interp/part"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// slots holds the state tensors of an optimizer: every parameter has one slot of each name.
type slots struct {
	names   []string
	updates []part.Update // one for each parameter, in the order of the graph
}

func newSlots(names []string) *slots { return &slots{names: names} }

// follow adapts the slots to the parameters of a graph that may have changed. A parameter
// that is still there, with the same memory, keeps its slots. A new parameter begins with
// zeros, and so does one with new memory, which it gets from an absorption. The slots of
// a removed parameter are dropped.
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

// same reports whether two slices are the same memory.
func same(a, b []float32) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// reset sets the slots of the named parameters to zero. s may be nil.
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

// tensors returns the slots in file order, by slot name. It returns nil if s is nil.
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
				return part.Bad("resume_optimizer", "the checkpoint has no %s for %s, so it was written with another optimizer: set resume_optimizer = false", name, u.Name)
			}
			copy(u.Slots[k], g.FromFile(u.Name, data))
		}
	}
	return nil
}

// sound returns an error that names the first parameter with a slot that is not finite. s may be nil.
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
