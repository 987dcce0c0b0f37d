package nn

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"qpipe/ops/kernel"
	"qpipe/ops/tensor"
)

// ConvAttrs are the constructor's arguments of a convolution.
type ConvAttrs struct {
	OutC     int
	Kernel   [2]int
	Stride   [2]int // zero means 1
	Padding  [2]int // on both sides
	Dilation [2]int // zero means 1
	Groups   int    // zero means 1
	Bias     bool
}

// PoolAttrs are the constructor's arguments of a pooling node. A zero Stride
// means the kernel's size.
type PoolAttrs struct {
	Kernel, Stride, Padding [2]int
	CountIncludePad         bool
}

// ShapeError is a mistake in building a network: the node and, where one can be
// named, the constructor's argument at fault.
type ShapeError struct {
	Node, Attr string
	Err        error
}

func (e *ShapeError) Error() string {
	if e.Attr == "" {
		return e.Node + ": " + e.Err.Error()
	}
	return e.Node + ": " + e.Attr + ": " + e.Err.Error()
}

// Unwrap returns the mistake without its place.
func (e *ShapeError) Unwrap() error { return e.Err }

// Builder makes a graph node by node. Its methods record the first mistake and
// go on; Graph returns it, as a *ShapeError that names the node.
type Builder struct {
	ops   []rawOp
	names map[string]bool
	err   *ShapeError
}

// rawOp is an op as it was written, before fusion.
type rawOp struct {
	op     string
	name   string
	in     []int
	shape  tensor.Shape
	origin tensor.Shape // the shape before a flatten; else shape
	conv   kernel.Conv
	bias   bool
	pool   kernel.Pool
	eps    float64
	moment float64
	act    kernel.Act
}

// Value is a handle to a node's output while building.
type Value struct {
	id    int
	shape tensor.Shape
	ok    bool
}

// Shape returns the value's shape with N = 0. After a mistake it is zero.
func (v Value) Shape() tensor.Shape { return v.shape }

// NewBuilder starts a graph whose input has the shape in (N is ignored). The
// input node is named "input"; it has an output quant node of its own.
func NewBuilder(in tensor.Shape) *Builder {
	b := &Builder{names: map[string]bool{}}
	in.N = 0
	if in.H < 1 || in.W < 1 || in.C < 1 {
		b.fail(opInput, "", "the input's shape %v has an extent below 1", in)
	}
	b.add(rawOp{op: opInput, name: opInput, shape: in, origin: in})
	return b
}

// Input returns the network's input.
func (b *Builder) Input() Value { return Value{0, b.ops[0].shape, b.err == nil} }

// Conv adds a convolution.
func (b *Builder) Conv(name string, x Value, a ConvAttrs) Value {
	if !b.usable(name, x) || !b.unflattened(name, x) {
		return Value{}
	}
	a.Stride, a.Dilation, a.Groups = ones(a.Stride), ones(a.Dilation), max(a.Groups, 1)
	s := x.shape
	switch {
	case a.OutC < 1:
		return b.fail(name, "OutC", "%d output channels", a.OutC)
	case a.Kernel[0] < 1 || a.Kernel[1] < 1:
		return b.fail(name, "Kernel", "the kernel is %d×%d", a.Kernel[0], a.Kernel[1])
	case a.Stride[0] < 1 || a.Stride[1] < 1:
		return b.fail(name, "Stride", "the stride is %d×%d", a.Stride[0], a.Stride[1])
	case a.Dilation[0] < 1 || a.Dilation[1] < 1:
		return b.fail(name, "Dilation", "the dilation is %d×%d", a.Dilation[0], a.Dilation[1])
	case a.Padding[0] < 0 || a.Padding[1] < 0:
		return b.fail(name, "Padding", "the padding is %d×%d", a.Padding[0], a.Padding[1])
	case s.C%a.Groups != 0 || a.OutC%a.Groups != 0:
		return b.fail(name, "Groups", "%d groups divide neither or only one of %d input and %d output channels", a.Groups, s.C, a.OutC)
	}
	g := kernel.Conv{
		H: s.H, W: s.W, C: s.C, OutC: a.OutC, KH: a.Kernel[0], KW: a.Kernel[1],
		StrideH: a.Stride[0], StrideW: a.Stride[1], PadTop: a.Padding[0], PadLeft: a.Padding[1],
		DilationH: a.Dilation[0], DilationW: a.Dilation[1], Groups: a.Groups,
	}
	g.OH = window(s.H, g.KH, g.StrideH, g.PadTop, g.DilationH)
	g.OW = window(s.W, g.KW, g.StrideW, g.PadLeft, g.DilationW)
	if g.OH < 1 || g.OW < 1 {
		return b.fail(name, "Kernel", "a %d×%d kernel (dilation %d×%d, padding %d×%d) does not fit into an input of %v",
			g.KH, g.KW, g.DilationH, g.DilationW, g.PadTop, g.PadLeft, s)
	}
	return b.add(rawOp{op: opConv, name: name, in: []int{x.id}, conv: g, bias: a.Bias, shape: tensor.Shape{H: g.OH, W: g.OW, C: g.OutC}})
}

