// Package written builds a network that is written in the pipeline out of its layers, and places what is wrong at their arguments. It
// knows what layers are, and not which ones there are.
package written

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"qpipe/interp/part"
	"qpipe/lang/program"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// Layers makes the part of each layer. It is nil where the layer has a mistake, which is among the results unless lang/check has
// reported it.
func Layers(c part.Catalog, n program.Network) (made []part.Layer, wrong part.Mistakes) {
	made = make([]part.Layer, len(n.Layers))
	for i, l := range n.Layers {
		if l.Faulty {
			continue
		}
		var err error
		if made[i], err = newLayer(c, l); err != nil {
			made[i], wrong = nil, append(wrong, err)
		}
	}
	return made, wrong
}

// newLayer makes the part of a layer. An error about one of its arguments is placed at its path.
func newLayer(c part.Catalog, l program.Layer) (part.Layer, error) {
	made, err := part.New[part.Layer](c, l.Call)
	var arg *part.ArgError
	if errors.As(err, &arg) {
		return nil, &part.ArgError{Attr: program.LayerPath(l.Name) + "." + arg.Attr, Err: arg.Err}
	}
	return made, err
}

// Build builds a network out of layers, for inputs of the shapes in. made has the part of each layer, nil where it has a
// mistake that is known. Layers that read what could not be made are passed over, so that the error, if there is one, is
// part.Mistakes: the first of each layer.
func Build(n program.Network, made []part.Layer, in []tensor.Shape) (*nn.Graph, error) {
	if err := fitsInputs(n, in); err != nil {
		return nil, err
	}
	b := nn.NewBuilder(in[0])
	if err := b.Forget(); err != nil {
		return nil, err
	}
	values := map[string]nn.Value{program.InputName: b.Input()}
	for i, x := range n.Inputs {
		name := program.InputName + "." + x.Name
		if values[name] = b.Input(); i > 0 {
			values[name] = b.AddInput(x.Name, in[i])
		}
	}
	if wrong, whole := addLayers(b, n, made, values); n.Faulty || !whole {
		return nil, wrong
	}
	outs, labels := []nn.Value{values[n.Layers[len(n.Layers)-1].Name]}, []string(nil)
	if len(n.Outputs) > 0 {
		outs = nil
		for _, out := range n.Outputs {
			outs, labels = append(outs, values[out.From]), append(labels, out.Name)
		}
	}
	g, err := b.Graph(outs...)
	if err != nil {
		return nil, placeInLayer(n, err)
	}
	g.LabelOutputs(labels)
	return g, nil
}

// wrongInputs is the mistake of a network that has another number of inputs than the data: at the first input that the data has not.
func wrongInputs(n program.Network, in []tensor.Shape) error {
	var shapes []string
	for _, s := range in {
		shapes = append(shapes, s.WithN(0).String())
	}
	given := fmt.Sprintf("the data gives %s (%s)", part.Count(len(in), "input"), strings.Join(shapes, ", "))
	if len(n.Inputs) > len(in) {
		x := n.Inputs[len(in)]
		return part.Bad(program.InputName+"."+x.Name, "the network has %s, and %s: leave out %q, or take a data set that gives as many", part.Count(len(n.Inputs), "input"), given, x.Name)
	}
	return fmt.Errorf("the network has %s, and %s: write an input block for each, in this order", part.Count(max(len(n.Inputs), 1), "input"), given)
}

// addLayers adds the layers in their order, with what each gives to values; whole is false where not all could be made.
func addLayers(b *nn.Builder, n program.Network, made []part.Layer, values map[string]nn.Value) (wrong part.Mistakes, whole bool) {
	whole = true
	for i, l := range n.Layers {
		var xs []nn.Value
		known := made[i] != nil
		for _, from := range l.From {
			xs = append(xs, values[from])
			known = known && values[from].OK()
		}
		if !known {
			whole = false
			continue
		}
		v := made[i].Add(b, l.Name, xs...)
		if err := b.Forget(); err != nil {
			wrong, whole = append(wrong, placeAt(b, l, xs, err)), false
			if b.Full() {
				break
			}
			continue
		}
		values[l.Name] = v
	}
	return wrong, whole
}

// placeAt places a mistake of a layer at its argument that is at fault, or at what it reads.
func placeAt(b *nn.Builder, l program.Layer, xs []nn.Value, err error) error {
	var shape *nn.ShapeError
	if !errors.As(err, &shape) {
		return err
	}
	path := program.LayerPath(l.Name)
	if attr := argumentOf(l.Args, shape.Attr); attr != "" {
		path += "." + attr
	}
	if shape.Operands && shape.Operand == "" && shape.Node == l.Name {
		path += ".from"
	}
	if i := slices.IndexFunc(xs, func(x nn.Value) bool { return shape.Operand != "" && b.Is(x, shape.Operand) }); i >= 0 {
		path = program.OperandPath(l.Name, i)
	}
	return &part.ArgError{Attr: path, Err: &nn.ShapeError{Node: shape.Node, Err: shape.Err, Way: shape.Way}}
}

// fitsInputs refuses data that is not what the network's input blocks say.
func fitsInputs(n program.Network, in []tensor.Shape) error {
	if want := max(len(n.Inputs), 1); want != len(in) {
		return wrongInputs(n, in)
	}
	for i, x := range n.Inputs {
		if s := (tensor.Shape{H: in[i].H, W: in[i].W, C: in[i].C}); x.Shape != nil && !slices.Equal(x.Shape, []int{s.H, s.W, s.C}) {
			return part.Bad(program.InputName+"."+x.Name+".shape", "input %q has the shape %v, and the data gives %v", x.Name, tensor.Shape{H: x.Shape[0], W: x.Shape[1], C: x.Shape[2]}, s)
		}
	}
	return nil
}

// placeInLayer places a mistake in the whole network at the layer whose node it names.
func placeInLayer(n program.Network, err error) error {
	var shape *nn.ShapeError
	if !errors.As(err, &shape) {
		return err
	}
	i := slices.IndexFunc(n.Layers, func(l program.Layer) bool {
		return shape.Node == l.Name || strings.HasPrefix(shape.Node, l.Name+".")
	})
	if i < 0 {
		return err
	}
	return &part.ArgError{Attr: program.LayerPath(n.Layers[i].Name), Err: err}
}

// argumentOf is the name of the argument that the field of that name in Args holds, "" for none.
func argumentOf(args any, field string) string {
	t := reflect.TypeOf(args)
	for _, f := range program.Fields(t) {
		if t.FieldByIndex(f.Index).Name == field {
			return f.Name
		}
	}
	return ""
}
