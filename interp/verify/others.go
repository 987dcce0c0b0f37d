package verify

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"qpipe/lang/diag"
	"qpipe/onnx/eval"
	"qpipe/onnx/exporter"
	"qpipe/onnx/model"
	"qpipe/onnx/runtime"
	"qpipe/onnx/value"
	"qpipe/ops/engine"
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
)

func plainCode(n *layer.Node, stored uint8) int32 { return grid.Plain(n.Quant.Spec, int32(stored)) }

// net is a network that qpipe computes.
type net struct {
	*engine.Net
	pool  *engine.Workers
	nodes []*layer.Node
}

func (v *verification) engine(g *nn.Graph, set *kernel.Set, threads int) (other, error) {
	pool := engine.NewWorkers(threads)
	e, err := v.net(g, set, pool)
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &net{e, pool, v.nodes}, nil
}

func (e *net) run(b *batch) ([][]float32, error) { return e.ForwardAll(b.x, b.n, engine.Eval), nil }
func (e *net) codes(_ *batch, i int) []uint8     { return stored(e.Net, e.nodes[i].Name) }
func (e *net) close()                            { e.pool.Close() }

// file is an ONNX model that something computes.
type file struct {
	*verification
	model  *model.Model
	all    func(in map[string]*value.Value) (map[string]*value.Value, error)
	stop   func()
	values map[string]*value.Value
}

// evaluator is a file that qpipe's evaluator of ONNX computes.
func (v *verification) evaluator(m *model.Model) (other, error) {
	p, err := eval.New(m)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, name := range v.names(m) {
		names[name] = true
	}
	all := func(in map[string]*value.Value) (map[string]*value.Value, error) {
		seen := map[string]*value.Value{}
		out, err := p.Run(in, eval.Options{Context: v.Context, Observe: func(name string, x *value.Value) {
			if names[name] {
				seen[name] = x
			}
		}})
		for name, x := range out {
			seen[name] = x
		}
		return seen, err
	}
	return &file{verification: v, model: m, all: all, stop: func() {}}, nil
}

// runtime is a file that ONNX Runtime computes.
func (v *verification) runtime(m *model.Model, c *Comparison) (other, error) {
	s, err := runtime.Open(v.Context, v.observed(m), runtime.Options{Python: v.Python, Optimize: c.Optimized})
	if err != nil {
		return nil, err
	}
	c.Version = s.Version
	return &file{verification: v, model: m, all: s.Run, stop: func() { _ = s.Close() }}, nil
}

// absent reports whether there is no ONNX Runtime.
func absent(err error) bool {
	var a *runtime.Absent
	return errors.As(err, &a)
}

// names are the names that the model's nodes have for their integers in a file, those that are there.
func (v *verification) names(m *model.Model) (list []string) {
	made := map[string]bool{}
	for _, n := range m.Graph.Nodes {
		for _, out := range n.Outputs {
			made[out] = true
		}
	}
	for i, n := range v.nodes {
		if name := exporter.CodesName(n.Name); v.integers(i) && made[name] {
			list = append(list, name)
		}
	}
	return list
}

// observed is the model with the nodes' integers as outputs.
func (v *verification) observed(m *model.Model) *model.Model {
	all, g := *m, *m.Graph
	g.Outputs = slices.Clone(g.Outputs)
	for _, name := range v.names(m) {
		if !slices.ContainsFunc(g.Outputs, func(o *model.Value) bool { return o.Name == name }) {
			at := slices.IndexFunc(g.Values, func(o *model.Value) bool { return o.Name == name })
			if at < 0 {
				continue
			}
			g.Outputs = append(g.Outputs, g.Values[at])
		}
	}
	all.Graph = &g
	return &all
}

