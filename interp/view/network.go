package view

import (
	"slices"
	"strings"

	"qpipe/interp/console"
	"qpipe/interp/graph"
	"qpipe/interp/lower"
	"qpipe/ops/convbn"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
)

// NetworkItem is a network in `graph -model -json`.
type NetworkItem struct {
	Model      string      `json:"model"`
	Type       string      `json:"type"`
	Data       string      `json:"data,omitempty"`       // the data set that it is built for; empty if its inputs have shapes of their own
	OtherData  []string    `json:"other_data,omitempty"` // data sets with other shapes that stages use it on, one for each kind
	Stage      string      `json:"stage,omitempty"`      // the stage whose form it has
	Form       string      `json:"form"`
	QATMode    string      `json:"qat_mode,omitempty"`
	Target     string      `json:"target,omitempty"` // of a quantized form
	Fused      bool        `json:"fused"`            // its layers are the nodes after fusion, not those that are written
	Layers     []LayerItem `json:"layers"`           // each after those that it reads
	Outputs    []PortItem  `json:"outputs"`
	Parameters int         `json:"parameters"`
	MACs       int64       `json:"macs"` // of an image
}

// LayerItem is a layer or a node of a network, or, with a depth, several under one name.
type LayerItem struct {
	Name       string   `json:"name"`
	Op         string   `json:"op,omitempty"`      // of a single layer
	Label      string   `json:"label"`             // the op with what tells it apart, and what is fused with it
	Members    []string `json:"members,omitempty"` // the layers that are in it, if there are several
	Inputs     []string `json:"inputs,omitempty"`  // the layers that it reads
	Shapes     [][]int  `json:"shapes"`            // rows, columns and channels of its output; of several layers, of all that others read
	Parameters int      `json:"parameters"`
	MACs       int64    `json:"macs"`
	Activation string   `json:"activation,omitempty"`   // of a quantized form: the dtype of its output
	Weight     string   `json:"weight,omitempty"`       // and of its weight
	BN         string   `json:"bn,omitempty"`           // of a stage: what becomes of the BN that is written behind the layer
	Island     string   `json:"float_island,omitempty"` // why it stays float32 in the int8 form
}

// PortItem is an output of a network.
type PortItem struct {
	Name  string `json:"name"` // what losses and metrics call it
	Layer string `json:"layer"`
	Shape []int  `json:"shape"`
}

// Shown says which network is shown, and how.
type Shown struct {
	*lower.Network
	Stage *graph.Stage // the nodes of its model; nil: those that the network has of itself
	Fused bool         // after fusion
	Depth int          // above 0: layers that have so many parts of their names in common are one
}

// NewNetwork describes a network layer by layer: as it is written, or its nodes after fusion.
func NewNetwork(of Shown) *NetworkItem {
	n := &NetworkItem{Model: of.Model.Name, Type: of.Model.Type, Fused: of.Fused || of.Stage != nil}
	if of.Data != nil {
		n.Data = of.Data.Name
	}
	for _, d := range of.Others {
		n.OtherData = append(n.OtherData, d.Name)
	}
	g := of.Graph
	switch w := g.Written(); {
	case of.Stage != nil:
		g = of.Stage.Model
	case w == nil: // only the fused network is known
		n.Fused = true
	case !of.Fused:
		g = w
	}
	n.Form, n.Layers = string(g.Form()), layers(g)
	if of.Stage != nil {
		n.Stage = of.Stage.Name
		markBN(n.Layers, of.Graph, of.Stage)
	}
	if g.Form() != nn.Float {
		n.QATMode, n.Target = string(g.Mode()), string(g.Target())
		quantize(n.Layers, g)
	} else {
		why := g.WithoutInt8()
		for i := range n.Layers {
			n.Layers[i].Island = why[n.Layers[i].Name]
		}
	}
	n.sum(g, of.Depth)
	return n
}

// sum adds up the layers, lists the outputs, and groups the layers.
func (n *NetworkItem) sum(g *nn.Graph, depth int) {
	for _, l := range n.Layers {
		n.Parameters, n.MACs = n.Parameters+l.Parameters, n.MACs+l.MACs
	}
	outs := map[string]bool{}
	for _, o := range g.Outputs() {
		outs[o.Name] = true
		n.Outputs = append(n.Outputs, PortItem{o.Label, o.Name, []int{o.Shape.H, o.Shape.W, o.Shape.C}})
	}
	if depth > 0 {
		thing := "layer"
		if n.Fused {
			thing = "node"
		}
		n.Layers = grouped(n.Layers, outs, depth, thing)
	}
}

