package op

import (
	"fmt"

	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// arguments are those of an op of one operand whose nodes have nothing else, with the names that structures give them.
type arguments[A any] interface {
	comparable
	// on returns the arguments for an operand of shape s, with everything that may be left out, and the output's shape.
	on(s tensor.Shape) (A, tensor.Shape, error)
}

// argued completes the row of such an op: structures have its arguments in a field with the op's name.
func argued[A arguments[A]](k layer.Kind) *layer.Kind {
	k.Least, k.Most = 1, 1
	k.Shape = func(n *layer.Node, in []tensor.Shape) (tensor.Shape, error) {
		args := argumentsOf[A](n)
		full, out, err := args.on(in[0])
		if err == nil && full != args {
			return out, fmt.Errorf("its arguments are %+v, where %+v is meant", args, full)
		}
		return out, err
	}
	k.Restore = func(_ *layer.Node, f layer.Fields) (layer.Body, error) {
		b := &argumentBody[A]{name: k.Name}
		return b, f.Read(k.Name, &b.args)
	}
	return &k
}

// apply is the node of such an op.
func apply[A arguments[A]](k *layer.Kind, args A, in layer.Source) (*layer.Node, error) {
	full, out, err := args.on(in.Shape)
	if err != nil {
		return nil, err
	}
	return &layer.Node{Kind: k, Shape: out, Origin: out, Body: &argumentBody[A]{k.Name, full}}, nil
}

// argumentBody is the body of such a node.
type argumentBody[A arguments[A]] struct {
	name string
	args A
}

func argumentsOf[A arguments[A]](n *layer.Node) A { return n.Body.(*argumentBody[A]).args }

// Clone implements layer.Body.
func (b *argumentBody[A]) Clone() layer.Body { c := *b; return &c }

// Attrs implements layer.Body.
func (b *argumentBody[A]) Attrs() []layer.Attr { return []layer.Attr{{Key: b.name, Value: b.args}} }

// Window implements layer.Body.
func (b *argumentBody[A]) Window() string { return fmt.Sprintf("%s %+v", b.name, b.args) }

// axes are the extents of a shape; steps are how far apart neighbours along each lie.
func axes(s tensor.Shape) [3]int { return [3]int{s.H, s.W, s.C} }

func steps(s tensor.Shape) [3]int { return [3]int{s.W * s.C, s.C, 1} }

func shapeOf(extents [3]int) tensor.Shape {
	return tensor.Shape{H: extents[0], W: extents[1], C: extents[2]}
}
