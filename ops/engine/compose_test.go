package engine

import (
	"fmt"
	"math"
	"slices"

	"qpipe/ops/convbn"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// compose64 is the third opinion: a QAT graph's eval forward composed in float64
// from the formulas of numerics.md, with none of the code under test but the parameters. Every node reads what
// the net under test gave as its operands' codes, so that one code that rounds the
// other way is counted once and not carried on.
type compose64 struct {
	g         *nn.Graph
	e         *Net // nil in chain
	n         int
	values    [][]float64 // of chain, by node: what its codes stand for
	scales    []float32   // likewise
	floatBias bool        // biases are not put on a grid
	ties      int         // codes that differ where the exact quotient is next to a tie
	total     int
	errors    []string
}

// run compares every node's codes (or float output).
func (c *compose64) run() {
	for i, n := range nodesOf(c.g) {
		if i == 0 || !n.HasQuant() && !n.Keeps {
			continue
		}
		c.compare(n, c.node(n))
	}
}

// chain composes the forward pass of the first training step, in which every range is
// that of the batch, from the images to the network's output.
func (c *compose64) chain(x []float32) []float64 {
	c.values, c.scales = make([][]float64, len(nodesOf(c.g))), make([]float32, len(nodesOf(c.g)))
	for i, n := range nodesOf(c.g) {
		var y []float64
		switch {
		case i == 0:
			for _, v := range x {
				y = append(y, float64(v))
			}
		case !n.HasQuant():
			c.values[i], c.scales[i] = c.values[n.In[0]], c.scales[n.In[0]]
			continue
		default:
			y = c.node(n)
		}
		c.values[i] = y
		if !n.Quant.Spec.Quantized() {
			continue
		}
		q, lo, hi := n.Quant, slices.Min(y), slices.Max(y)
		q.Observe(nil, float32(lo), float32(hi))
		scale, _ := q.Scale()
		c.scales[i] = scale
		qmin, qmax := q.Spec.Limits()
		for k, v := range y {
			y[k] = min(max(math.RoundToEven(v/float64(scale)), float64(qmin)), float64(qmax)) * float64(scale)
		}
	}
	return c.values[outOf(c.g)]
}

// operand is a node's output in float64, from its codes.
func (c *compose64) operand(i int) []float64 {
	if c.values != nil {
		return slices.Clone(c.values[i])
	}
	values, scale, zero, _ := c.e.Output(nodesOf(c.g)[i].Name)
	codes, ok := c.e.Codes(nodesOf(c.g)[i].Name)
	x := make([]float64, len(values))
	for k := range x {
		x[k] = float64(values[k])
		if ok {
			x[k] = float64(int32(codes[k])-zero) * float64(scale)
		}
	}
	return x
}

func (c *compose64) node(n *layer.Node) []float64 {
	x := c.operand(n.In[0])
	switch {
	case convbn.Of(n) != nil:
		y := c.conv(n, x)
		if convbn.Of(n).Add {
			for i, v := range c.operand(n.In[1]) {
				y[i] += v
			}
		}
		return act64(y, n.Act)
	case pair64(n.Kind.Name) != nil:
		return act64(c.pair(n, x, c.operand(n.In[1])), n.Act)
	case curve64(n.Kind.Name) != nil:
		for i, v := range x {
			x[i] = curve64(n.Kind.Name)(v)
		}
		return x
	case n.Kind.Name == "bn":
		y := make([]float64, len(x))
		_, sx, _, _ := c.e.Output(nodesOf(c.g)[n.In[0]].Name)
		for i, v := range x {
			a, b := bn64(n, i%n.Shape.C, 1)-bn64(n, i%n.Shape.C, 0), bn64(n, i%n.Shape.C, 0)
			y[i] = (v + math.RoundToEven(b/(a*float64(sx)))*float64(sx)) * a // the bias is on the grid
		}
		return y
	case n.Kind.Name == "scale":
		return scale64(n, x)
	case n.Kind.Name == "softmax":
		return softmax64(x, n.Shape, layer.ArgumentsOf[op.Softmax](n).Axis, false)
	case n.Kind.Name == "log_softmax":
		return softmax64(x, n.Shape, layer.ArgumentsOf[op.LogSoftmax](n).Axis, true)
	case n.Kind.Name == "concat":
		return c.concat(n)
	}
	return pool64(op.PoolGeom(n), c.n, x)
}

// curve64 is the function of some curves.
func curve64(name string) func(v float64) float64 {
	return map[string]func(v float64) float64{
		"hard_swish": func(v float64) float64 { return v * min(max(v+3, 0), 6) / 6 },
		"sigmoid":    func(v float64) float64 { return 1 / (1 + math.Exp(-v)) },
		"tanh":       math.Tanh,
		"softplus":   func(v float64) float64 { return max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) },
	}[name]
}

