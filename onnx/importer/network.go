// Package importer makes the network of an ONNX model: nodes of package nn with names, and their weights. It is trained, quantized and
// selected from like any other. Maps are NHWC in the network and NCHW in the model; a transpose is a node only where the model's own
// computation needs one.
package importer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"qpipe/lang/diag"
	"qpipe/onnx/eval"
	"qpipe/onnx/fold"
	"qpipe/onnx/model"
	"qpipe/onnx/naming"
	"qpipe/onnx/recognize"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/tensor"
)

// Net is what a model has become.
type Net struct {
	Graph   *nn.Graph
	Weights []nn.Tensor // in the layouts of files (see nn.Tensor)
	Grids   []Grid      // how an already quantized model quantizes its values
}

// Options change what is made.
type Options struct {
	// Outputs are the names of values that are the network's outputs, in place of the model's, or of the nodes that compute them, in the
	// model or in the network.
	Outputs []string
	// Classes replaces the last layer with weights by one with so many outputs, whose weights are not the model's. 0 keeps it.
	Classes int
}

// Build makes the network of a model for inputs of the shapes in (N = 0). If the model has something that the network cannot have,
// the error is an *Unsupported that names all of it.
func Build(m *model.Model, in []tensor.Shape, o Options) (*Net, error) {
	m, err := ending(m, o.Outputs)
	if err != nil {
		return nil, err
	}
	ports, err := ports(m.Graph, in)
	if err != nil {
		return nil, err
	}
	shapes := map[string][]int{}
	for _, p := range ports {
		shapes[p.name] = p.dims
	}
	folded, err := fold.Fold(m, shapes, eval.Options{Limits: eval.Limits{Elements: mostFolded, Work: mostFolding}})
	if err != nil {
		return nil, err
	}
	if n := len(folded.Model.Graph.Nodes); n > mostNodes {
		return nil, fmt.Errorf("the model has %s; %d are possible, and a network has up to %d", diag.Count(n, "node"), mostNodes, nn.MaxNodes)
	}
	c, err := newBuild(folded.Model, ports)
	if err != nil {
		return nil, err
	}
	c.options = o
	if c.last = c.lastWeighted(); o.Classes > 0 && c.last == nil {
		return nil, fmt.Errorf("the model has no layer with float weights that could give %s", diag.Count(o.Classes, "value"))
	}
	c.walk()
	return c.finish()
}

// ending is the model with other outputs, if any are asked for.
func ending(m *model.Model, outputs []string) (*model.Model, error) {
	if len(outputs) == 0 {
		return m, nil
	}
	names := naming.New(m.Graph, m.Graph.Nodes)
	known, list := map[string]string{}, slices.Clone(outputs)
	for _, n := range m.Graph.Nodes {
		if len(n.Outputs) > 0 {
			known[names.Of(n)] = n.Outputs[0]
		}
	}
	cut, unknown := m.Ending(list)
	for i, name := range list {
		if slices.Contains(unknown, name) && known[name] != "" {
			list[i] = known[name]
		}
	}
	if len(unknown) > 0 {
		cut, unknown = m.Ending(list)
	}
	if len(unknown) > 0 {
		return nil, &NoOutput{unknown[0], diag.Nearest(unknown[0], slices.Sorted(maps.Keys(known)))}
	}
	return cut, nil
}

// NoOutput is the error about an output that no node computes.
type NoOutput struct{ Name, Near string }

func (e *NoOutput) Error() string {
	text := fmt.Sprintf("the model has no node or value %q", e.Name)
	if e.Near != "" {
		text += fmt.Sprintf("; did you mean %q?", e.Near)
	}
	return text
}

// Limits of what is computed before a network is made: elements of constants, operations, and nodes that are left.
const (
	mostFolded  = 1 << 25
	mostFolding = 1 << 31
	mostNodes   = 4 * nn.MaxNodes
)

// Unsupported lists the nodes that a network cannot have, each with the reason.
type Unsupported struct{ Nodes []string }

