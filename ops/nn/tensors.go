package nn

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"qpipe/ops/convbn"
	"qpipe/ops/kernel"
	"qpipe/ops/quant"
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

// slot is where a tensor lives: exactly one of the pointers is set.
type slot struct {
	name      string
	shape     []int
	geom      *kernel.Conv // of a weight: memory order differs from file order
	trainable bool
	param     *convbn.Tensor
	f32       *[]float32
	i8        *[]int8
	i32       *[]int32
	rng       *quant.Node // min and max
	scalar    *float32
	zero      *int32
}

func (s *slot) len() int {
	n := 1
	for _, d := range s.shape {
		n *= d
	}
	return n
}

// slots lists the node's tensors, parameters first.
func (g *Graph) slots(n *node) []slot {
	var s []slot
	if n.conv != nil {
		s = convSlots(n, g.form)
	}
	if n.bn != nil && g.form != Quantized {
		s = append(s, bnSlots(n.bnName, n.bn)...)
	}
	if n.bn != nil && g.form == Quantized {
		s = append(s, slot{name: n.name + ".multiplier", shape: []int{n.bn.C}, f32: &n.affine.Mul},
			slot{name: n.name + ".bias", shape: []int{n.bn.C}, i32: &n.affine.Bias})
	}
	switch {
	case !n.quant.Spec.Quantized():
	case g.form == Quantized:
		s = append(s, slot{name: n.name + ".act_scale", shape: []int{1}, scalar: &n.scale},
			slot{name: n.name + ".act_zero_point", shape: []int{1}, zero: &n.zero})
	case g.form != Float:
		s = append(s, slot{name: n.name + rangeSuffix, shape: []int{2}, rng: &n.quant})
	}
	return s
}

func convSlots(n *node, f Form) []slot {
	c := n.conv
	p := &c.Geom
	shape := []int{p.OutC, p.C / p.Groups, p.KH, p.KW}
	if n.op == opLinear {
		shape = []int{p.OutC, p.K()}
	}
	if f == Quantized {
		s := []slot{
			{name: n.name + ".weight", shape: shape, geom: p, i8: &c.Int8.W},
			{name: n.name + ".weight_scale", shape: []int{p.OutC}, f32: &c.Int8.WScale},
		}
		if c.Bias {
			s = append(s, slot{name: n.name + ".bias", shape: []int{p.OutC}, i32: &c.Int8.Bias})
		}
		return s
	}
	s := []slot{{name: n.name + ".weight", shape: shape, geom: p, param: &c.W, trainable: true}}
	if c.Bias {
		s = append(s, slot{name: n.name + ".bias", shape: []int{p.OutC}, param: &c.B, trainable: true})
	}
	if c.BN != nil {
		s = append(s, bnSlots(n.bnName, c.BN)...)
	}
	if f != Float && c.Weight.Quantized() {
		s = append(s, slot{name: n.name + ".weight_quant.scale", shape: []int{c.Scales()}, f32: &c.WScale})
	}
	return s
}

func bnSlots(name string, b *convbn.BN) []slot {
	sh := []int{b.C}
	return []slot{
		{name: name + ".weight", shape: sh, param: &b.Gamma, trainable: true},
		{name: name + ".bias", shape: sh, param: &b.Beta, trainable: true},
		{name: name + ".running_mean", shape: sh, f32: &b.Mean},
		{name: name + ".running_var", shape: sh, f32: &b.Var},
	}
}