// scale64 is x·w + b by channel.
func scale64(n *layer.Node, x []float64) []float64 {
	slots, c := n.Slots(), n.Shape.C
	for i := range x {
		x[i] *= float64(slots[0].Param.Data[i%c])
		if len(slots) > 1 && slots[1].Param != nil {
			x[i] += float64(slots[1].Param.Data[i%c])
		}
	}
	return x
}

// softmax64 is exp(x)/Σ exp(x) along an axis, or the logarithm of that.
func softmax64(x []float64, s tensor.Shape, axis int, log bool) []float64 {
	count, step, y := layer.Axes(s)[axis], layer.Steps(s)[axis], make([]float64, len(x))
	for i := range x {
		first, sum, most := i-i/step%count*step, 0.0, math.Inf(-1)
		for k := range count {
			most = max(most, x[first+k*step])
		}
		for k := range count {
			sum += math.Exp(x[first+k*step] - most)
		}
		if y[i] = x[i] - most - math.Log(sum); !log {
			y[i] = math.Exp(y[i])
		}
	}
	return y
}

// pair64 is the function of ops of two operands.
func pair64(name string) func(x, y float64) float64 {
	return map[string]func(x, y float64) float64{
		"add": func(x, y float64) float64 { return x + y },
		"sub": func(x, y float64) float64 { return x - y },
		"mul": func(x, y float64) float64 { return x * y },
		"max": math.Max,
		"min": math.Min,
	}[name]
}

// pair is such a function of two values, with extents of 1 repeated.
func (c *compose64) pair(n *layer.Node, x, y []float64) []float64 {
	out := make([]float64, n.Shape.WithN(c.n).Len())
	a, b := nodesOf(c.g)[n.In[0]].Shape, nodesOf(c.g)[n.In[1]].Shape
	at := func(s tensor.Shape, image, h, w, ch int) int {
		return ((image*s.H+h%s.H)*s.W+w%s.W)*s.C + ch%s.C
	}
	k := 0
	for image := range c.n {
		for h := range n.Shape.H {
			for w := range n.Shape.W {
				for ch := range n.Shape.C {
					out[k] = pair64(n.Kind.Name)(x[at(a, image, h, w, ch)], y[at(b, image, h, w, ch)])
					k++
				}
			}
		}
	}
	return out
}

// conv is conv + bias of the node, or of its absorbed self while it has a BN, in
// float64: the weights on the grid scales[o], the bias on sx·scales[o].
func (c *compose64) conv(n *layer.Node, x []float64) []float64 {
	k, sx := convbn.Of(n), c.scale(n.In[0])
	w, bias := folded64(k, c.g.Mode())
	scales := scales64(k, c.g.Mode(), w, bias, sx)
	lo, hi := k.Weight.Limits()
	per := k.Geom.K()
	for i, v := range w {
		s := scales[i/per]
		w[i] = min(max(math.RoundToEven(v/s), float64(lo)), float64(hi)) * s
	}
	if k.Up != nil {
		x = spread64(k, c.n, x)
	}
	y := conv64(k.Geom, c.n, x, w)
	for i := range y {
		o := i % k.Geom.OutC
		if c.floatBias {
			y[i] += float64(bias[o])
			continue
		}
		unit := float64(sx * float32(scales[o]))
		y[i] += math.RoundToEven(float64(bias[o])/unit) * unit
	}
	return y
}