func (f *file) run(b *batch) ([][]float32, error) {
	ports := f.Int8.Inputs()
	var free []*model.Value
	for _, p := range f.model.Graph.Inputs {
		if !slices.ContainsFunc(f.model.Graph.Initializers, func(t *model.Tensor) bool { return t.Name == p.Name }) {
			free = append(free, p)
		}
	}
	if len(free) != len(ports) || len(f.model.Graph.Outputs) < len(f.Int8.Outputs()) {
		return nil, fmt.Errorf("it has %s and %s, and the model %s and %s", diag.Count(len(free), "input"), diag.Count(len(f.model.Graph.Outputs), "output"),
			diag.Count(len(ports), "input"), diag.Count(len(f.Int8.Outputs()), "output"))
	}
	size := b.n
	if d := free[0].Shape; len(d) > 0 && d[0].Size > 0 {
		size = d[0].Size // the file's batch is fixed
	}
	x := make([][]float64, len(ports))
	for k, p := range ports {
		x[k] = turned(b.x[k], b.n, p.Shape.H*p.Shape.W, p.Shape.C, func(v float32) float64 { return float64(v) })
	}
	f.values = map[string]*value.Value{}
	for from := 0; from < b.n; from += size {
		in := map[string]*value.Value{}
		for k, p := range ports {
			s := p.Shape
			each := s.H * s.W * s.C
			part := make([]float64, size*each) // behind the last image are zeros
			copy(part, x[k][from*each:min(from+size, b.n)*each])
			in[free[k].Name] = value.Floats([]int{size, s.C, s.H, s.W}, part...)
		}
		out, err := f.all(in)
		if err != nil {
			return nil, err
		}
		for name, v := range out {
			f.values[name] = joined(f.values[name], v, size, min(size, b.n-from))
		}
	}
	var outputs [][]float32
	for k, p := range f.Int8.Outputs() {
		y := f.values[f.model.Graph.Outputs[k].Name]
		s := p.Shape
		if y == nil || len(y.F) != b.n*s.H*s.W*s.C {
			return nil, fmt.Errorf("its output %q is not that of the model", f.model.Graph.Outputs[k].Name)
		}
		outputs = append(outputs, turned(y.F, b.n, s.C, s.H*s.W, func(v float64) float32 { return float32(v) }))
	}
	return outputs, nil
}

// joined puts the first n of size images of a value behind another one.
func joined(all, v *value.Value, size, n int) *value.Value {
	if all == nil {
		all = &value.Value{Type: v.Type, Dims: v.Dims}
	}
	all.F = append(all.F, v.F[:len(v.F)/size*n]...)
	all.I = append(all.I, v.I[:len(v.I)/size*n]...)
	return all
}

func (f *file) codes(b *batch, i int) []uint8 {
	y := f.values[exporter.CodesName(f.nodes[i].Name)]
	s := f.nodes[i].Shape
	if y == nil || len(y.I) != b.n*s.H*s.W*s.C {
		return nil
	}
	shift := int64(0)
	if y.Type == model.Int8 {
		shift = 128
	}
	return turned(y.I, b.n, s.C, s.H*s.W, func(v int64) uint8 { return uint8(v + shift) })
}

func (f *file) close() { f.stop() }

// turned exchanges the last two of three dimensions.
func turned[S, T any](x []S, n, rows, columns int, f func(S) T) []T {
	y := make([]T, len(x))
	for i := range n {
		from, to := x[i*rows*columns:][:rows*columns], y[i*rows*columns:][:rows*columns]
		for r := range rows {
			for c := range columns {
				to[c*rows+r] = f(from[r*columns+c])
			}
		}
	}
	return y
}

// constants compares the scales and zero points in a file with the model's, bit by bit, and weights code by code.
func (v *verification) constants(c *Comparison, m *model.Model) {
	consts := map[string]*model.Tensor{}
	for _, t := range m.Graph.Initializers {
		consts[t.Name] = t
	}
	for i, n := range v.nodes {
		q, coded := v.Int8.Format(i)
		scale, zero := consts[n.Name+"_scale"], consts[n.Name+"_zero_point"]
		if !coded || scale == nil || zero == nil || scale.Type != model.Float || scale.Len() != 1 || zero.Len() != 1 || zero.Type.Float() {
			continue
		}
		want := int64(q.Zero)
		if zero.Type == model.Int8 {
			want -= 128
		}
		c.Scales++
		if math.Float32bits(float32(scale.Floats()[0])) != math.Float32bits(q.Scale) || zero.Ints()[0] != want {
			c.Error = fmt.Sprintf("%s has the scale %g and the zero point %d in the file, and %g and %d in the model", n.Name, scale.Floats()[0], zero.Ints()[0], q.Scale, want)
			return
		}
	}
	for _, t := range v.Int8.Tensors() {
		codes, is := t.Data.([]int8)
		in := consts[t.Name+"_quantized"]
		if !is || in == nil || in.Type != model.Int8 {
			continue
		}
		c.Weights++
		if !slices.EqualFunc(in.Data, codes, func(b byte, c int8) bool { return int8(b) == c }) {
			c.Error = fmt.Sprintf("%s has other integers in the file", t.Name)
			return
		}
	}
}