func (e *Unsupported) Error() string {
	list, more := e.Nodes, ""
	if len(list) > mostListed {
		more = fmt.Sprintf("; and %d more nodes", len(list)-mostListed)
		list = list[:mostListed]
	}
	return strings.Join(list, "; ") + more + wayOut
}

// wayOut ends the error.
const wayOut = ". Write them with what docs/onnx.md lists, or cut the model there (outputs)"

// mostListed is how many nodes an error lists.
const mostListed = 30

// build is a network in the making.
type build struct {
	model   *model.Model
	options Options
	b       *nn.Builder
	names   *naming.Names
	nodes   []*model.Node // with recognized groups as one node each
	values  map[string]*value
	table   map[string]row // of the ops, by domain and name
	uses    map[string]int // how often each value is read, outputs included
	last    *model.Node    // the last node with weights
	weights []nn.Tensor
	grids   []Grid
	clamped map[nn.Value]kernel.Act // values behind such an activation that changes nothing any more
	bad     []string
	shapes  error // the first mistake of the builder
}

func newBuild(m *model.Model, in []port) (*build, error) {
	c := &build{model: m, values: map[string]*value{}, table: map[string]row{}, clamped: map[nn.Value]kernel.Act{}}
	for _, t := range m.Graph.Initializers {
		c.values[t.Name] = &value{constant: t}
	}
	for _, r := range rows() {
		c.table[r.domain+"."+r.op] = r
	}
	c.nodes = recognize.Groups(m.Graph)
	c.names = naming.New(m.Graph, c.nodes)
	c.uses = uses(c.nodes, m.Graph.Outputs)
	return c, c.inputs(in)
}

// uses counts the readers of each value.
func uses(nodes []*model.Node, outputs []*model.Value) map[string]int {
	n := map[string]int{}
	for _, node := range nodes {
		for _, name := range node.Inputs {
			n[name]++
		}
	}
	for _, v := range outputs {
		n[v.Name]++
	}
	return n
}

// port is an input of the model.
type port struct {
	name  string
	dims  []int // with the batch
	shape tensor.Shape
}

