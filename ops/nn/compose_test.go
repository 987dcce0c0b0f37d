package nn

import (
	"fmt"
	"math"
	"slices"

	"qpipe/ops/kernel"
	"qpipe/ops/quant"
)

// compose64 is the third opinion: a QAT graph's eval forward composed in float64
// from the formulas of numerics.md, with none of the code under test but the parameters. Every node reads what
// the net under test gave as its operands' codes, so that one code that rounds the
// other way is counted once and not carried on.
type compose64 struct {
	g      *Graph
	e      *Net
	n      int
	ties   int // codes that differ where the exact quotient is next to a tie
	total  int
	errors []string
}

// run compares every node's codes (or float output).
func (c *compose64) run() {
	for i, n := range c.g.nodes {
		if i == 0 || !n.hasQuant() {
			continue
		}
		c.compare(n, c.node(n))
	}
}

// operand is a node's output in float64, from its codes.
func (c *compose64) operand(i int) []float64 {
	values, scale, zero, _ := c.e.Output(c.g.nodes[i].name)
	codes, ok := c.e.Codes(c.g.nodes[i].name)
	x := make([]float64, len(values))
	for k := range x {
		x[k] = float64(values[k])
		if ok {
			x[k] = float64(int32(codes[k])-zero) * float64(scale)
		}
	}
	return x
}

func (c *compose64) node(n *node) []float64 {
	x := c.operand(n.in[0])
	switch {
	case n.conv != nil:
		y := c.conv(n, x)
		if n.conv.Add {
			for i, v := range c.operand(n.in[1]) {
				y[i] += v
			}
		}
		return act64(y, n.act)
	case n.op == opAdd:
		for i, v := range c.operand(n.in[1]) {
			x[i] += v
		}
		return x
	case n.op == opBN:
		y := make([]float64, len(x))
		_, sx, _, _ := c.e.Output(c.g.nodes[n.in[0]].name)
		for i, v := range x {
			a, b := bn64(n, i%n.shape.C, 1)-bn64(n, i%n.shape.C, 0), bn64(n, i%n.shape.C, 0)
			y[i] = (v + math.RoundToEven(b/(a*float64(sx)))*float64(sx)) * a // the bias is on the grid
		}
		return y
	case n.op == opConcat:
		return c.concat(n)
	}
	return pool64(n.pool, c.n, x)
}

// conv is conv + bias (on its grid) + BN in float64.
func (c *compose64) conv(n *node, x []float64) []float64 {
	k, sx := n.conv, 1.0
	if _, scale, _, _ := c.e.Output(c.g.nodes[n.in[0]].name); scale != 0 {
		sx = float64(scale)
	}
	w := make([]float64, len(k.W.Data))
	per := k.Geom.K()
	scales := make([]float64, k.Geom.OutC)
	factor, tops := make([]float64, k.Geom.OutC), make([]float64, k.Geom.OutC)
	for o := range tops {
		factor[o] = 1
		if k.BN != nil && c.g.mode == ReverseFold {
			factor[o] = float64(k.BN.Gamma.Data[o]) / math.Sqrt(float64(k.BN.Var[o])+k.BN.Eps)
		}
		for _, v := range k.W.Data[o*per : (o+1)*per] {
			tops[o] = max(tops[o], math.Abs(float64(v)*factor[o]))
		}
	}
	lo, hi := k.Weight.Limits()
	for o := range k.Geom.OutC {
		f, top := factor[o], tops[o]
		if !k.Weight.PerChannel {
			top = slices.Max(tops)
		}
		s := float64(float32(max(top/float64(hi), float64(quant.Epsilon))))
		if k.Frozen {
			s = float64(k.WScale[o%len(k.WScale)])
		}
		scales[o] = s
		for i := o * per; i < (o+1)*per; i++ {
			q := math.RoundToEven(float64(float32(float64(k.W.Data[i])*f)) / s)
			w[i] = min(max(q, float64(lo)), float64(hi)) * s / f
		}
	}
	y := conv64(k.Geom, c.n, x, w)
	for i := range y {
		o := i % k.Geom.OutC
		var b float64
		if k.Bias {
			b = float64(k.B.Data[o])
		}
		if k.BN != nil {
			y[i] = bn64(n, o, y[i]+b)
			continue
		}
		if !k.FloatBias {
			b = math.RoundToEven(b/(sx*scales[o])) * sx * scales[o]
		}
		y[i] += b
	}
	return y
}

func bn64(n *node, o int, v float64) float64 {
	b := n.bnOf()
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
				}
			}
		}
		if p.CountPad {
			count = p.KH * p.KW
		}
		y[i] /= float64(count)
	}
	return y
}

func (c *compose64) concat(n *node) []float64 {
	y := make([]float64, c.n*n.shape.WithN(1).Len())
	at := 0
	for _, j := range n.in {
		w := c.g.nodes[j].shape.C
		for i, v := range c.operand(j) {
			y[i/w*n.shape.C+at+i%w] = v
		}
		at += w
	}
	return y
}

// compare checks a node's codes against the exact values want.
func (c *compose64) compare(n *node, want []float64) {
	values, scale, zero, _ := c.e.Output(n.name)
	codes, ok := c.e.Codes(n.name)
	if !ok {
		for i, v := range values {
			if math.Abs(float64(v)-want[i]) > 1e-4*(1+math.Abs(want[i])) {
				c.errors = append(c.errors, fmt.Sprintf("%s[%d]: %g, want %g", n.name, i, v, want[i]))
			}
		}
		return
	}
	lo, hi := n.quant.Spec.Limits()
	for i, got := range codes {
		exact := want[i]/float64(scale) + float64(zero)
		r := math.RoundToEven(exact)
		if n.quant.Spec.Rounding == quant.HalfUp {
			r = math.Floor(exact + 0.5)
		}
		off := int32(0)
		if n.quant.Spec.DType == quant.UInt8 {
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
		c.errors = append(c.errors, fmt.Sprintf("%s[%d]: code %d, want %g (exactly %g)", n.name, i, got, r, exact))
	}
}
