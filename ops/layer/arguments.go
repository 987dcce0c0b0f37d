package layer

import (
	"fmt"

	"qpipe/ops/tensor"
)

// Arguments are those of an op of one operand whose nodes have nothing else, with the names that structures give them.
type Arguments[A any] interface {
	comparable
	// On returns the arguments for an operand of shape s, with everything that may be left out, and the output's shape.
	On(s tensor.Shape) (A, tensor.Shape, error)
}

// Argued completes the row of such an op: structures have its arguments in a field with the op's name.
func Argued[A Arguments[A]](k Kind) *Kind {
	k.Least, k.Most = 1, 1
	k.Shape = func(n *Node, in []tensor.Shape) (tensor.Shape, error) {
		args := ArgumentsOf[A](n)
		full, out, err := args.On(in[0])
		if err == nil && full != args {
			return out, fmt.Errorf("its arguments are %+v, where %+v is meant", args, full)
		}
		return out, err
	}
	k.Restore = func(_ *Node, f Fields) (Body, error) {
		b := &argumentBody[A]{name: k.Name}
		return b, f.Read(k.Name, &b.args)
	}
	if k.Label == nil {
		k.Label = func(n *Node) string { return ArgumentLabel(k.Name, ArgumentsOf[A](n)) }
	}
	return &k
}

// Argue is the node of such an op.
func Argue[A Arguments[A]](k *Kind, args A, in Source) (*Node, error) {
	full, out, err := args.On(in.Shape)
	if err != nil {
		return nil, err
	}
	return &Node{Kind: k, Shape: out, Origin: out, Body: &argumentBody[A]{k.Name, full}}, nil
}

// argumentBody is the body of such a node.
type argumentBody[A Arguments[A]] struct {
	name string
	args A
}

// ArgumentsOf are the arguments of such a node.
func ArgumentsOf[A Arguments[A]](n *Node) A { return n.Body.(*argumentBody[A]).args }

// Clone implements layer.Body.
func (b *argumentBody[A]) Clone() Body { c := *b; return &c }

// Attrs implements layer.Body.
func (b *argumentBody[A]) Attrs() []Attr { return []Attr{{Key: b.name, Value: b.args}} }

// Window implements layer.Body.
func (b *argumentBody[A]) Window() string { return fmt.Sprintf("%s %+v", b.name, b.args) }

// Axes are the extents of a shape: rows, columns and channels.
func Axes(s tensor.Shape) [3]int { return [3]int{s.H, s.W, s.C} }

// Steps are how far apart neighbours along each axis lie.
func Steps(s tensor.Shape) [3]int { return [3]int{s.W * s.C, s.C, 1} }

// ShapeOf is the shape of these extents.
func ShapeOf(extents [3]int) tensor.Shape {
	return tensor.Shape{H: extents[0], W: extents[1], C: extents[2]}
}

// AxisName is what messages call an axis.
func AxisName(axis int) string { return [3]string{"rows", "columns", "channels"}[axis] }

// Fill sets all elements to a value.
func Fill[T any](y []T, value T) {
	for i := range y {
		y[i] = value
	}
}

// RequantBytes is the size of a kernel.Requant.
const RequantBytes = 80
