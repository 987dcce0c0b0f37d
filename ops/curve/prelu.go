package curve

import (
	"fmt"
	"slices"

	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// PReLU is x where x > 0, else x times a trained slope (He and others, 2015): one slope, or one for each channel.
type PReLU struct{ PerChannel bool }

var preluKind = &layer.Kind{
	Name: "prelu", Least: 1, Most: 1, Aligned: true, Rereads: true, Shape: layer.Same,
	Restore: restorePReLU, Train: newPReLU, Integer: newPReLU8,
}

// Kind implements layer.Op.
func (PReLU) Kind() *layer.Kind { return preluKind }

// Node implements layer.Op.
func (a PReLU) Node(in []layer.Source) (*layer.Node, error) {
	n := layer.Like(preluKind, in[0])
	n.Body = a.body(n)
	return n, nil
}

func (a PReLU) body(n *layer.Node) *prelu {
	b := &prelu{PReLU: a, count: 1}
	if a.PerChannel {
		b.count = n.Shape.C
	}
	return b
}

// prelu is what a node has besides: its slopes, which the int8 form has as they are.
type prelu struct {
	PReLU
	count  int
	weight tensor.Param
	int8   bool
	fixed  []float32 // of the int8 form
}

type preluAttrs struct {
	PerChannel bool `json:"per_channel"`
}

// Clone implements layer.Body.
func (b *prelu) Clone() layer.Body {
	c := *b
	c.weight, c.fixed = b.weight.Clone(), slices.Clone(b.fixed)
	return &c
}

// Attrs implements layer.Body.
func (b *prelu) Attrs() []layer.Attr {
	return []layer.Attr{{Key: "prelu", Value: preluAttrs(b.PReLU)}}
}

func restorePReLU(n *layer.Node, f layer.Fields) (layer.Body, error) {
	var a preluAttrs
	if err := f.Read("prelu", &a); err != nil {
		return nil, err
	}
	return PReLU(a).body(n), nil
}

// Window implements layer.Body.
func (b *prelu) Window() string { return fmt.Sprintf("a slope for each channel: %t", b.PerChannel) }

// Slots implements layer.Params.
func (b *prelu) Slots(name string) []layer.Slot {
	s := layer.Slot{Name: name + ".weight", Shape: []int{b.count}, What: "weight"}
	if b.int8 {
		s.F32 = &b.fixed
	} else {
		s.Param = &b.weight
	}
	return []layer.Slot{s}
}

// Alloc implements layer.Params.
func (b *prelu) Alloc() {
	switch {
	case !b.int8:
		b.weight = tensor.NewParam(b.count)
		b.fill(1)
	case b.fixed == nil:
		b.fixed = make([]float32, b.count)
	}
}

func (b *prelu) fill(v float32) {
	for i := range b.weight.Data {
		b.weight.Data[i] = v
	}
}

// Init implements layer.Params: PyTorch's slopes.
func (b *prelu) Init(func() float64) { b.fill(0.25) }

// Update implements layer.Params.
func (b *prelu) Update() {}

// Release implements layer.Params.
func (b *prelu) Release() {}

// BecomeInt8 implements layer.Params.
func (b *prelu) BecomeInt8() { b.int8, b.weight, b.fixed = true, tensor.Param{}, nil }

// Convert implements layer.Params.
func (b *prelu) Convert(float32) error {
	slopes := b.weight.Data
	for _, v := range slopes {
		if v-v != 0 {
			return fmt.Errorf("its slope is %v", v)
		}
	}
	b.BecomeInt8()
	b.fixed = slopes
	return nil
}

// factors are what elements of each channel are multiplied by: above 0, and else.
type factors []float32

func newFactors(channels int) factors { return make(factors, 2*channels) }

func (f factors) set(slopes []float32) {
	for c := range len(f) / 2 {
		f[2*c], f[2*c+1] = 1, slopes[c%len(slopes)]
	}
}

// below is 0 above 0 and 1 elsewhere, without a branch, which data would make unpredictable.
func below(v float32) int {
	k := 0
	if !(v > 0) {
		k = 1
	}
	return k
}

// apply computes the function over rows of the channels; y may be x.
func (f factors) apply(x, y []float32) {
	for c := 0; c < len(x); c += len(f) / 2 {
		to := y[c:][:len(f)/2]
		for i, v := range x[c:][:len(to)] {
			to[i] = v * f[2*i+below(v)]
		}
	}
}

// preluRunner computes with values, in every form: out of codes it makes values first, and the output is quantized as
// values are.
type preluRunner struct {
	*layer.Bench
	node *layer.Node
	body *prelu
	out  grid.Output
	x    *layer.Operand
	by   factors
	dx   grid.Grad
	back func(i, worker int)
}

func newPReLU(n *layer.Node, b *layer.Bench) layer.Runner {
	r := &preluRunner{Bench: b, node: n, body: n.Body.(*prelu), x: b.In[0], by: newFactors(n.Shape.C)}
	r.out.Init(b.Machine)
	r.out.Fill, r.back = r.fill, r.backChunk
	return r
}

func (r *preluRunner) Forward(n int, st grid.Step) grid.Value {
	s := r.node.Shape
	r.by.set(r.body.weight.Data)
	r.Bind(&r.out, n*s.H, s.W*s.C)
	return r.Complete(&r.out, st, &r.node.Quant, grid.Valued)
}

// operand is elements of the operand as values.
func (r *preluRunner) operand(e0, e1, worker int) []float32 {
	if !r.x.OnGrid {
		return r.x.Data[e0:e1]
	}
	x := r.Block[worker].F32[:e1-e0]
	r.Set.Values(r.x.Codes[e0:e1], r.x.Format.Zero, r.x.Format.Scale, x)
	return x
}

func (r *preluRunner) fill(i, worker int, _ bool, _ []uint8) {
	e0, e1 := r.out.Elements(i)
	r.by.apply(r.operand(e0, e1, worker), r.out.Dst[e0:e1])
}

func (r *preluRunner) Backward(int) {
	r.dx = r.Gradient(0)
	r.Workers.Run(r.out.Cut.N, r.back)
	grad, c := r.body.weight.Grad, r.node.Shape.C
	if len(grad) == c {
		for k := range grad {
			sum, _ := r.Total(r.out.Cut.N, c, k)
			grad[k] = float32(sum)
		}
		return
	}
	all := 0.0
	for k := range c {
		sum, _ := r.Total(r.out.Cut.N, c, k)
		all += sum
	}
	grad[0] = float32(all)
}

// backChunk adds up what the slopes of the channels get, and gives the operand its gradient.
func (r *preluRunner) backChunk(i, worker int) {
	e0, e1 := r.out.Elements(i)
	g, x := r.Gate(&r.out, i), r.operand(e0, e1, worker)
	sum, _ := r.Partial(i, r.node.Shape.C)
	for at := 0; at < len(g); at += len(sum) {
		d := g[at:][:len(sum)]
		for c, v := range x[at:][:len(d)] {
			k := below(v)
			sum[c] += float64(float64(d[c]) * float64(v) * float64(k))
			d[c] *= r.by[2*c+k]
		}
	}
	r.Give(r.dx, g, e0, e1)
}

type prelu8 struct {
	*layer.Rows
	by factors
}

func newPReLU8(n *layer.Node, b *layer.Bench) layer.Integer {
	r := &prelu8{layer.NewRows(n, b), newFactors(n.Shape.C)}
	r.by.set(n.Body.(*prelu).fixed)
	return r
}

func (r *prelu8) Run(p layer.Piece) {
	x, block := r.In[0], r.Block[p.Worker].F32[:r.Width]
	for at := p.R0 * r.Width; at < p.R1*r.Width; at += r.Width {
		r.Set.Values(x.Codes[at:at+r.Width], x.Format.Zero, x.Format.Scale, block)
		if r.Coded {
			r.by.apply(block, block)
			r.Set.Quantize(block, r.Codes[at:at+r.Width], nil, r.Format, kernel.None)
		} else {
			r.by.apply(block, r.Out[at:at+r.Width])
		}
	}
}
