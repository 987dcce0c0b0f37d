package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"qpipe/ops/convbn"
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
)

// bare is the trial alone, in float: its operands are inputs.
type bare struct {
	g   *nn.Graph
	e   *Net
	c   *cell
	y   []float32   // what it makes of the operands
	dx  [][]float32 // the gradients of the operands
	was *convbn.Node
}

// bare makes the float form of the node c, with the weights that it computes with, on its operands' values.
func (tr *trial) bare(t *testing.T, from *nn.Graph, n int) *bare {
	t.Helper()
	b := nn.NewBuilder(tr.in[0])
	x := []nn.Value{b.Input()}
	for i, s := range tr.in[1:] {
		x = append(x, b.AddInput(fmt.Sprintf("input%d", i+1), s))
	}
	build := tr.build
	if from.Form() != nn.Float && tr.mode == nn.FuseBN && tr.folded != nil {
		build = tr.folded
	}
	g, err := b.Graph(build(b, x))
	must(t, err)
	g.Init(1)
	if tr.frozen {
		must(t, g.FreezeBN([]string{"op.bn"}))
	}
	for _, p := range from.Params() {
		for _, q := range g.Params() {
			if p.Name == q.Name {
				copy(q.Data, p.Data)
			}
		}
	}
	f := &bare{g: g}
	to, is := nodesOf(g)[g.Place("op")], nodesOf(from)[from.Place("op")]
	if bn := convbn.BNOf(to); bn != nil {
		copy(bn.Mean, convbn.BNOf(is).Mean)
		copy(bn.Var, convbn.BNOf(is).Var)
	}
	if k := convbn.Of(is); k != nil {
		f.was = k.Clone().(*convbn.Node)
		if k.Weight.Quantized() {
			f.quantizeWeights(convbn.Of(to).W.Data)
			f.quantizeBias(from, is.In, convbn.Of(to).B.Data)
		}
	}
	f.e = compile(t, g, n, true)
	f.c = f.e.cells[g.Place("op")]
	return f
}

// weight is how weight i of the node was quantized: s′ (1 where nothing is folded), its scale, and whether it was clipped.
func (f *bare) weight(i int) (fold, scale float64, clipped bool) {
	k := f.was
	o := i / k.Geom.K()
	fold, scale = 1, float64(k.WScale[o])
	if k.BN != nil && k.Mode == convbn.ReverseFold {
		fold = float64(factor64(k.BN, o, nn.ReverseFold))
	}
	return fold, scale, math.Abs(float64(k.W.Data[i])*fold/scale) > 127.5
}

func (f *bare) quantizeWeights(w []float32) {
	for i := range w {
		fold, scale, _ := f.weight(i)
		w[i] = float32(min(max(math.RoundToEven(float64(f.was.W.Data[i])*fold/scale), -127), 127) * scale / fold)
	}
}

// quantizeBias puts the bias on the grid of the products, where nothing but integers meet.
func (f *bare) quantizeBias(from *nn.Graph, in []int, b []float32) {
	for _, j := range in {
		if _, on := from.Format(j); !on || f.was.BN != nil {
			return
		}
	}
	x, _ := from.Format(in[0])
	for o := range b {
		unit := float64(x.Scale * f.was.WScale[o])
		b[o] = float32(math.RoundToEven(float64(b[o])/unit) * unit)
	}
}

// run computes the output, and back the gradients for that of the output.
func (f *bare) run(x [][]float32, n int) {
	f.e.ForwardAll(x, n, Train)
	f.y, _, _, _ = f.e.Output("op")
}

func (f *bare) back(t *testing.T, dy []float32, n int) {
	t.Helper()
	d := fresh(f.c, n)
	back(t, f.c, n, dy, d)
	f.dx = nil
	for _, one := range d {
		f.dx = append(f.dx, one.Data)
	}
	f.straight()
}

// straight takes the gradients of weights back through their quantization: none passes where a weight is clipped. In
// reverse fold γ has another one, through W·s and the division by s.
func (f *bare) straight() {
	k := f.was
	if k == nil || !k.Weight.Quantized() {
		return
	}
	now := convbn.Of(nodesOf(f.g)[f.g.Place("op")])
	for i := range now.W.Grad {
		fold, _, clipped := f.weight(i)
		if o := i / k.Geom.K(); k.BN != nil && k.Mode == convbn.ReverseFold {
			ds := -float64(now.W.Data[i]) / fold // of a clipped weight FQ(W·s) does not move
			if !clipped {
				ds += float64(k.W.Data[i]) / fold
			}
			now.BN.Gamma.Grad[o] += float32(float64(now.W.Grad[i]) * ds / math.Sqrt(float64(k.BN.Var[o])+k.BN.Eps))
		}
		if clipped {
			now.W.Grad[i] = 0
		}
	}
}