// scale is that of node i's output; 1 where it has none.
func (c *compose64) scale(i int) float32 {
	if c.values != nil {
		return c.scales[i]
	}
	if _, scale, _, _ := c.e.Output(nodesOf(c.g)[i].Name); scale != 0 {
		return scale
	}
	return 1
}

// factor64 is s of numerics.md: float64, rounded once; s′ in reverse fold.
func factor64(b *convbn.BN, o int, mode nn.Mode) float32 {
	s := float32(float64(b.Gamma.Data[o]) / math.Sqrt(float64(b.Var[o])+b.Eps))
	if least := math.Ldexp(1, -60); mode == nn.ReverseFold && math.Abs(float64(s)) < least {
		s = float32(math.Copysign(least, float64(s)))
	}
	return s
}

// folded64 is W·s and (b - μ)·s + β, in float32; W and b where there is no BN.
func folded64(k *convbn.Node, mode nn.Mode) (w []float64, bias []float32) {
	bias = make([]float32, k.Geom.OutC)
	if k.Bias {
		copy(bias, k.B.Data)
	}
	for i, v := range k.W.Data {
		o := i / k.Geom.K()
		if k.BN != nil {
			v *= factor64(k.BN, o, mode)
		}
		w = append(w, float64(v))
	}
	if b := k.BN; b != nil {
		for o := range bias {
			bias[o] = float32(float32(bias[o]-b.Mean[o])*b.Scale(o)) + b.Beta.Data[o]
		}
	}
	return w, bias
}

// scales64 is the scale of every channel of the folded weights w, raised where the bias needs it.
func scales64(k *convbn.Node, mode nn.Mode, w []float64, bias []float32, sx float32) []float64 {
	_, hi := k.Weight.Limits()
	per := k.Geom.K()
	top := func(w []float64) (t float64) {
		for _, v := range w {
			t = max(t, math.Abs(v))
		}
		return t
	}
	scale := func(t float64) float64 { return float64(max(float32(t)/float32(hi), quant.Epsilon)) }
	scales := make([]float64, k.Geom.OutC)
	for o := range scales {
		switch {
		case k.Frozen:
			scales[o] = float64(k.WScale[o%len(k.WScale)])
		case k.Weight.PerChannel:
			scales[o] = scale(top(w[o*per : (o+1)*per]))
		case k.BN != nil && mode == nn.WithBN:
			raw, _ := folded64(&convbn.Node{Geom: k.Geom, W: k.W}, mode)
			scales[o] = float64(float32(scale(top(raw))) * float32(math.Abs(float64(factor64(k.BN, o, mode)))))
		default:
			scales[o] = scale(top(w))
		}
		scales[o] = max(scales[o], math.Ldexp(1, -100), float64(float32(math.Abs(float64(bias[o]))/(float64(sx)*(1<<30)))))
	}
	return scales
}

func bn64(n *layer.Node, o int, v float64) float64 {
	b := convbn.BNOf(n)
	return (v-float64(b.Mean[o]))/math.Sqrt(float64(b.Var[o])+b.Eps)*float64(b.Gamma.Data[o]) + float64(b.Beta.Data[o])
}

func act64(y []float64, a kernel.Act) []float64 {
	for i, v := range y {
		if a != kernel.None {
			y[i] = max(v, 0)
		}
		if a == kernel.ReLU6 {
			y[i] = min(y[i], 6)
		}
	}
	return y
}

