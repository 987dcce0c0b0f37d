package exporter

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"qpipe/onnx/model"
)

// array is a value of the model that is written: its name, its type, and its shape without the batch. That is channels, rows,
// columns, or the one dimension of what has been flattened.
type array struct {
	name string
	elem model.Type
	dims []int
}

func (t array) flat() bool { return len(t.dims) == 1 }

// graph is an ONNX graph that grows node by node.
type graph struct {
	*model.Graph
	opset  int
	batch  model.Dim
	taken  map[string]bool
	consts map[string]*model.Tensor
	made   map[string]*model.Node // by the value that it computes
	prefix string                 // of the names of values that have no name of their own
	extra  bool                   // it has an op of ONNX Runtime's own
}

func newGraph(o Options) *graph {
	g := &graph{
		Graph: &model.Graph{Name: "qpipe"}, opset: o.Opset, batch: model.Dim{Size: -1, Name: "N"},
		taken: map[string]bool{}, consts: map[string]*model.Tensor{}, made: map[string]*model.Node{},
	}
	if o.Batch > 0 {
		g.batch = model.Dim{Size: o.Batch}
	}
	return g
}

// unused returns the name, with a number if it is taken.
func (g *graph) unused(name string) string {
	free := name
	for i := 2; g.taken[free]; i++ {
		free = fmt.Sprintf("%s_%d", name, i)
	}
	g.taken[free] = true
	return free
}

// shape is an array's with the batch.
func (g *graph) shape(dims []int) []model.Dim {
	list := []model.Dim{g.batch}
	for _, d := range dims {
		list = append(list, model.Dim{Size: d})
	}
	return list
}

func (g *graph) declared(t array) *model.Value {
	return &model.Value{Name: t.name, Type: t.elem, Known: true, Shape: g.shape(t.dims)}
}

// attr is an attribute of a node.
func attr(name string, v any) model.Attribute {
	switch x := v.(type) {
	case int:
		v = int64(x)
	case float64:
		v = float32(x)
	case bool:
		v = int64(0)
		if x {
			v = int64(1)
		}
	case []int:
		v = longs(x)
	}
	return model.Attribute{Name: name, Value: v}
}

func longs(x []int) []int64 {
	list := make([]int64, len(x))
	for i, n := range x {
		list[i] = int64(n)
	}
	return list
}

// micro is in front of the names of ONNX Runtime's own ops.
const micro = "com.microsoft."

// op adds a node, and returns its output, which gets its final name later.
func (g *graph) op(op string, elem model.Type, dims []int, in []string, attrs ...model.Attribute) array {
	n := &model.Node{Op: op, Inputs: in, Attributes: attrs}
	if own, yes := strings.CutPrefix(op, micro); yes {
		n.Op, n.Domain, g.extra = own, strings.TrimSuffix(micro, "."), true
	}
	name := g.unused(g.prefix + "/" + n.Op)
	n.Name, n.Outputs = name, []string{name}
	g.Nodes, g.made[name] = append(g.Nodes, n), n
	t := array{name, elem, dims}
	g.Values = append(g.Values, g.declared(t))
	return t
}

// like is op with an output that has the type and the shape of x.
func (g *graph) like(op string, x array, more []string, attrs ...model.Attribute) array {
	return g.op(op, x.elem, x.dims, append([]string{x.name}, more...), attrs...)
}

// call gives the value that has just been computed its final name. What is an input or has a final name already keeps that.
func (g *graph) call(t array, name string) array {
	n := g.made[t.name]
	if n == nil {
		return t
	}
	delete(g.made, t.name)
	was := t.name
	t.name = g.unused(name)
	n.Outputs[0] = t.name
	for _, other := range g.Nodes {
		for i, in := range other.Inputs {
			if in == was {
				other.Inputs[i] = t.name
			}
		}
	}
	for _, v := range slices.Backward(g.Values) {
		if v.Name == was {
			v.Name = t.name
			break
		}
	}
	return t
}

// constant adds an initializer, unless there is one with that name and content.
func (g *graph) constant(t *model.Tensor) string {
	base := t.Name
	if c := g.consts[base]; c != nil && c.Type == t.Type && slices.Equal(c.Dims, t.Dims) && bytes.Equal(c.Data, t.Data) {
		return c.Name
	}
	t.Name = g.unused(base)
	g.consts[base] = t
	g.Initializers = append(g.Initializers, t)
	return t.Name
}

func (g *graph) floats(name string, dims []int, x ...float32) string {
	return g.constant(model.OfFloats(name, model.Float, dims, wide(x)))
}

func (g *graph) ints(name string, t model.Type, dims []int, x []int64) string {
	return g.constant(model.OfInts(name, t, dims, x))
}

// list is a list of numbers that an op reads, such as a shape.
func (g *graph) list(x ...int) string {
	name := "list"
	for _, n := range x {
		name += fmt.Sprintf("_%d", n)
	}
	return g.ints(name, model.Int64, []int{len(x)}, longs(x))
}

func wide(x []float32) []float64 {
	list := make([]float64, len(x))
	for i, v := range x {
		list[i] = float64(v)
	}
	return list
}

func long[T int8 | int32](x []T) []int64 {
	list := make([]int64, len(x))
	for i, v := range x {
		list[i] = int64(v)
	}
	return list
}

// reshape returns the elements, which keep their order, in another shape.
func (g *graph) reshape(x array, dims ...int) array {
	if slices.Equal(x.dims, dims) {
		return x
	}
	return g.op("Reshape", x.elem, dims, []string{x.name, g.list(append([]int{0}, dims...)...)})
}

// transpose puts the dimensions into another order; order does not have the batch.
func (g *graph) transpose(x array, order ...int) array {
	perm, dims := []int{0}, []int{}
	for _, k := range order {
		perm, dims = append(perm, k+1), append(dims, x.dims[k])
	}
	return g.op("Transpose", x.elem, dims, []string{x.name}, attr("perm", perm))
}

// mapped is the value with channels, rows and columns.
func (g *graph) mapped(x array) array {
	if x.flat() {
		return g.reshape(x, x.dims[0], 1, 1)
	}
	return x
}

// cast converts the elements.
func (g *graph) cast(x array, to model.Type) array {
	if x.elem == to {
		return x
	}
	return g.op("Cast", to, x.dims, []string{x.name}, attr("to", int(to)))
}

// reduced is an op that makes one element of all along axes of the shape without the batch, which stay with a size of 1.
func (g *graph) reduced(op string, x array, axes ...int) array {
	dims, list := slices.Clone(x.dims), []int{}
	for _, k := range axes {
		dims[k] = 1
		list = append(list, k+1)
	}
	in, attrs := []string{x.name}, []model.Attribute{attr("keepdims", 1)}
	if op == "ReduceSum" || g.opset >= 18 {
		in = append(in, g.list(list...))
	} else {
		attrs = append(attrs, attr("axes", list))
	}
	return g.op(op, x.elem, dims, in, attrs...)
}

// both is an op of two operands of one type; the second may be a constant with fewer dimensions. The shape is that of both together.
func (g *graph) both(op string, x, y array) array {
	long, short := x.dims, y.dims
	if len(short) > len(long) {
		long, short = short, long
	}
	dims := slices.Clone(long)
	for k, d := range short {
		at := len(long) - len(short) + k
		dims[at] = max(dims[at], d)
	}
	return g.op(op, x.elem, dims, []string{x.name, y.name})
}
