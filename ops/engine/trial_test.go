package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"testing"

	"qpipe/internal/netdraw"
	"qpipe/internal/optest"
	"qpipe/ops/convbn"
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// trial is an op, or a chain that becomes one node, and what it is tried on.
type trial struct {
	name   string
	in     []tensor.Shape
	twice  bool // its operands are all the first
	last   bool // it is an output of the network itself, without a linear layer behind it
	plain  bool // so are its operands, which nothing else reads
	frozen bool // its BN
	mode   nn.Mode
	wider  float32 // in training its output's grid is its operand's times this; 0 for the same
	build  func(b *nn.Builder, x []nn.Value) nn.Value
	folded func(b *nn.Builder, x []nn.Value) nn.Value // what is built where the BN was folded before; nil for the same
}

// trials are the cases of optest, those whose operands may be the same once more with one operand, and chains with a
// convolution in all modes.
func trials() []trial {
	var list []trial
	for _, c := range optest.Cases() {
		one := trial{name: fmt.Sprintf("%T%v %v", c.Op, c.Op, c.In), in: c.In, mode: nn.WithBN}
		one.build = func(b *nn.Builder, x []nn.Value) nn.Value {
			if len(c.In) == 0 {
				return x[0]
			}
			return b.Apply("op", c.Op, x...)
		}
		if d, ok := c.Op.(op.Dropout); ok {
			one.wider = float32(1 / (1 - d.P))
		}
		if len(c.In) == 0 {
			one.in = []tensor.Shape{{H: 4, W: 4, C: 2}}
		}
		list = append(list, one)
		if len(c.In) > 1 && !slices.ContainsFunc(c.In, func(s tensor.Shape) bool { return s != c.In[0] }) {
			one.name, one.twice = one.name+" twice", true
			list = append(list, one)
		}
	}
	return append(list, chains()...)
}

func chains() []trial {
	s, out := tensor.Shape{H: 6, W: 5, C: 4}, tensor.Shape{H: 3, W: 5, C: 6}
	chain := func(bn, add bool, act kernel.Act) func(b *nn.Builder, x []nn.Value) nn.Value {
		return func(b *nn.Builder, x []nn.Value) nn.Value {
			y := b.Conv("op", x[0], convbn.Conv{OutC: 6, Kernel: [2]int{3, 3}, Stride: [2]int{2, 1}, Padding: [2]int{1, 1}, Groups: 2, Bias: true})
			if bn {
				y = b.BatchNorm("op.bn", y, 0, 0)
			}
			if add {
				y = b.Add("op.add", y, x[1])
			}
			if act != kernel.None {
				y = b.Act("op.act", y, act)
			}
			return y
		}
	}
	var list []trial
	for _, mode := range []nn.Mode{nn.FuseBN, nn.WithBN, nn.ReverseFold} {
		for _, frozen := range []bool{false, true} {
			if mode == nn.FuseBN && frozen {
				continue
			}
			list = append(list,
				trial{
					name: fmt.Sprintf("conv+bn+add+relu6 %s %t", mode, frozen), in: []tensor.Shape{s, out}, frozen: frozen, mode: mode,
					build: chain(true, true, kernel.ReLU6), folded: chain(false, true, kernel.ReLU6),
				},
				trial{
					name: fmt.Sprintf("conv+bn+relu %s %t", mode, frozen), in: []tensor.Shape{s}, frozen: frozen, mode: mode,
					build: chain(true, false, kernel.ReLU), folded: chain(false, false, kernel.ReLU),
				},
				trial{
					name: fmt.Sprintf("conv+bn %s %t", mode, frozen), in: []tensor.Shape{s}, frozen: frozen, mode: mode,
					build: chain(true, false, kernel.None), folded: chain(false, false, kernel.None),
				})
		}
	}
	return list
}

