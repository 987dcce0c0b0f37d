package nn

import (
	"errors"
	"fmt"
	"strings"

	"qpipe/ops/arith"
	"qpipe/ops/convbn"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/move"
	"qpipe/ops/op"
	"qpipe/ops/tensor"
)

// ShapeError is a mistake in building a network: the node and, where one can be
// named, the constructor's argument or the operand at fault.
type ShapeError struct {
	Node, Attr string
	Operands   bool   // it is what the node reads
	Operand    string // the node that it reads and is at fault; "" for all, or their number
	Way        string // what to do about it; "" if the mistake says it
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
// go on; Graph returns it, as a *ShapeError that names the node. After Forget more can be
// added, to find more mistakes.
type Builder struct {
	nodes []*layer.Node // as they were written, before fusion
	names map[string]bool
	err   *ShapeError
	wrong bool // there was a mistake: there will be no graph
}

// Value is a handle to a node's output while building.
type Value struct {
	id    int
	shape tensor.Shape
	ok    bool
}

// Shape returns the value's shape with N = 0. After a mistake it is zero.
func (v Value) Shape() tensor.Shape { return v.shape }

// Name is the name of the node that has made a value, "" after a mistake.
func (b *Builder) Name(v Value) string {
	if !v.ok {
		return ""
	}
	return b.nodes[v.id].Name
}

// NewBuilder starts a graph whose input has the shape in (N is ignored). The
// input node is named "input"; it has an output quant node of its own.
func NewBuilder(in tensor.Shape) *Builder {
	b := &Builder{names: map[string]bool{}}
	n, err := op.Input{Shape: in}.Node(nil)
	if err != nil {
		b.fail("input", err)
	}
	b.add("input", n, nil)
	return b
}

// Input returns the network's (first) input.
func (b *Builder) Input() Value { return Value{0, b.nodes[0].Shape, b.err == nil} }

// AddInput adds another input. Inputs are in the order in which they were added.
func (b *Builder) AddInput(name string, in tensor.Shape) Value {
	return b.Apply(name, op.Input{Shape: in})
}

// Err is the first mistake, nil for none.
func (b *Builder) Err() error {
	if b.err == nil {
		return nil
	}
	return b.err
}

// Forget returns the mistake and lets the building go on, with the values that there are: the result of what failed is none of
// them. It returns nil if there was no mistake.
func (b *Builder) Forget() error {
	err := b.Err()
	b.err = nil
	return err
}

// Full reports whether no more nodes can be added.
func (b *Builder) Full() bool { return len(b.nodes) >= MaxNodes }

// Is reports whether the value is what the node of that name gives.
func (b *Builder) Is(v Value, name string) bool { return v.ok && b.nodes[v.id].Name == name }

// OK reports whether the value was made: without a mistake.
func (v Value) OK() bool { return v.ok }

// Fail records a mistake in making a node: what a module finds wrong with what it is given.
func (b *Builder) Fail(name, format string, args ...any) Value {
	return b.fail(name, fmt.Errorf(format, args...))
}

// Misread records that a module is given another number of values than it reads.
func (b *Builder) Misread(name string, reads int, xs []Value) Value {
	if b.usable(name, xs) {
		b.fail(name, checkCount(reads, reads, b.sources(xs)))
	}
	return Value{}
}

// Apply adds a node that applies an op to values.
func (b *Builder) Apply(name string, op layer.Op, xs ...Value) Value {
	if !b.usable(name, xs) {
		return Value{}
	}
	in := b.sources(xs)
	err := checkOperands(op.Kind(), in)
	var n *layer.Node
	if err == nil {
		n, err = op.Node(in)
	}
	if err == nil {
		err = checkSize(n.Shape)
	}
	if err != nil {
		return b.fail(name, err)
	}
	places := make([]int, len(xs))
	for i, x := range xs {
		places[i] = x.id
	}
	return b.add(name, n, places)
}

// sources are values as an op sees them.
func (b *Builder) sources(xs []Value) []layer.Source {
	in := make([]layer.Source, len(xs))
	for i, x := range xs {
		n := b.nodes[x.id]
		in[i] = layer.Source{Name: n.Name, Shape: n.Shape, Origin: n.Origin}
	}
	return in
}

// Conv adds a convolution.
func (b *Builder) Conv(name string, x Value, a convbn.Conv) Value { return b.Apply(name, a, x) }

// Conv1d adds a convolution of a map with one row.
func (b *Builder) Conv1d(name string, x Value, a convbn.Conv1d) Value { return b.Apply(name, a, x) }

// ConvTranspose adds a transposed convolution.
func (b *Builder) ConvTranspose(name string, x Value, a convbn.ConvTranspose) Value {
	return b.Apply(name, a, x)
}

// Linear is a fully connected layer over all features of x; it flattens by itself.
func (b *Builder) Linear(name string, x Value, out int, bias bool) Value {
	return b.Apply(name, convbn.Linear{Out: out, Bias: bias}, x)
}

// BatchNorm adds a batch normalization: eps and momentum as in PyTorch (1e-5
// and 0.1 if zero).
func (b *Builder) BatchNorm(name string, x Value, eps, momentum float64) Value {
	return b.Apply(name, convbn.BatchNorm{Eps: eps, Momentum: momentum}, x)
}

// Act adds an activation.
func (b *Builder) Act(name string, x Value, a kernel.Act) Value {
	return b.Apply(name, op.Act{Act: a}, x)
}

// Add adds two values; one with an extent of 1 is repeated along it.
func (b *Builder) Add(name string, x, y Value) Value { return b.Apply(name, arith.Add{}, x, y) }

// Concat joins values of the same height and width along the channels.
func (b *Builder) Concat(name string, xs ...Value) Value {
	return b.Apply(name, op.Concat{}, xs...)
}

// Split cuts x along an axis (0, 1 and 2 for rows, columns and channels) into parts of the given sizes, which are all of it: a slice
// each, name.0, name.1 and so on.
func (b *Builder) Split(name string, x Value, axis int, sizes ...int) []Value {
	at, parts := 0, make([]Value, len(sizes))
	for i, size := range sizes {
		if size < 1 {
			b.fail(name, layer.BadArg("Sizes", "a part of %d", size))
		}
		var a move.Slice
		a.Start[axis], a.End[axis] = at, at+size
		at += size
		parts[i] = b.Apply(fmt.Sprintf("%s.%d", name, i), a, x)
	}
	if s := x.shape; at != [3]int{s.H, s.W, s.C}[axis] {
		b.fail(name, layer.BadArg("Sizes", "%s are not all of %v", tensor.List(sizes...), s))
	}
	return parts
}

// MaxPool adds a max pooling.
func (b *Builder) MaxPool(name string, x Value, a op.PoolArgs) Value {
	return b.Apply(name, op.MaxPool(a), x)
}

// AvgPool adds an average pooling.
func (b *Builder) AvgPool(name string, x Value, a op.PoolArgs) Value {
	return b.Apply(name, op.AvgPool(a), x)
}

// GlobalAvgPool averages over height and width.
func (b *Builder) GlobalAvgPool(name string, x Value) Value {
	return b.Apply(name, op.GlobalAvgPool{}, x)
}

// Flatten makes a vector of a feature map. A Linear after it takes its weights
// in the order of the map's channels, rows and columns, as PyTorch does.
func (b *Builder) Flatten(name string, x Value) Value { return b.Apply(name, op.Flatten{}, x) }

// checkSize refuses more values than a node may have.
func checkSize(s tensor.Shape) error {
	if layer.Volume(s.H, s.W, s.C) > layer.MaxElements {
		return layer.BadArg("", "%d×%d×%d values for an image are more than the %d that a node may have", s.H, s.W, s.C, int64(layer.MaxElements))
	}
	return nil
}

func (b *Builder) add(name string, n *layer.Node, in []int) Value {
	n.Name, n.In = name, in
	if bn := convbn.BNOf(n); bn != nil {
		bn.Name = name
	}
	b.names[name] = true
	b.nodes = append(b.nodes, n)
	return Value{len(b.nodes) - 1, n.Shape, true}
}

func (b *Builder) fail(node string, err error) Value {
	if b.err == nil {
		b.err = &ShapeError{Node: node, Err: err}
		if a := (*layer.ArgError)(nil); errors.As(err, &a) {
			b.err.Attr, b.err.Err = a.Attr, a.Err
		}
		if o := (*layer.OperandError)(nil); errors.As(err, &o) {
			b.err.Operands, b.err.Operand, b.err.Err, b.err.Way = true, o.Name, o.Err, o.Way
		}
		b.wrong = true
	}
	return Value{}
}

// usable checks what every op needs: a name of its own and sound operands.
func (b *Builder) usable(name string, xs []Value) bool {
	switch {
	case b.err != nil:
		return false
	case name == "" || strings.ContainsAny(name, " /\n\t"):
		b.fail(fmt.Sprintf("%q", name), errors.New("a node's name is not empty and has no spaces or slashes"))
		return false
	case len(b.nodes) >= MaxNodes:
		b.fail(name, fmt.Errorf("it would be node %d of the network, and there may be %d", len(b.nodes)+1, MaxNodes))
		return false
	case b.names[name]:
		b.fail(name, errors.New("there are two nodes of this name: a module cannot be used twice (its quant nodes would see two ranges); give the second one a name and weights of its own"))
		return false
	}
	for _, x := range xs {
		if !x.ok || x.id >= len(b.nodes) {
			b.fail(name, errors.New("an operand was not made by this builder"))
			return false
		}
	}
	return true
}

var (
	errNoOutput = errors.New("the output was not made by this builder")
	errWrong    = errors.New("there was a mistake, which has been reported")
)