// Linear is a fully connected layer over all features of x; it flattens by itself.
func (b *Builder) Linear(name string, x Value, out int, bias bool) Value {
	if !b.usable(name, x) {
		return Value{}
	}
	if out < 1 {
		return b.fail(name, "out", "%d output features", out)
	}
	s := b.ops[x.id].origin
	g := kernel.Conv{
		H: s.H, W: s.W, C: s.C, OutC: out, OH: 1, OW: 1, KH: s.H, KW: s.W,
		StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1,
	}
	return b.add(rawOp{op: opLinear, name: name, in: []int{x.id}, conv: g, bias: bias, shape: tensor.Shape{H: 1, W: 1, C: out}})
}

// BatchNorm adds a batch normalization: eps and momentum as in PyTorch (1e-5
// and 0.1 if zero).
func (b *Builder) BatchNorm(name string, x Value, eps, momentum float64) Value {
	if !b.usable(name, x) || !b.unflattened(name, x) {
		return Value{}
	}
	if eps == 0 {
		eps = 1e-5
	}
	if momentum == 0 {
		momentum = 0.1
	}
	if eps < 0 {
		return b.fail(name, "eps", "eps is %g", eps)
	}
	if momentum < 0 || momentum > 1 {
		return b.fail(name, "momentum", "the momentum %g is outside 0…1", momentum)
	}
	return b.add(rawOp{op: opBN, name: name, in: []int{x.id}, eps: eps, moment: momentum, shape: x.shape})
}

// Act adds an activation.
func (b *Builder) Act(name string, x Value, a kernel.Act) Value {
	if !b.usable(name, x) {
		return Value{}
	}
	if a != kernel.ReLU && a != kernel.ReLU6 {
		return b.fail(name, "act", "there is no such activation; relu and relu6 are")
	}
	return b.add(rawOp{op: opAct, name: name, in: []int{x.id}, act: a, shape: x.shape, origin: b.ops[x.id].origin})
}

// Add adds two values of the same shape.
func (b *Builder) Add(name string, x, y Value) Value {
	if !b.usable(name, x, y) {
		return Value{}
	}
	if x.shape != y.shape || b.ops[x.id].origin != b.ops[y.id].origin {
		return b.fail(name, "", "cannot add %s (%v) and %s (%v)", b.ops[x.id].name, x.shape, b.ops[y.id].name, y.shape)
	}
	return b.add(rawOp{op: opAdd, name: name, in: []int{x.id, y.id}, shape: x.shape, origin: b.ops[x.id].origin})
}

// Concat joins values of the same height and width along the channels.
func (b *Builder) Concat(name string, xs ...Value) Value {
	if !b.usable(name, xs...) {
		return Value{}
	}
	if len(xs) < 2 {
		return b.fail(name, "", "a concat takes at least two values, not %d", len(xs))
	}
	out, in := xs[0].shape, []int{}
	out.C = 0
	for _, x := range xs {
		if !b.unflattened(name, x) {
			return Value{}
		}
		if x.shape.H != out.H || x.shape.W != out.W {
			return b.fail(name, "", "cannot join %s (%v) and %s (%v): height and width differ",
				b.ops[xs[0].id].name, xs[0].shape, b.ops[x.id].name, x.shape)
		}
		out.C += x.shape.C
		in = append(in, x.id)
	}
	return b.add(rawOp{op: opConcat, name: name, in: in, shape: out})
}

// MaxPool adds a max pooling.
func (b *Builder) MaxPool(name string, x Value, a PoolAttrs) Value {
	return b.pooling(opMaxPool, name, x, a)
}

// AvgPool adds an average pooling.
func (b *Builder) AvgPool(name string, x Value, a PoolAttrs) Value {
	return b.pooling(opAvgPool, name, x, a)
}

// GlobalAvgPool averages over height and width.
func (b *Builder) GlobalAvgPool(name string, x Value) Value {
	return b.pooling(opGlobalAvgPool, name, x, PoolAttrs{Kernel: [2]int{x.shape.H, x.shape.W}})
}

// Flatten makes a vector of a feature map. A Linear after it takes its weights
// in the order of the map's channels, rows and columns, as PyTorch does.
func (b *Builder) Flatten(name string, x Value) Value {
	if !b.usable(name, x) {
		return Value{}
	}
	return b.add(rawOp{op: opFlatten, name: name, in: []int{x.id}, shape: tensor.Shape{H: 1, W: 1, C: x.shape.H * x.shape.W * x.shape.C}, origin: b.ops[x.id].origin})
}