// around is a network with the trial in the middle: each operand comes from a convolution of an input of its own and is
// read by a layer before and by one behind it, too, so that gradients meet; what it makes goes through a linear layer.
func (tr *trial) around(t *testing.T) *nn.Graph {
	t.Helper()
	b := nn.NewBuilder(tr.in[0])
	var operands, outs []nn.Value
	for i, s := range tr.in {
		if i > 0 && tr.twice {
			operands = append(operands, operands[0])
			continue
		}
		x := b.Input()
		if i > 0 {
			x = b.AddInput(fmt.Sprintf("input%d", i), s)
		}
		x = b.BatchNorm(fmt.Sprintf("bn%d", i), b.Conv(fmt.Sprintf("stem%d", i), x, convbn.Conv{OutC: s.C, Kernel: [2]int{1, 1}, Bias: true}), 0, 0)
		operands = append(operands, x)
		if tr.plain {
			outs = append(outs, x)
		} else {
			outs = append(outs, b.Linear(fmt.Sprintf("before%d", i), x, 2, true))
		}
	}
	y := tr.build(b, operands)
	if tr.last {
		outs = append(outs, y)
	} else {
		outs = append(outs, b.Linear("fc", y, 3, true))
	}
	for i, x := range operands {
		if !tr.plain && (i == 0 || !tr.twice) {
			outs = append(outs, b.Linear(fmt.Sprintf("behind%d", i), x, 2, true))
		}
	}
	g, err := b.Graph(outs...)
	must(t, err)
	return g
}

// runs reports whether there is a node "op" that computes something: no input, no view.
func (tr *trial) runs(t *testing.T) bool {
	t.Helper()
	g := tr.around(t)
	i := g.Place("op")
	return i >= 0 && !nodesOf(g)[i].Kind.View
}

// kind is the row of the node "op".
func (tr *trial) kind(t *testing.T) *layer.Kind {
	t.Helper()
	g := tr.around(t)
	return nodesOf(g)[g.Place("op")].Kind
}

// floats is the node that is not quantized: the last.
func (tr *trial) floats() string {
	if tr.last {
		return "op"
	}
	return "fc"
}

// batches are the sizes that a trial is run with: n, and one of which the gradient of weights is cut over images.
func (tr *trial) batches(t *testing.T, n int) []int {
	t.Helper()
	if tr.runs(t) {
		if g := tr.around(t); convbn.Of(nodesOf(g)[g.Place("op")]) != nil {
			return []int{n, 44}
		}
	}
	return []int{n}
}

// ready is around with ordinary parameters.
func (tr *trial) ready(t *testing.T, r *rand.Rand) *nn.Graph {
	t.Helper()
	g := tr.around(t)
	g.Init(5)
	netdraw.Jitter(g, r)
	if tr.frozen {
		must(t, g.FreezeBN([]string{"op.bn"}))
	}
	return g
}

// specs is how a trial is quantized: its operands (the last says it of all further ones) and its output.
type specs struct {
	name   string
	in     []quant.Spec
	out    quant.Spec
	weight nn.Quant
	wide   bool // values are so large that ReLU6 has something to do
}

func allSpecs() []specs {
	float, half := quant.Spec{}, quant.Spec{DType: quant.UInt8, Scheme: quant.Affine, Rounding: quant.HalfUp}
	int8, int16 := quant.Spec{DType: quant.Int8}, quant.Spec{DType: quant.Int16}
	return []specs{
		{"int8", []quant.Spec{int8}, int8, weight8(), false},
		{"uint8", []quant.Spec{half}, half, weight8(), false},
		{"int8, wide", []quant.Spec{int8}, int8, weight8(), true},
		{"int16", []quant.Spec{int16}, int16, weight8(), false},
		{"float to int8", []quant.Spec{float}, int8, weight8(), false},
		{"int8 to float", []quant.Spec{int8}, float, weight8(), false},
		{"int8, float weights", []quant.Spec{int8}, int8, nn.Quant{}, false},
		{"uint8 and float", []quant.Spec{half, float}, half, weight8(), false},
		{"float and uint8", []quant.Spec{float, half}, half, weight8(), false},
	}
}

// config is the specs as a configuration of the network around a trial. Ranges stay as calibration finds them.
func (s *specs) config(m nn.Module) nn.QConfig {
	spec, i := s.in[0], 0
	if m.Name == "op" {
		spec = s.out
	} else if _, err := fmt.Sscanf(m.Name, "stem%d", &i); err == nil {
		spec = s.in[min(i, len(s.in)-1)]
	}
	if !spec.Quantized() {
		return nn.QConfig{Weight: s.weight}
	}
	return nn.QConfig{Activation: nn.Quant{Spec: spec, Observer: minMax{0}}, Weight: s.weight}
}

