package nn

import (
	"errors"
	"fmt"
	"math"

	"qpipe/ops/convbn"
	"qpipe/ops/grid"
)

// Convert absorbs what is left of BN and returns the int8 graph; g is unchanged.
func (g *Graph) Convert() (*Graph, error) {
	if errs := g.Convertible(); len(errs) > 0 {
		list := make([]error, len(errs))
		for i, e := range errs {
			list[i] = e
		}
		return nil, errors.Join(list...)
	}
	if names := g.Unobserved(); g.alloced && len(names) > 0 {
		return nil, NodeError{names[0], unobserved(len(names)), "calibrate or train before converting"}
	}
	c := g.Clone()
	for i, n := range c.nodes {
		if err := g.convertNode(i, n); err != nil {
			return nil, err
		}
	}
	c.form = Quantized
	c.version++
	return c, c.verify()
}

// convertNode makes n, the copy of node i, an int8 node.
func (g *Graph) convertNode(i int, n *node) error {
	if !g.alloced {
		n.becomeInt8()
		return nil
	}
	if n.hasQuant() && n.quant.Spec.Quantized() {
		f, _ := g.format(i)
		if !finite(f.Scale) {
			return NodeError{n.name, fmt.Errorf("its output's scale is %v", f.Scale), "look for the step at which training became unsound"}
		}
		n.scale, n.zero = f.Scale, grid.Plain(n.quant.Spec, f.Zero)
	}
	if n.conv == nil && n.bn == nil {
		return nil
	}
	in, _ := g.format(n.in[0])
	var err error
	if n.conv != nil {
		n.bnName = ""
		err = n.conv.Convert(in.Scale)
	} else {
		n.affine = newAffine(n.bn, in.Scale)
	}
	if err != nil {
		return NodeError{n.name, err, "look for the step at which training became unsound"}
	}
	return nil
}

// becomeInt8 gives the node the int8 form, without its tensors.
func (n *node) becomeInt8() {
	if n.conv != nil {
		if n.conv.BN != nil {
			n.conv.BN, n.conv.Bias = nil, true
		}
		n.bnName = ""
		n.conv.BecomeInt8()
	}
	if n.bn != nil {
		n.affine = &affine{}
	}
}

// allocInt8 makes the tensors of the int8 form where there are none yet.
func (n *node) allocInt8() {
	if n.conv != nil && n.conv.Int8.W == nil {
		n.conv.AllocInt8()
	}
	if n.bn != nil && n.affine.Mul == nil {
		n.affine = &affine{make([]float32, n.bn.C), make([]int32, n.bn.C)}
	}
}

// newAffine is a bn's int8 form for an input of scale sx.
func newAffine(b *convbn.BN, sx float32) *affine {
	a := &affine{make([]float32, b.C), make([]int32, b.C)}
	for c := range b.C {
		a.Mul[c], a.Bias[c] = affineOf(b, c, sx)
	}
	return a
}

// affineOf is y = a·x + b of channel c with running statistics, as (x +
// bias)·mul in units of the input's scale. Where a is so small that the bias
// would not be exact in float32, it is raised until it is, which moves no output
// by a hundredth of a step.
func affineOf(b *convbn.BN, c int, sx float32) (mul float32, bias int32) {
	m, t := float64(b.Scale(c)), float64(b.Shift(c, 0))
	if least := math.Abs(t) / (float64(sx) * (1 << 23)); math.Abs(m) < least {
		m = math.Copysign(least, m)
	}
	if m == 0 {
		return 0, 0
	}
	return float32(m), int32(math.RoundToEven(t / (float64(sx) * float64(float32(m)))))
}

func finite(v float32) bool { return v-v == 0 }

// unobserved is the error about so many nodes without a range.
func unobserved(n int) error {
	if n == 1 {
		return errors.New("the node has no range: nothing has observed its output")
	}
	return fmt.Errorf("%d nodes have no range, this one first: nothing has observed their outputs", n)
}