// gate tells for each output of what quantization q the gradient passes: between the outermost codes. Where that is a
// matter of rounding dy becomes 0.
func gate(y, dy []float32, q kernel.Quant, on bool, n *layer.Node) (masked []float32, c clipped) {
	masked, c.quantized = slices.Clone(dy), on && n.HasQuant()
	lo, hi := float64(q.Min-q.Zero)-0.5, float64(q.Max-q.Zero)+0.5
	for i, v := range y {
		at := float64(v)
		if q.Scale > 0 {
			at /= float64(q.Scale)
		}
		near := n.Act != kernel.None && v > 0 && at < 0.05
		if n.Act == kernel.ReLU6 {
			near = near || v < 6 && float64(v) > 6-0.55*float64(q.Scale)
		}
		c.negative, c.positive = c.negative || v < 0, c.positive || v > 0
		if c.quantized {
			near = near || math.Abs(at-lo) < 0.15 || math.Abs(at-hi) < 0.15
			switch {
			case at < lo:
				masked[i], c.below = 0, c.below+1
			case at > hi:
				masked[i], c.above = 0, c.above+1
			}
		}
		if near {
			dy[i], masked[i] = 0, 0
		}
	}
	return masked, c
}

// alike fails unless the gradients are the same but for rounding.
func alike(t *testing.T, what string, got, want []float32) {
	t.Helper()
	scale := 0.0
	for _, v := range want {
		scale = max(scale, math.Abs(float64(v)))
	}
	for i, v := range got {
		if !(math.Abs(float64(v)-float64(want[i])) <= 1e-3*scale+1e-6) {
			t.Errorf("%s: element %d is %g, want %g", what, i, v, want[i])
			return
		}
	}
}

// TestEveryOpStraightThrough: in training, float and quantized in every way, the gradients of every op are those of its float form
// with the values and weights that it computes with, where the gradient of the output is zero for what was clipped. They
// are written or added as the engine asks, in whatever room the node finds, and for all or some of its operands.
func TestEveryOpStraightThrough(t *testing.T) {
	for _, tr := range trials() {
		t.Run(tr.name, func(t *testing.T) {
			if !tr.runs(t) {
				return
			}
			var all clipped
			for _, n := range tr.batches(t, 12) {
				tr.straight(t, n, nil)
				for _, s := range allSpecs() {
					c := tr.straight(t, n, &s)
					all.add(c)
				}
			}
			if all.quantized && (all.positive && all.above < 10 || all.negative && all.below < 10) {
				t.Errorf("too little is clipped: %d outputs below, %d above", all.below, all.above)
			}
		})
	}
}

// clipped is how many outputs of a trial were below and above what its own quantization has.
type clipped struct {
	below, above       int
	negative, positive bool // some are
	quantized          bool // it has a quantization of its own
}

func (c *clipped) add(d clipped) {
	c.below, c.above = c.below+d.below, c.above+d.above
	c.negative, c.positive, c.quantized = c.negative || d.negative, c.positive || d.positive, c.quantized || d.quantized
}

// straight tries one way to quantize, nil for none.
func (tr *trial) straight(t *testing.T, n int, s *specs) clipped {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	g := tr.ready(t, r)
	x, _ := feeds(r, g, n)
	form := "float"
	if s != nil {
		form = s.name
		tr.narrow(t, g, x, n, s)
	}
	e := compile(t, g, n, true)
	tr.before(g, e, x, n)
	place := g.Place("op")
	f := tr.bare(t, g, n)
	e.ForwardAll(x, n, Train)
	c := e.cells[place]
	if bn := convbn.BNOf(c.Node); tr.frozen && bn != nil && !slices.Equal(bn.Mean, convbn.BNOf(nodesOf(f.g)[f.c.place]).Mean) {
		t.Errorf("%s: training moves the statistics of a frozen BN", form)
	}
	var operands [][]float32
	for _, j := range c.In {
		v, _, _, _ := e.Output(e.cells[j].Name)
		operands = append(operands, v)
	}
	f.run(operands, n)
	q, on := format(g, place)
	from := e.root(c.In[0]).value.Format
	if tr.wider > 0 {
		q.Scale, from.Scale = q.Scale*tr.wider, from.Scale*tr.wider
	}
	if on && c.value.Format != q {
		t.Errorf("%s: the output has the format %+v, and the int8 form has %+v", form, c.value.Format, q)
	}
	if c.Passes() && c.value.Format != from {
		t.Errorf("%s: the output is passed on with the format %+v, and came with %+v", form, c.value.Format, from)
	}
	made, _, _, _ := e.Output("op")
	tr.compareOutput(t, form, made, f.y, c.value.Format, q, on)
	for _, j := range append(slices.Clone(c.In), place) {
		if root := e.root(j); root.bench.Remade {
			soil(root.value.Data, float32(math.NaN()))
		}
	}
	dy := randn(r, len(f.y), 1)
	masked, cut := gate(f.y, dy, q, on, c.Node)
	f.back(t, masked, n)
	tr.compareBack(t, form, c, g, f, dy, n)
	return cut
}