func (b *Builder) pooling(op, name string, x Value, a PoolAttrs) Value {
	if !b.usable(name, x) || !b.unflattened(name, x) {
		return Value{}
	}
	if a.Stride == ([2]int{}) {
		a.Stride = a.Kernel
	}
	s := x.shape
	switch {
	case a.Kernel[0] < 1 || a.Kernel[1] < 1:
		return b.fail(name, "Kernel", "the window is %d×%d", a.Kernel[0], a.Kernel[1])
	case a.Stride[0] < 1 || a.Stride[1] < 1:
		return b.fail(name, "Stride", "the stride is %d×%d", a.Stride[0], a.Stride[1])
	case a.Padding[0] < 0 || a.Padding[1] < 0 || 2*a.Padding[0] > a.Kernel[0] || 2*a.Padding[1] > a.Kernel[1]:
		return b.fail(name, "Padding", "the padding %d×%d is negative or more than half the window", a.Padding[0], a.Padding[1])
	}
	p := kernel.Pool{
		H: s.H, W: s.W, C: s.C, KH: a.Kernel[0], KW: a.Kernel[1], StrideH: a.Stride[0], StrideW: a.Stride[1],
		PadTop: a.Padding[0], PadLeft: a.Padding[1], CountPad: a.CountIncludePad,
	}
	p.OH, p.OW = window(s.H, p.KH, p.StrideH, p.PadTop, 1), window(s.W, p.KW, p.StrideW, p.PadLeft, 1)
	if p.OH < 1 || p.OW < 1 {
		return b.fail(name, "Kernel", "a %d×%d window does not fit into an input of %v", p.KH, p.KW, s)
	}
	return b.add(rawOp{op: op, name: name, in: []int{x.id}, pool: p, shape: tensor.Shape{H: p.OH, W: p.OW, C: s.C}})
}

// window is the number of places of a window of k elements (PyTorch's floor).
func window(in, k, stride, pad, dilation int) int {
	rest := in + 2*pad - dilation*(k-1) - 1
	if rest < 0 {
		return 0
	}
	return rest/stride + 1
}

func ones(v [2]int) [2]int {
	if v == ([2]int{}) {
		return [2]int{1, 1}
	}
	return v
}

// maxElements bounds the values that a node has for an image, and its weights, so that
// no product of extents overflows and offsets fit into the kernels' 32 bits.
const maxElements = math.MaxInt32

// volume is a product of extents that may be too large for an int.
func volume(extents ...int) float64 {
	v := 1.0
	for _, e := range extents {
		v *= float64(e)
	}
	return v
}

func (b *Builder) add(o rawOp) Value {
	switch s, g := o.shape, &o.conv; {
	case volume(s.H, s.W, s.C) > maxElements:
		return b.fail(o.name, "", "%d×%d×%d values for an image are more than the %d that a node may have", s.H, s.W, s.C, maxElements)
	case volume(o.pool.KH, o.pool.KW) > maxElements:
		return b.fail(o.name, "Kernel", "a window of %d×%d is more than the %d elements that a node may have", o.pool.KH, o.pool.KW, maxElements)
	case g.OutC > 0 && volume(g.OutC, g.KH, g.KW, g.C/g.Groups) > maxElements:
		return b.fail(o.name, "", "%d×%d×%d×%d weights are more than the %d that a node may have", g.OutC, g.C/g.Groups, g.KH, g.KW, maxElements)
	}
	if o.origin == (tensor.Shape{}) {
		o.origin = o.shape
	}
	b.names[o.name] = true
	b.ops = append(b.ops, o)
	return Value{len(b.ops) - 1, o.shape, true}
}

func (b *Builder) fail(node, attr, format string, a ...any) Value {
	if b.err == nil {
		b.err = &ShapeError{node, attr, fmt.Errorf(format, a...)}
	}
	return Value{}
}

// usable checks what every op needs: a name of its own and sound operands.
func (b *Builder) usable(name string, xs ...Value) bool {
	switch {
	case b.err != nil:
		return false
	case name == "" || strings.ContainsAny(name, " /\n\t"):
		b.fail(fmt.Sprintf("%q", name), "", "a node's name is not empty and has no spaces or slashes")
		return false
	case b.names[name]:
		b.fail(name, "", "there are two nodes of this name: a module cannot be used twice (its quant nodes would see two ranges); give the second one a name and weights of its own")
		return false
	}
	for _, x := range xs {
		if !x.ok || x.id >= len(b.ops) {
			b.fail(name, "", "an operand was not made by this builder")
			return false
		}
	}
	return true
}

// unflattened refuses a flattened map, whose order of features differs between
// memory and file.
func (b *Builder) unflattened(name string, x Value) bool {
	if o := &b.ops[x.id]; o.origin != o.shape {
		b.fail(name, "", "its input %s was flattened from %v; after a flatten come linear layers, activations and additions only", o.name, o.origin)
		return false
	}
	return true
}

var errNoOutput = errors.New("the output was not made by this builder")