func conv64(p kernel.Conv, n int, x, w []float64) []float64 {
	y := make([]float64, n*p.OH*p.OW*p.OutC)
	cg, og := p.C/p.Groups, p.OutC/p.Groups
	for i := range y {
		o, ow, oh, b := i%p.OutC, i/p.OutC%p.OW, i/p.OutC/p.OW%p.OH, i/p.OutC/p.OW/p.OH
		for kh := range p.KH {
			for kw := range p.KW {
				ih, iw := oh*p.StrideH-p.PadTop+kh*p.DilationH, ow*p.StrideW-p.PadLeft+kw*p.DilationW
				if ih < 0 || ih >= p.H || iw < 0 || iw >= p.W {
					continue
				}
				xs := x[((b*p.H+ih)*p.W+iw)*p.C+o/og*cg:]
				for c, v := range w[((o*p.KH+kh)*p.KW+kw)*cg : ((o*p.KH+kh)*p.KW+kw+1)*cg] {
					y[i] += xs[c] * v
				}
			}
		}
	}
	return y
}

// spread64 is the input of a transposed convolution with zeros between its pixels.
func spread64(k *convbn.Node, n int, x []float64) []float64 {
	g, up := k.Geom, k.Up
	y := make([]float64, n*g.H*g.W*g.C)
	for i, v := range x {
		c, w, h, b := i%g.C, i/g.C%up.W, i/g.C/up.W%up.H, i/g.C/up.W/up.H
		y[((b*g.H+h*up.StrideH)*g.W+w*up.StrideW)*g.C+c] = v
	}
	return y
}

func pool64(p kernel.Pool, n int, x []float64) []float64 {
	y := make([]float64, n*p.OH*p.OW*p.C)
	for i := range y {
		c, ow, oh, b := i%p.C, i/p.C%p.OW, i/p.C/p.OW%p.OH, i/p.C/p.OW/p.OH
		count := 0
		for kh := range p.KH {
			for kw := range p.KW {
				ih, iw := oh*p.StrideH-p.PadTop+kh, ow*p.StrideW-p.PadLeft+kw
				if ih >= 0 && ih < p.H && iw >= 0 && iw < p.W {
					y[i] += x[((b*p.H+ih)*p.W+iw)*p.C+c]
					count++
				} else if lastH, lastW := (p.OH-1)*p.StrideH+p.KH-p.OverhangH-p.PadTop, (p.OW-1)*p.StrideW+p.KW-p.OverhangW-p.PadLeft; p.CountPad && ih < lastH && iw < lastW {
					count++
				}
			}
		}
		y[i] /= float64(count)
	}
	return y
}

func (c *compose64) concat(n *layer.Node) []float64 {
	y := make([]float64, c.n*n.Shape.WithN(1).Len())
	at := 0
	for _, j := range n.In {
		w := nodesOf(c.g)[j].Shape.C
		for i, v := range c.operand(j) {
			y[i/w*n.Shape.C+at+i%w] = v
		}
		at += w
	}
	return y
}

// compare checks a node's codes against the exact values want.
func (c *compose64) compare(n *layer.Node, want []float64) {
	values, scale, zero, _ := c.e.Output(n.Name)
	codes, ok := c.e.Codes(n.Name)
	if !ok {
		for i, v := range values {
			if math.Abs(float64(v)-want[i]) > 1e-4*(1+math.Abs(want[i])) {
				c.errors = append(c.errors, fmt.Sprintf("%s[%d]: %g, want %g", n.Name, i, v, want[i]))
			}
		}
		return
	}
	giver := n // of the grid
	for !giver.HasQuant() {
		giver = nodesOf(c.g)[giver.In[0]]
	}
	spec := giver.Quant.Spec
	lo, hi := spec.Limits()
	for i, got := range codes {
		exact := want[i]/float64(scale) + float64(zero)
		r := math.RoundToEven(exact)
		if spec.Rounding == quant.HalfUp {
			r = math.Floor(exact + 0.5)
		}
		off := int32(0)
		if spec.DType == quant.UInt8 {
			off = 128
		}
		r = min(max(r, float64(lo-off)), float64(hi-off))
		c.total++
		if float64(got) == r {
			continue
		}
		if math.Abs(exact-math.Floor(exact)-0.5) < 1e-3 && math.Abs(float64(got)-r) == 1 {
			c.ties++
			continue
		}
		c.errors = append(c.errors, fmt.Sprintf("%s[%d]: code %d, want %g (exactly %g)", n.Name, i, got, r, exact))
	}
}
