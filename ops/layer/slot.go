package layer

import (
	"slices"

	"qpipe/ops/kernel"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// RangeSuffix ends the name of the tensor that holds the range of a node's output.
const RangeSuffix = ".act_quant.min_max"

// Slot is where a tensor of a node is kept, with its name and shape in files: exactly one of the
// pointers is set.
type Slot struct {
	Name    string
	Shape   []int
	What    string       // in messages: "weight", "BN's running mean or variance"
	Geom    *kernel.Conv // of a weight, whose order in memory differs from that in files
	Turned  bool         // of a transposed convolution's weight: in files the input's channels come first, and the kernel is turned
	Derived bool         // it follows from other tensors

	Param  *tensor.Param // trainable
	F32    *[]float32
	I8     *[]int8
	I32    *[]int32
	Range  *quant.Node // two numbers: min and max
	Scalar *float32
	Zero   *int32
}

// Slots lists the node's tensors, parameters first.
func (n *Node) Slots() []Slot {
	var s []Slot
	if p := n.params(); p != nil {
		s = p.Slots(n.Name)
	}
	switch {
	case !n.Quant.Spec.Quantized():
	case n.Quant.Held:
		s = append(s, Slot{Name: n.Name + ".act_scale", Shape: []int{1}, Scalar: &n.Quant.Step},
			Slot{Name: n.Name + ".act_zero_point", Shape: []int{1}, Zero: &n.Quant.Zero})
	default:
		s = append(s, Slot{Name: n.Name + RangeSuffix, Shape: []int{2}, Range: &n.Quant})
	}
	return s
}

// Trainable tells parameters from state.
func (s *Slot) Trainable() bool { return s.Param != nil }

// Len is the number of elements.
func (s *Slot) Len() int {
	n := 1
	for _, d := range s.Shape {
		n *= d
	}
	return n
}

// Read returns a copy of the tensor in the order of files: []float32, []int8 or []int32, nil of its
// type where nothing is allocated.
func (s *Slot) Read(allocated bool) any {
	switch {
	case s.I8 != nil && !allocated:
		return []int8(nil)
	case s.I8 != nil:
		return toFile(s, *s.I8)
	case s.I32 != nil:
		return slices.Clone(*s.I32)
	case s.Zero != nil:
		return []int32{*s.Zero}
	case !allocated:
		return []float32(nil)
	case s.Param != nil:
		return toFile(s, s.Param.Data)
	case s.F32 != nil:
		return toFile(s, *s.F32)
	case s.Range != nil:
		return []float32{s.Range.Min, s.Range.Max}
	}
	return []float32{*s.Scalar}
}

// Write sets the tensor from data in the order of files, as long as it says; it reports false where the
// type is another. A range that is fixed stays as it is.
func (s *Slot) Write(data any) bool {
	switch d := data.(type) {
	case []int8:
		if s.I8 == nil {
			return false
		}
		fromFile(s, d, *s.I8)
	case []int32:
		switch {
		case s.I32 != nil:
			copy(*s.I32, d)
		case s.Zero != nil:
			*s.Zero = d[0]
		default:
			return false
		}
	case []float32:
		return s.writeFloat(d)
	}
	return true
}

func (s *Slot) writeFloat(d []float32) bool {
	switch {
	case s.Param != nil:
		fromFile(s, d, s.Param.Data)
	case s.F32 != nil:
		fromFile(s, d, *s.F32)
	case s.Range != nil:
		if !(s.Range.Observer != nil && s.Range.Observer.Fixed()) {
			s.Range.Min, s.Range.Max = d[0], d[1]
		}
	case s.Scalar != nil:
		*s.Scalar = d[0]
	default:
		return false
	}
	return true
}

// ToFile copies values of the tensor's shape from the order of memory to that of files.
func (s *Slot) ToFile(data []float32) []float32 { return toFile(s, data) }

// FromFile copies values of the tensor's shape from the order of files to that of memory.
func (s *Slot) FromFile(file, memory []float32) { fromFile(s, file, memory) }

// toFile copies from memory order [outC][kH][kW][inC/groups] to file order: [outC][inC/groups][kH][kW], or
// [inC][outC/groups][kH][kW] with the kernel turned; without a geometry there is only one order.
func toFile[T any](s *Slot, mem []T) []T {
	file := slices.Clone(mem)
	s.permute(len(mem), func(m, f int) { file[f] = mem[m] })
	return file
}

func fromFile[T any](s *Slot, file, mem []T) {
	copy(mem, file)
	s.permute(len(mem), func(m, f int) { mem[m] = file[f] })
}

func (s *Slot) permute(n int, move func(mem, file int)) {
	p := s.Geom
	if p == nil || n != p.WeightLen() {
		return
	}
	c, outs, hw := p.C/p.Groups, p.OutC/p.Groups, p.KH*p.KW
	if !s.Turned && (c == 1 || hw == 1) {
		return // the same order
	}
	for o := range p.OutC {
		for k := range hw {
			for i := range c {
				file := (o*c+i)*hw + k
				if s.Turned {
					file = ((o/outs*c+i)*outs+o%outs)*hw + hw - 1 - k
				}
				move((o*hw+k)*c+i, file)
			}
		}
	}
}

// NotFinite says what of the tensor is not finite, "" for nothing: its name in messages, or, with
// gradients, that of its gradient.
func (s *Slot) NotFinite(gradients bool, finite func([]float32) bool) string {
	switch {
	case s.Param != nil && !finite(s.Param.Data), s.F32 != nil && !finite(*s.F32):
		return s.What
	case s.Param != nil && gradients && !finite(s.Param.Grad):
		return "gradient of the " + s.What
	}
	return ""
}
