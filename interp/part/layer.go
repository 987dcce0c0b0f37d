package part

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"qpipe/lang/program"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// Layer adds itself to a network: a node called name, or the several nodes of a module, whose names begin with it. It is
// what `layer "Type" "name" {}` names. A mistake is the builder's to report, at the field of the op that is at fault; where
// the layer's Args have a field of that name, the message is placed at its argument.
type Layer interface {
	Add(b *nn.Builder, name string, xs ...nn.Value) nn.Value
}

// LayerPart makes a row of the layer shelf.
func LayerPart[A any](name, doc string, defaults A, build func(A) (Layer, error)) Part {
	return row(program.LayerKind, name, doc, defaults, build)
}

// Network is what `model "Network" "name" {}` holds: its layers, in an order in which they can be computed.
type Network = program.Network

// Assembler is a part that is made of others: New hands it the catalogue.
type Assembler interface{ Assemble(c Catalog) error }

// NewLayer makes the part of a layer. An error about one of its arguments is placed at its path.
func NewLayer(c Catalog, l program.Layer) (Layer, error) {
	made, err := New[Layer](c, l.Call)
	var arg *ArgError
	if errors.As(err, &arg) {
		return nil, &ArgError{Attr: program.LayerPath(l.Name) + "." + arg.Attr, Err: arg.Err}
	}
	return made, err
}

// Mistakes are all that were found in building a network, each placed at the path of an argument where there is one. There may be
// none of them: those that lang/check has reported are enough to have no network.
type Mistakes []error

func (m Mistakes) Error() string {
	if len(m) == 0 {
		return "there are mistakes in its layers"
	}
	return m[0].Error()
}

// Unwrap returns the mistakes.
func (m Mistakes) Unwrap() []error { return m }

// All are the mistakes of an error: those of Mistakes, or the error itself.
func All(err error) []error {
	var m Mistakes
	switch {
	case err == nil:
		return nil
	case errors.As(err, &m):
		return m
	}
	return []error{err}
}

// BuildNetwork builds a network out of layers, for inputs of the shapes in. made has the part of each layer, nil where it has a
// mistake that is known. Layers that read what could not be made are passed over, so that the error, if there is one, is
// Mistakes: the first of each layer.
func BuildNetwork(n Network, made []Layer, in []tensor.Shape) (*nn.Graph, error) {
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
func wrongInputs(n Network, in []tensor.Shape) error {
	var shapes []string
	for _, s := range in {
		shapes = append(shapes, s.WithN(0).String())
	}
	given := fmt.Sprintf("the data gives %s (%s)", Count(len(in), "input"), strings.Join(shapes, ", "))
	if len(n.Inputs) > len(in) {
		x := n.Inputs[len(in)]
		return Bad(program.InputName+"."+x.Name, "the network has %s, and %s: leave out %q, or take a data set that gives as many", Count(len(n.Inputs), "input"), given, x.Name)
	}
	return fmt.Errorf("the network has %s, and %s: write an input block for each, in this order", Count(max(len(n.Inputs), 1), "input"), given)
}

// addLayers adds the layers in their order, with what each gives to values; whole is false where not all could be made.
func addLayers(b *nn.Builder, n Network, made []Layer, values map[string]nn.Value) (wrong Mistakes, whole bool) {
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
	return &ArgError{Attr: path, Err: &nn.ShapeError{Node: shape.Node, Err: shape.Err, Way: shape.Way}}
}

// fitsInputs refuses data that is not what the network's input blocks say.
func fitsInputs(n Network, in []tensor.Shape) error {
	if want := max(len(n.Inputs), 1); want != len(in) {
		return wrongInputs(n, in)
	}
	for i, x := range n.Inputs {
		if s := (tensor.Shape{H: in[i].H, W: in[i].W, C: in[i].C}); x.Shape != nil && !slices.Equal(x.Shape, []int{s.H, s.W, s.C}) {
			return Bad(program.InputName+"."+x.Name+".shape", "input %q has the shape %v, and the data gives %v", x.Name, tensor.Shape{H: x.Shape[0], W: x.Shape[1], C: x.Shape[2]}, s)
		}
	}
	return nil
}

// placeInLayer places a mistake in the whole network at the layer whose node it names.
func placeInLayer(n Network, err error) error {
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
	return &ArgError{Attr: program.LayerPath(n.Layers[i].Name), Err: err}
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
