package layer

import (
	"fmt"
	"math"

	"qpipe/ops/tensor"
)

// Op is an op with its arguments, as a model names it.
type Op interface {
	// Kind is the op's row; nil where the arguments name none.
	Kind() *Kind
	// Node makes the node that applies the op to the operands, as many as its kind takes. Name and places are the
	// builder's. What is wrong with an argument is an *ArgError.
	Node(in []Source) (*Node, error)
}

// Source is an operand while a network is built. Origin is the map that a flattened
// operand was, else Shape; N is 0.
type Source struct {
	Name          string
	Shape, Origin tensor.Shape
}

// ArgError is a mistake in an op's arguments, at the argument Attr if one is at fault.
type ArgError struct {
	Attr string
	Err  error
}

func (e *ArgError) Error() string {
	if e.Attr == "" {
		return e.Err.Error()
	}
	return e.Attr + ": " + e.Err.Error()
}

// Unwrap returns the mistake without the argument.
func (e *ArgError) Unwrap() error { return e.Err }

// OperandError is a mistake in what an op reads: the operand of that name, or "" for their number, or for how they go together.
type OperandError struct {
	Name string
	Err  error
	Way  string // what to do about it; "" if the mistake says it
}

func (e *OperandError) Error() string { return e.Err.Error() }

// Unwrap returns the mistake without its place.
func (e *OperandError) Unwrap() error { return e.Err }

// BadOperand returns the mistake at an operand, "" for all of them, and says what to do about it.
func BadOperand(name, way, format string, a ...any) error {
	return &OperandError{name, fmt.Errorf(format, a...), way}
}

// BadArg returns the mistake at an argument, "" for none.
func BadArg(attr, format string, a ...any) error { return &ArgError{attr, fmt.Errorf(format, a...)} }

// MaxElements bounds the values that a node has for an image, and its weights, so that
// no product of extents overflows and offsets fit into the kernels' 32 bits.
const MaxElements = math.MaxInt32

// MaxExtent bounds every extent in a structure, so that no product of
// them overflows and no damaged file asks for absurd memory by itself.
const MaxExtent = 1 << 20

// Volume is a product of extents that may be too large for an int.
func Volume(extents ...int) float64 {
	v := 1.0
	for _, e := range extents {
		v *= float64(e)
	}
	return v
}

// Same is the shape of an output that is like every operand.
func Same(_ *Node, in []tensor.Shape) (tensor.Shape, error) {
	for _, s := range in[1:] {
		if s != in[0] {
			return tensor.Shape{}, fmt.Errorf("%v and %v differ", in[0], s)
		}
	}
	return in[0], nil
}

// Shapes are those of operands.
func Shapes(in []Source) []tensor.Shape {
	var list []tensor.Shape
	for _, x := range in {
		list = append(list, x.Shape)
	}
	return list
}

// Like returns a node whose output is like the operand.
func Like(k *Kind, in Source) *Node { return &Node{Kind: k, Shape: in.Shape, Origin: in.Origin} }