// ports are the inputs of a model for data of the shapes in.
func ports(g *model.Graph, in []tensor.Shape) ([]port, error) {
	weights := map[string]bool{}
	for _, t := range g.Initializers {
		weights[t.Name] = true
	}
	var list []port
	for _, v := range g.Inputs {
		if weights[v.Name] { // a weight that may be given, too
			continue
		}
		k := len(list)
		if k == len(in) {
			return nil, fmt.Errorf("the model has more inputs than the data, which has %d: %q is one", len(in), v.Name)
		}
		p, err := newPort(v, in[k])
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	if len(list) != len(in) {
		return nil, fmt.Errorf("the model has %s, and the data %d", diag.Count(len(list), "input"), len(in))
	}
	return list, nil
}

func newPort(v *model.Value, in tensor.Shape) (port, error) {
	if v.Type != 0 && !v.Type.Float() {
		return port{}, fmt.Errorf("the input %q has elements of the type %s; a network's inputs are float32: the quantization of an int8 model is a matter of its qconfig", v.Name, v.Type)
	}
	rank := 4
	if v.Known {
		rank = len(v.Shape)
	}
	if rank < 2 || rank > 4 {
		return port{}, fmt.Errorf("the input %q has %d dimensions; images have 4 (N, C, H and W), and vectors 2", v.Name, rank)
	}
	p := port{name: v.Name, dims: []int{1}, shape: in}
	if v.Known && v.Shape[0].Size > 0 {
		p.dims[0] = v.Shape[0].Size
	}
	for k, a := range standard(rank) {
		if v.Known && v.Shape[k+1].Size >= 0 && v.Shape[k+1].Size != extent(in, a) {
			return p, fmt.Errorf("the input %q is %s in the model, and the data has %d×%d×%d (height, width, channels)", v.Name, dims(v.Shape), in.H, in.W, in.C)
		}
		p.dims = append(p.dims, extent(in, a))
	}
	if rank == 2 && in.H*in.W != 1 || rank == 3 && in.H != 1 {
		return p, fmt.Errorf("the input %q is %s in the model, and the data has maps of %d×%d", v.Name, dims(v.Shape), in.H, in.W)
	}
	return p, nil
}

// inputs makes the network's inputs.
func (c *build) inputs(in []port) error {
	for i, p := range in {
		var made nn.Value
		if i == 0 {
			c.b = nn.NewBuilder(p.shape)
			made = c.b.Input()
		} else {
			made = c.b.AddInput(c.names.Unique(c.names.Plain(p.name)), p.shape)
		}
		c.values[p.name] = &value{made: made, axes: standard(len(p.dims))}
	}
	return c.b.Err()
}

// dims is a declared shape in words.
func dims(list []model.Dim) string {
	var words []string
	for _, d := range list {
		words = append(words, d.String())
	}
	return strings.Join(words, "×")
}

// walk makes the nodes, in order. A node that reads what could not be made is passed over.
func (c *build) walk() {
	for _, n := range c.nodes {
		r, known := c.table[n.Domain+"."+n.Op]
		switch {
		case !known:
			c.refuse(n, "there is no such op in a network")
		case c.known(n):
			c.node(n, r)
		}
	}
}

// known reports whether all that a node reads has been made.
func (c *build) known(n *model.Node) bool {
	return !slices.ContainsFunc(n.Inputs, func(name string) bool { return name != "" && c.values[name] == nil })
}

// stop carries a node's error out of its row.
type stop struct{ text string }

// node lets a row make a node.
func (c *build) node(n *model.Node, r row) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case stop:
			c.refuse(n, v.text)
		default:
			panic(v)
		}
	}()
	if c.shapes != nil {
		return
	}
	r.make(&call{build: c, Node: n, name: c.names.Of(n)})
	if err := c.b.Err(); err != nil && c.shapes == nil {
		c.shapes = fmt.Errorf("%s: %w", n, shapeError(err))
	}
}

// shapeError is a builder's error without the name that the node has there.
func shapeError(err error) error {
	var e *nn.ShapeError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

func (c *build) refuse(n *model.Node, why string) {
	c.bad = append(c.bad, fmt.Sprintf("%s: %s", n, why))
}

// finish makes the graph.
func (c *build) finish() (*Net, error) {
	if len(c.bad) > 0 {
		return nil, &Unsupported{c.bad}
	}
	if c.shapes != nil {
		return nil, c.shapes
	}
	var outs []nn.Value
	var labels []string
	for _, o := range c.model.Graph.Outputs {
		v := c.values[o.Name]
		switch {
		case v == nil:
			continue
		case v.constant != nil:
			return nil, fmt.Errorf("the output %q does not depend on any input", o.Name)
		case v.pieces != nil:
			return nil, fmt.Errorf("the output %q has %d dimensions; a network's have at most 4", o.Name, len(v.pieces.dims)+1)
		}
		labels = append(labels, c.names.Plain(o.Name))
		outs = append(outs, c.inOrder(v, c.names.Plain(o.Name)+".order").made)
	}
	if len(outs) == 0 {
		return nil, errors.New("no output is left of the model")
	}
	g, err := c.b.Graph(outs...)
	if err != nil {
		return nil, err
	}
	if len(labels) > 1 {
		g.LabelOutputs(labels)
	}
	return &Net{Graph: g, Weights: c.weights, Grids: c.grids}, nil
}

// apply adds a node to the network.
func (c *build) apply(name string, o layer.Op, xs ...nn.Value) nn.Value {
	y := c.b.Apply(name, o, xs...)
	if act, ok := o.(op.Act); ok {
		c.clamped[y] = act.Act
	} else if k := o.Kind(); k.Output == layer.Passes && len(xs) > 0 {
		c.clamped[y] = c.clamped[xs[0]]
	}
	return y
}