// narrow calibrates the graph and takes it to QAT, with ranges that clip a good part of what comes, on both sides.
func (tr *trial) narrow(t *testing.T, g *nn.Graph, x [][]float32, n int, s *specs) {
	t.Helper()
	if s.wide {
		for _, node := range nodesOf(g) {
			if bn := convbn.BNOf(node); bn != nil && node.Name != "op" {
				for c := range bn.Gamma.Data {
					bn.Gamma.Data[c] *= 7
				}
			}
		}
	}
	g.SetQConfig(s.config)
	must(t, g.Prepare(nn.Calibration, tr.mode))
	compile(t, g, n, false).ForwardAll(x, n, Calibrate)
	must(t, g.Prepare(nn.QAT, tr.mode))
	e := compile(t, g, n, true)
	e.ForwardAll(x, n, Train) // with the statistics of the batch, which calibration does not have
	for _, node := range nodesOf(g) {
		if y, _, _, _ := e.Output(node.Name); node.Quant.Ready() && node.Name != "op" {
			node.Quant.Min, node.Quant.Max = 0.6*slices.Min(y), 0.6*slices.Max(y)
		}
	}
	op := nodesOf(g)[g.Place("op")]
	if k := convbn.Of(op); k != nil && k.Weight.Quantized() { // weights are clipped, too
		k.Frozen = true
		for o := range k.WScale {
			k.WScale[o] *= 0.6
		}
	}
	if q := &op.Quant; q.Ready() {
		e.ForwardAll(x, n, Train)
		y, _, _, _ := e.Output("op")
		slices.Sort(y)
		q.Min, q.Max = 0.9*y[len(y)/7], 0.9*y[len(y)-1-len(y)/7]
		if q.Spec.Scheme == quant.Symmetric && q.Min < 0 && q.Max > 0 {
			q.Max = min(-q.Min, q.Max)
			q.Min = -q.Max
		}
	}
}

// format is how node i of a graph is quantized, as far as it is.
func format(g *nn.Graph, i int) (kernel.Quant, bool) {
	if q, on := g.Format(i); on {
		return q, true
	}
	q, on, _ := grid.Format(&nodesOf(g)[i].Quant)
	return q, on
}

// poison fills what a node may use while it runs, and must not believe to be as it left it.
func poison(m *grid.Machine) {
	poisonScratch(slices.Concat(m.Scratch, m.Block)...)
	for _, s := range [][]float32{m.Values, m.Plain, m.Parts, m.Ends} {
		soil(s, float32(math.NaN()))
	}
	soil(m.Sums, math.NaN())
	soil(m.Acc, -123456789)
}

func poisonScratch(list ...*kernel.Scratch) {
	for _, s := range list {
		soil(s.F32, float32(math.NaN()))
		soil(s.F64, math.NaN())
		soil(s.I32, -123456789)
		soil(s.U8, 0xa5)
	}
}

// TestMain runs the tests with garbage collections only where there are 256 MiB to collect: they make thousands of small nets with
// rooms of megabytes.
func TestMain(m *testing.M) {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(256 << 20)
	os.Exit(m.Run())
}

// soil fills s with v, as fast as memory is copied: rooms are large.
func soil[T any](s []T, v T) {
	if len(s) == 0 {
		return
	}
	s[0] = v
	for done := 1; done < len(s); done *= 2 {
		copy(s[done:], s[:done])
	}
}

// back runs the backward pass of one node alone: dy is the gradient of its output, d says where those of its operands go.
func back(t *testing.T, c *cell, n int, dy []float32, d []grid.Grad) {
	t.Helper()
	poison(c.bench.Machine)
	soil(c.bench.Back, float32(math.NaN()))
	copy(c.bench.Grad, dy)
	asked, engines := make([]int, len(d)), c.bench.Gradient
	c.bench.Gradient = func(k int) grid.Grad { asked[k]++; return d[k] }
	c.run.Backward(n)
	c.bench.Gradient = engines
	for k, times := range asked {
		if times != 1 {
			t.Errorf("the backward pass asks %d times where the gradient of operand %d goes", times, k)
		}
	}
}

// fresh are places for gradients of the operands, with nothing in them yet.
func fresh(c *cell, n int) []grid.Grad {
	var d []grid.Grad
	for _, x := range c.bench.In {
		d = append(d, grid.Grad{Data: layer.Constant(x.Shape.WithN(n).Len(), float32(math.NaN()))})
	}
	return d
}