// Params returns the trainable tensors in a fixed order.
func (g *Graph) Params() []*Param {
	var ps []*Param
	for _, n := range g.nodes {
		for _, s := range g.slots(n) {
			if s.trainable {
				ps = append(ps, &Param{s.name, s.param.Data, s.param.Grad})
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
		if n.conv != nil && g.form != Float && g.form != Quantized {
			n.conv.UpdateScale()
		}
		for _, s := range g.slots(n) {
			ts = append(ts, Tensor{Name: s.name, Shape: s.shape, Data: s.read(g.alloced), Trainable: s.trainable})
		}
	}
	slices.SortFunc(ts, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	return ts
}

func (s *slot) read(alloced bool) any {
	switch {
	case s.i8 != nil && !alloced:
		return []int8(nil)
	case s.i8 != nil:
		return toFile(s.geom, *s.i8)
	case s.i32 != nil:
		return slices.Clone(*s.i32)
	case s.zero != nil:
		return []int32{*s.zero}
	case !alloced:
		return []float32(nil)
	case s.param != nil:
		return toFile(s.geom, s.param.Data)
	case s.f32 != nil:
		return slices.Clone(*s.f32)
	case s.rng != nil:
		return []float32{s.rng.Min, s.rng.Max}
	}
	return []float32{*s.scalar}
}

// SetTensor copies t's data into the graph's tensor of that name; the error names shapes and types that differ.
func (g *Graph) SetTensor(t Tensor) error {
	for _, n := range g.nodes {
		for _, s := range g.slots(n) {
			if s.name == t.Name {
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
		for _, s := range g.slots(n) {
			of[s.name] = n
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
	slots := g.slots(n)
	s := slots[slices.IndexFunc(slots, func(s slot) bool { return s.name == t.Name })]
	if !slices.Equal(s.shape, t.Shape) {
		return fmt.Errorf("tensor %q has the shape %v and the model wants %v", t.Name, t.Shape, s.shape)
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
	if have != s.len() {
		return fmt.Errorf("tensor %q has %d values of type %T and the model wants %d", t.Name, have, t.Data, s.len())
	}
	if !s.write(t.Data) {
		return fmt.Errorf("tensor %q is of type %T and the model wants %T", t.Name, t.Data, s.read(true))
	}
	return nil
}

func (s *slot) write(data any) bool {
	switch d := data.(type) {
	case []int8:
		if s.i8 == nil {
			return false
		}
		fromFile(s.geom, d, *s.i8)
	case []int32:
		switch {
		case s.i32 != nil:
			copy(*s.i32, d)
		case s.zero != nil:
			*s.zero = d[0]
		default:
			return false
		}
	case []float32:
		return s.writeFloat(d)
	}
	return true
}

func (s *slot) writeFloat(d []float32) bool {
	switch {
	case s.param != nil:
		fromFile(s.geom, d, s.param.Data)
	case s.f32 != nil:
		copy(*s.f32, d)
	case s.rng != nil:
		if !(s.rng.Observer != nil && s.rng.Observer.Fixed()) {
			s.rng.Min, s.rng.Max = d[0], d[1]
		}
	case s.scalar != nil:
		*s.scalar = d[0]
	default:
		return false
	}
	return true
}

// ToFile converts a parameter-shaped slice (a momentum slot, say) of the named
// parameter from memory to file order.
func (g *Graph) ToFile(param string, data []float32) (shape []int, out []float32) {
	s, ok := g.slot(param)
	if !ok {
		return []int{len(data)}, slices.Clone(data)
	}
	return s.shape, toFile(s.geom, data)
}

// FromFile converts a slice as ToFile returned it back to memory order.
func (g *Graph) FromFile(param string, data []float32) []float32 {
	out := slices.Clone(data)
	if s, ok := g.slot(param); ok {
		fromFile(s.geom, data, out)
	}
	return out
}

func (g *Graph) slot(name string) (slot, bool) {
	for _, n := range g.nodes {
		for _, s := range g.slots(n) {
			if s.name == name {
				return s, true
			}
		}
	}
	return slot{}, false
}

// toFile copies from memory order [outC][kH][kW][inC/groups] to file order
// [outC][inC/groups][kH][kW]; without a geometry there is only one order.
func toFile[T any](p *kernel.Conv, mem []T) []T {
	file := slices.Clone(mem)
	permute(p, len(mem), func(m, f int) { file[f] = mem[m] })
	return file
}

func fromFile[T any](p *kernel.Conv, file, mem []T) {
	copy(mem, file)
	permute(p, len(mem), func(m, f int) { mem[m] = file[f] })
}

func permute(p *kernel.Conv, n int, move func(mem, file int)) {
	if p == nil || n != p.WeightLen() {
		return
	}
	c, hw := p.C/p.Groups, p.KH*p.KW
	for o := range p.OutC {
		for k := range hw {
			for i := range c {
				move((o*hw+k)*c+i, (o*c+i)*hw+k)
			}
		}
	}
}
