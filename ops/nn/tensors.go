package nn

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// Param is a trainable tensor. Data and Grad are in memory order and keep their identity until the node is absorbed.
type Param struct {
	Name       string
	Data, Grad []float32
}

// Tensor is a tensor as files hold it: OIHW convolution weights, (out, in) linear weights with in in CHW order.
// Data is []float32, []int8 or []int32. Trainable tells parameters from state (running statistics, ranges, scales).
type Tensor struct {
	Name      string
	Shape     []int
	Data      any
	Trainable bool
}

// Params returns the trainable tensors in a fixed order.
func (g *Graph) Params() []*Param {
	var ps []*Param
	for _, n := range g.nodes {
		for _, s := range n.Slots() {
			if s.Trainable() {
				ps = append(ps, &Param{s.Name, s.Param.Data, s.Param.Grad})
			}
		}
	}
	return ps
}

// Tensors returns all parameters and state, sorted by name, in file order. Names are PyTorch's: X.weight, X.bias,
// BN.weight, BN.bias, BN.running_mean, BN.running_var, and X.act_quant.min_max, X.weight_quant.scale (QAT and calibration),
// X.weight_scale, X.act_scale, X.act_zero_point (int8 form; the zero point is a code of the node's own dtype). Of a graph
// without parameters Data is nil.
func (g *Graph) Tensors() []Tensor {
	var ts []Tensor
	for _, n := range g.nodes {
		n.Update()
		for _, s := range n.Slots() {
			ts = append(ts, Tensor{Name: s.Name, Shape: s.Shape, Data: s.Read(g.alloced), Trainable: s.Trainable()})
		}
	}
	slices.SortFunc(ts, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	return ts
}

// SetTensor copies t's data into the graph's tensor of that name; the error names shapes and types that differ.
func (g *Graph) SetTensor(t Tensor) error {
	for _, n := range g.nodes {
		for _, s := range n.Slots() {
			if s.Name == t.Name {
				g.alloc()
				return g.setSlot(n, t)
			}
		}
	}
	return fmt.Errorf("the %s model has no tensor %q", g.form, t.Name)
}

// SetTensors is SetTensor for many.
func (g *Graph) SetTensors(list []Tensor) error {
	of := map[string]*node{}
	for _, n := range g.nodes {
		for _, s := range n.Slots() {
			of[s.Name] = n
		}
	}
	g.alloc()
	var errs []error
	for _, t := range list {
		if n := of[t.Name]; n != nil {
			errs = append(errs, g.setSlot(n, t))
		} else {
			errs = append(errs, fmt.Errorf("the %s model has no tensor %q", g.form, t.Name))
		}
	}
	return errors.Join(errs...)
}

// setSlot finds the slot again, for alloc may have moved it.
func (g *Graph) setSlot(n *node, t Tensor) error {
	slots := n.Slots()
	s := slots[slices.IndexFunc(slots, func(s layer.Slot) bool { return s.Name == t.Name })]
	if !slices.Equal(s.Shape, t.Shape) {
		return fmt.Errorf("tensor %q has the shape %s and the model wants %s", t.Name, tensor.List(t.Shape...), tensor.List(s.Shape...))
	}
	var have int
	switch d := t.Data.(type) {
	case []float32:
		have = len(d)
	case []int8:
		have = len(d)
	case []int32:
		have = len(d)
	}
	if have != s.Len() {
		return fmt.Errorf("tensor %q has %d values of type %T and the model wants %d", t.Name, have, t.Data, s.Len())
	}
	if !s.Write(t.Data) {
		return fmt.Errorf("tensor %q is of type %T and the model wants %T", t.Name, t.Data, s.Read(true))
	}
	return nil
}

// ToFile converts a parameter-shaped slice (a momentum slot, say) of the named
// parameter from memory to file order.
func (g *Graph) ToFile(param string, data []float32) (shape []int, out []float32) {
	s, ok := g.slot(param)
	if !ok {
		return []int{len(data)}, slices.Clone(data)
	}
	return s.Shape, s.ToFile(data)
}

// FromFile converts a slice as ToFile returned it back to memory order.
func (g *Graph) FromFile(param string, data []float32) []float32 {
	out := slices.Clone(data)
	if s, ok := g.slot(param); ok {
		s.FromFile(data, out)
	}
	return out
}

func (g *Graph) slot(name string) (layer.Slot, bool) {
	for _, n := range g.nodes {
		for _, s := range n.Slots() {
			if s.Name == name {
				return s, true
			}
		}
	}
	return layer.Slot{}, false
}
