package program

import (
	"fmt"
	"reflect"
)

// Network is a network that is written in the pipeline. Loops are unrolled and definitions written out, so that its
// layers are in an order in which they can be computed.
type Network struct {
	Inputs  []NetworkInput // none: one, with the shape of the data's images
	Layers  []Layer
	Outputs []NetworkOutput // none: the last layer is the output
	// Overrides are those that definitions bring, outer ones first, with selectors of nodes of the whole network. They count for
	// stages with a qconfig only (Convert.Own).
	Overrides []Override
	Faulty    bool // mistakes have been reported: it may be built to find more, but is not whole
	// Partial says that mistakes have been reported for which inputs or layers are missing: no more can be found by building it.
	Partial bool
}

// NetworkInput is `input "name" {}`: the inputs of the data have their order.
type NetworkInput struct {
	Name  string
	Shape []int // height, width and channels; nil: that of the data
}

// Layer is `layer "Type" "name" {}`, or one of those that a count, a for_each or a definition makes.
type Layer struct {
	Call
	Name string   // "stem", "stage1.0.conv1"
	From []string // what it reads: names of layers, InputName or "input.NAME"; Unknown after a mistake in it
}

// InputName is what Layer.From calls the only input.
const InputName = "input"

// Unknown is what Layer.From has where a mistake has been reported, so that it is not known what is read.
const Unknown = "?"

// NetworkOutput is `output "name" {}`.
type NetworkOutput struct{ Name, From string }

var networkType = reflect.TypeFor[Network]()

// Network returns the network that a part's arguments hold, nil for none.
func (c Call) Network() *Network {
	for f, v := range Arguments(c.Args) {
		if f.Network {
			n := v.Interface().(Network)
			return &n
		}
	}
	return nil
}

// LayerPath is the path of a layer's arguments among those of the part that holds the network.
func LayerPath(name string) string { return "layer." + name }

// OperandPath is the path of what a layer reads at position i of its `from`.
func OperandPath(name string, i int) string { return fmt.Sprintf("%s.from[%d]", LayerPath(name), i) }

// walkNetwork yields the layers with their arguments.
func walkNetwork(prefix string, n Network, yield func(string, Argument) bool) bool {
	block := func(path string, labels ...string) bool {
		return yield(prefix+path, Argument{Field: Field{Block: true}, Value: reflect.ValueOf(struct{}{}), Labels: labels})
	}
	for _, in := range n.Inputs {
		if !block("input."+in.Name) || !yield(prefix+"input."+in.Name+".shape", Argument{Value: reflect.ValueOf(in.Shape)}) {
			return false
		}
	}
	for _, l := range n.Layers {
		path := LayerPath(l.Name)
		if !block(path, append([]string{l.Type}, l.From...)...) || !walk(prefix+path+".", reflect.Indirect(reflect.ValueOf(l.Args)), yield) {
			return false
		}
	}
	for _, out := range n.Outputs {
		if !block("output."+out.Name, out.From) {
			return false
		}
	}
	return true
}