// before makes passes with other ranges, of which nothing may be left. Their last sets the scales of weights.
func (tr *trial) before(g *nn.Graph, e *Net, x [][]float32, n int) {
	state := g.Clone()
	for _, by := range []float32{1.5, 1} {
		for i, node := range nodesOf(g) {
			node.Quant.Min, node.Quant.Max = nodesOf(state)[i].Quant.Min*by, nodesOf(state)[i].Quant.Max*by
		}
		e.ForwardAll(x, n, Train)
		e.ForwardAll(x, n, Eval)
		copyState(g, state)
	}
}

// compareOutput: values are those of the float form, quantized, and on the grid of the output's format.
func (tr *trial) compareOutput(t *testing.T, form string, got, want []float32, f, q kernel.Quant, on bool) {
	t.Helper()
	largest := 1.0 // an op may compute with weights of 11 bits
	for _, v := range want {
		largest = max(largest, math.Abs(float64(v)))
	}
	for i, v := range want {
		limit, w := 1e-3*largest, float64(v)
		if on {
			s := float64(q.Scale)
			w, limit = min(max(w, float64(q.Min-q.Zero)*s), float64(q.Max-q.Zero)*s), limit+0.52*s
		}
		if !(math.Abs(float64(got[i])-w) <= limit) {
			t.Errorf("%s: output %d is %g, want %g", form, i, got[i], w)
			return
		}
		if code := float64(got[i]) / float64(f.Scale); f.Scale > 0 && math.Abs(code-math.RoundToEven(code)) > 1e-2 {
			t.Errorf("%s: output %d is %g, which is %g steps of its grid", form, i, got[i], code)
			return
		}
	}
}

// compareBack tries the backward pass with gradients that are written, added, not asked for, or all of one operand.
func (tr *trial) compareBack(t *testing.T, form string, c *cell, g *nn.Graph, f *bare, dy []float32, n int) {
	t.Helper()
	params := func(how string) {
		for _, p := range g.Params() {
			for _, q := range f.g.Params() {
				if p.Name == q.Name && strings.HasPrefix(p.Name, "op") {
					alike(t, form+": "+p.Name+how, p.Grad, q.Grad)
					soil(p.Grad, float32(math.NaN()))
				}
			}
		}
	}
	d := fresh(c, n)
	back(t, c, n, dy, d)
	for k, one := range d {
		alike(t, fmt.Sprintf("%s: gradient of operand %d", form, k), one.Data, f.dx[k])
	}
	params("")

	sums := make([][]float32, len(d))
	for k := range d {
		v := randn(rand.New(rand.NewPCG(1, 2)), len(f.dx[k]), 1)
		d[k], sums[k] = grid.Grad{Data: slices.Clone(v), Add: true}, v
		for i := range v {
			v[i] += f.dx[k][i]
		}
	}
	back(t, c, n, dy, d)
	for k, one := range d {
		alike(t, fmt.Sprintf("%s: gradient added to operand %d", form, k), one.Data, sums[k])
	}
	params(", with gradients added")

	for k := range d {
		d = fresh(c, n)
		d[k].Data = nil
		back(t, c, n, dy, d)
		for j, one := range d {
			if j != k {
				alike(t, fmt.Sprintf("%s: gradient of operand %d without that of %d", form, j, k), one.Data, f.dx[j])
			}
		}
		params(fmt.Sprintf(", without the gradient of operand %d", k))
	}
	if tr.twice {
		d = fresh(c, n)
		sum := make([]float32, len(d[0].Data))
		for k := range d {
			d[k].Data, d[k].Add = d[0].Data, k > 0
			for i, v := range f.dx[k] {
				sum[i] += v
			}
		}
		back(t, c, n, dy, d)
		alike(t, form+": gradient of an operand given twice", d[0].Data, sum)
	}
}
