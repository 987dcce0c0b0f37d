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

// BuildNetwork builds a network out of layers, for inputs of the shapes in. made has the part of each layer. An error
// about a layer's argument is placed at its path.
func BuildNetwork(n Network, made []Layer, in []tensor.Shape) (*nn.Graph, error) {
	if err := fitsInputs(n, in); err != nil {
		return nil, err
	}
	b := nn.NewBuilder(in[0])
	values := map[string]nn.Value{program.InputName: b.Input()}
	for i, x := range n.Inputs {
		name := program.InputName + "." + x.Name
		if values[name] = b.Input(); i > 0 {
			values[name] = b.AddInput(x.Name, in[i])
		}
	}
	for i, l := range n.Layers {
		var xs []nn.Value
		for _, from := range l.From {
			xs = append(xs, values[from])
		}
		values[l.Name] = made[i].Add(b, l.Name, xs...)
		if err := b.Err(); err != nil {
			return nil, placeInLayer(n, err)
		}
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

// fitsInputs refuses data that is not what the network's input blocks say.
func fitsInputs(n Network, in []tensor.Shape) error {
	if want := max(len(n.Inputs), 1); want != len(in) {
		return fmt.Errorf("the network has %s, and the data has %d: write an input block for each", Count(want, "input"), len(in))
	}
	for i, x := range n.Inputs {
		if s := (tensor.Shape{H: in[i].H, W: in[i].W, C: in[i].C}); x.Shape != nil && !slices.Equal(x.Shape, []int{s.H, s.W, s.C}) {
			return Bad(program.InputName+"."+x.Name+".shape", "it is %v here, and the data gives %v", x.Shape, s)
		}
	}
	return nil
}

// placeInLayer places a mistake in building at the layer whose node it names, and at its argument where there is one.
func placeInLayer(n Network, err error) error {
	var shape *nn.ShapeError
	if !errors.As(err, &shape) {
		return err
	}
	at := -1
	for i, l := range n.Layers {
		own := shape.Node == l.Name || strings.HasPrefix(shape.Node, l.Name+".")
		if own && (at < 0 || len(l.Name) > len(n.Layers[at].Name)) {
			at = i
		}
	}
	if at < 0 {
		return err
	}
	path := program.LayerPath(n.Layers[at].Name)
	if attr := argumentOf(n.Layers[at].Args, shape.Attr); attr != "" {
		path += "." + attr
	}
	return &ArgError{Attr: path, Err: &nn.ShapeError{Node: shape.Node, Err: shape.Err}}
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