// layers describes the nodes of a graph.
func layers(g *nn.Graph) []LayerItem {
	nodes, _ := g.Nodes()
	var list []LayerItem
	for i, m := range g.Modules() {
		l := LayerItem{
			Name: m.Name, Op: m.Op, Label: label(nodes[i]), Inputs: m.Inputs, Shapes: [][]int{{m.Out.H, m.Out.W, m.Out.C}},
			Parameters: parameters(nodes[i]), MACs: nodes[i].MACs(),
		}
		if len(m.Members) > 1 {
			l.Members = m.Members
		}
		list = append(list, l)
	}
	return list
}

// label is the op of a node with its window, and what is fused with it: "conv 3×3 /2 +bn +relu".
func label(n *layer.Node) string {
	text := n.Label()
	if c := convbn.Of(n); c != nil {
		if c.BN != nil {
			text += " +bn"
		}
		if c.Add {
			text += " +add"
		}
	}
	if n.Act != 0 && n.Kind.Role != layer.Clamp {
		text += " +" + n.Act.String()
	}
	return text
}

// parameters counts the trained numbers of a node, in the int8 form its weights, multipliers and biases.
func parameters(n *layer.Node) int {
	sum := 0
	for _, s := range n.Slots() {
		if strings.HasSuffix(s.Name, ".weight") || strings.HasSuffix(s.Name, ".multiplier") || strings.HasSuffix(s.Name, ".bias") {
			sum += s.Len()
		}
	}
	return sum
}

// quantize notes the types of a graph that is not in the float form.
func quantize(list []LayerItem, g *nn.Graph) {
	why := map[string]string{}
	for _, i := range g.Islands() {
		why[i.Node] = i.Why
	}
	for i, m := range g.Modules() {
		list[i].Island = why[m.Name]
		if m.HasQuant {
			list[i].Activation = m.QConfig.Activation.Spec.DType.String()
		}
		if m.HasWeight {
			list[i].Weight = m.QConfig.Weight.Spec.DType.String()
		}
	}
}

// markBN notes of every convolution that is written with a BN what the stage's model has of it.
func markBN(list []LayerItem, built *nn.Graph, s *graph.Stage) {
	written, left, before := absorbable(built), absorbable(s.Model), absorbable(s.Before)
	for i := range list {
		l := &list[i]
		by := s.Absorbed[l.Name]
		switch {
		case !written[l.Name]:
		case by != nil && by.When != nil:
			stage, _, _ := strings.Cut(strings.TrimPrefix(by.Origin.Address, "stage."), ".")
			l.BN = "absorbed by " + by.Type + " at " + by.When.Text + " of " + stage
		case left[l.Name]:
			l.BN = "stays"
		case before[l.Name]:
			l.BN = "absorbed on the way to int8"
		case s.Mode == nn.FuseBN:
			l.BN = "absorbed at the start, by fuse_bn"
		default:
			l.BN = "absorbed in the checkpoint"
		}
	}
}

// absorbable names the nodes with a BN that their convolution can absorb.
func absorbable(g *nn.Graph) map[string]bool {
	names := map[string]bool{}
	if g != nil {
		for _, m := range g.Modules() {
			names[m.Name] = m.Absorbable()
		}
	}
	return names
}

// grouped makes one item of the layers whose names have their first parts in common, in the place of the first of them. Several of
// them are so many things.
func grouped(list []LayerItem, outs map[string]bool, depth int, thing string) []LayerItem {
	of, seen := map[string]string{}, outs // the group of a layer; whether another group or nothing reads it
	in := map[string][]LayerItem{}
	var names []string
	for _, l := range list {
		name := key(l.Name, depth)
		if of[l.Name] = name; in[name] == nil {
			names = append(names, name)
		}
		in[name] = append(in[name], l)
		for _, x := range l.Inputs {
			seen[x] = seen[x] || of[x] != name
		}
	}
	var groups []LayerItem
	for _, name := range names {
		g := LayerItem{Label: console.Count(len(in[name]), thing)}
		if len(in[name]) == 1 {
			g = in[name][0]
		}
		g.Name, g.Inputs = name, nil
		for _, l := range in[name] {
			g.take(l, len(in[name]) > 1, seen[l.Name], of)
		}
		groups = append(groups, g)
	}
	return groups
}

// take adds to a group what a layer of it reads; and, if it is one of several, the layer's numbers, and its shape if others see it.
func (l *LayerItem) take(o LayerItem, several, seen bool, of map[string]string) {
	for _, x := range o.Inputs {
		if name := of[x]; name != l.Name && !slices.Contains(l.Inputs, name) {
			l.Inputs = append(l.Inputs, name)
		}
	}
	if !several {
		return
	}
	l.Members, l.Parameters, l.MACs = append(l.Members, o.Name), l.Parameters+o.Parameters, l.MACs+o.MACs
	if seen {
		l.Shapes = append(l.Shapes, o.Shapes...)
	}
}

// key is the beginning of a name: so many of its parts.
func key(name string, depth int) string {
	parts := strings.SplitN(name, ".", depth+1)
	return strings.Join(parts[:min(depth, len(parts))], ".")
}
