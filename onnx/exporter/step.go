package exporter

import (
	"encoding/json"
	"fmt"
	"slices"

	"qpipe/onnx/model"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
)

// step is a node of the network while it is written.
type step struct {
	*build
	*layer.Node
	in    []*value
	out   value // its name and its grid
	coded bool  // the output is on that grid
}

// node writes node i.
func (b *build) node(i int) *value {
	n := b.nodes[i]
	b.prefix = n.Name
	s := &step{build: b, Node: n, out: value{name: n.Name}}
	for _, j := range n.In {
		s.in = append(s.in, b.values[j])
	}
	if s.out.q, s.coded = b.net.Format(i); b.o.Format == Float {
		s.coded = false
	}
	if s.coded {
		s.grid()
	}
	switch {
	case len(n.In) == 0:
		return s.written(array{b.input(n), model.Float, mapDims(n)})
	case b.o.Format == Float:
		return s.written(s.function())
	case n.Island || !slices.ContainsFunc(s.in, func(v *value) bool { return v.coded }):
		return s.written(s.function())
	case b.o.Format == QDQ:
		return s.between()
	}
	return s.integer()
}

// input is the name of the model's input that an input node reads.
func (b *build) input(n *layer.Node) string {
	return b.Inputs[slices.IndexFunc(b.net.Inputs(), func(p nn.Port) bool { return p.Name == n.Name })].Name
}

func mapDims(n *layer.Node) []int { return []int{n.Shape.C, n.Shape.H, n.Shape.W} }

// grid gives the output the constants of its grid: those of an operand with the same one.
func (s *step) grid() {
	for _, v := range s.in {
		if v.coded && v.q.Scale == s.out.q.Scale && v.q.Zero == s.out.q.Zero {
			s.out.scale, s.out.zero = v.scale, v.zero
			return
		}
	}
	s.out.scale, s.out.zero = s.constants(&s.out)
}

func (b *build) constants(v *value) (scale, zero string) {
	return b.floats(v.name+"_scale", nil, v.q.Scale), b.ints(v.name+"_zero_point", b.elem, nil, []int64{b.code(v.q.Zero)})
}

// code is a code as the file has it.
func (b *build) code(stored int32) int64 { return int64(stored) + int64(b.low) }

// read fills in the node's attributes, which structures have under key.
func (s *step) read(key string, to any) {
	for _, a := range s.Body.Attrs() {
		if a.Key == key {
			text, err := json.Marshal(a.Value)
			if err == nil {
				err = json.Unmarshal(text, to)
			}
			if err != nil {
				panic(err) // what is written can be read
			}
		}
	}
}

// tensorOf is a tensor of the node, nil if it has none of that name.
func (s *step) tensorOf(name string) *nn.Tensor {
	if t, ok := s.tensors[name]; ok {
		return &t
	}
	return nil
}

// own is a float tensor of the node as a constant of some shape.
func (s *step) own(name string, dims ...int) string {
	return s.floats(s.Name+"."+name, dims, s.values32(name)...)
}

func (s *step) values32(name string) []float32 {
	return s.tensorOf(s.Name + "." + name).Data.([]float32)
}

// real returns a value as float32.
func (b *build) real(v *value) array {
	if v.real.name == "" {
		was := b.prefix
		b.prefix = v.name
		t := b.op("DequantizeLinear", model.Float, v.codes.dims, []string{v.codes.name, v.scale, v.zero})
		v.real, b.prefix = b.call(t, v.name), was
	}
	return v.real
}

// function writes the real function of the operands, as float32 ops.
func (s *step) function() array {
	var x []array
	for _, v := range s.in {
		x = append(x, s.real(v))
	}
	return s.float(x)
}

// written is the node's output of the real function's, before the activation.
func (s *step) written(y array) *value {
	y = s.activated(y)
	if !s.coded {
		return s.floating(y)
	}
	return s.integers(s.clipped(s.quantized(y), kernel.None))
}

// between is the node with float32 ops between DequantizeLinear and QuantizeLinear.
func (s *step) between() *value {
	y := s.function()
	if !s.coded || s.Act == kernel.None {
		return s.written(y)
	}
	lo, hi := s.bounds(s.Act)
	if rules, _ := s.net.Target().Rules(); lo == 0 && hi == 255 || !rules.SumsApart || rules.Prescribes || s.Kind.Role == layer.Clamp {
		return s.written(y)
	}
	// ONNX Runtime computes a convolution with integers only if its output is quantized at once.
	y = s.op("DequantizeLinear", model.Float, y.dims, []string{s.quantized(y).name, s.out.scale, s.out.zero})
	return s.written(y)
}

// activated applies the node's activation to float32 values.
func (s *step) activated(y array) array {
	switch s.Act {
	case kernel.ReLU:
		return s.like("Relu", y, nil)
	case kernel.ReLU6:
		return s.like("Clip", y, []string{s.floats("zero", nil, 0), s.floats("six", nil, 6)})
	}
	return y
}

// quantized is what QuantizeLinear makes of values on the output's grid.
func (s *step) quantized(y array) array { return s.quantizedBy(y, s.out.scale) }

// quantizedBy is the same with another scale.
func (s *step) quantizedBy(y array, scale string) array {
	return s.op("QuantizeLinear", s.elem, y.dims, []string{y.name, scale, s.out.zero})
}

// stepped rounds numbers of the output's steps; without a grid they are values.
func (s *step) stepped(y array) *value { return s.rounded(y, s.floats("one", nil, 1)) }

// divided rounds values to the output's grid.
func (s *step) divided(y array) *value { return s.rounded(y, s.out.scale) }

func (s *step) rounded(y array, scale string) *value {
	if !s.coded {
		return s.floating(s.activated(y))
	}
	return s.integers(s.clipped(s.quantizedBy(y, scale), s.Act))
}

// bounds are the smallest and the largest code of the output, as bytes.
func (s *step) bounds(a kernel.Act) (lo, hi int32) {
	q := &s.out.q
	lo, hi = q.Min, q.Max
	if a != kernel.None {
		lo = max(lo, q.Zero)
	}
	if a == kernel.ReLU6 {
		hi = min(hi, int32(q.Round(6/q.Scale))+q.Zero)
	}
	return lo, hi
}

// clipped cuts codes to the bounds.
func (s *step) clipped(y array, a kernel.Act) array {
	lo, hi := s.bounds(a)
	if lo <= 0 && hi >= 255 {
		return y
	}
	limit := func(n int32) string { return s.ints(fmt.Sprint("code_", s.code(n)), s.elem, nil, []int64{s.code(n)}) }
	return s.like("Clip", y, []string{limit(lo), limit(hi)})
}

// integers makes codes the node's output.
func (s *step) integers(y array) *value {
	if s.made[y.name] == nil {
		y = s.like("Identity", y, nil) // an operand as it is gets a name of its own
	}
	s.out.codes, s.out.coded = s.call(y, CodesName(s.Name)), true
	return &s.out
}

// floating makes float32 values the node's output.
func (s *step) floating(y array) *value {
	s.out.real = s.call(y, s.Name)
	return &s.out
}

// CodesName is what the integers of a node are called in a model.
func CodesName(node string) string { return node + "_quantized" }
