// Package netdraw draws random networks of all ops, for tests of what holds of every network.
package netdraw

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"qpipe/internal/optest"
	"qpipe/ops/convbn"
	"qpipe/ops/curve"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/move"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// drawing makes a random network out of the cases of all ops: a case reads any values there are, which are given the size that it
// takes by ops that resize, pool and convolve.
type drawing struct {
	b    *nn.Builder
	r    *rand.Rand
	open []nn.Value
	read map[nn.Value]bool
	n    int // names so far
}

func (d *drawing) name(what string) string {
	d.n++
	return fmt.Sprintf("%s%d", what, d.n)
}

// apply adds an op, and reads its operands.
func (d *drawing) apply(o layer.Op, xs ...nn.Value) nn.Value {
	for _, x := range xs {
		d.read[x] = true
	}
	return d.b.Apply(d.name(o.Kind().Name), o, xs...)
}

// pick returns a value, rather one that nothing reads yet.
func (d *drawing) pick() nn.Value {
	v := d.open[d.r.IntN(len(d.open))]
	for range 3 {
		if d.read[v] {
			v = d.open[d.r.IntN(len(d.open))]
		}
	}
	return v
}

// fit gives a value another shape.
func (d *drawing) fit(x nn.Value, s tensor.Shape) nn.Value {
	if size := [2]int{s.H, s.W}; size != [2]int{x.Shape().H, x.Shape().W} {
		x = d.apply([]layer.Op{
			op.AdaptiveAvgPool{Size: size},
			op.AdaptiveMaxPool{Size: size},
			move.ResizeNearest{Sampling: move.Sampling{Size: size}},
			move.ResizeBilinear{Sampling: move.Sampling{Size: size}},
		}[d.r.IntN(4)], x)
	}
	if x.Shape().C != s.C || d.r.IntN(4) == 0 {
		x = d.apply(convbn.Conv{OutC: s.C, Kernel: [2]int{1, 1}, Bias: d.r.IntN(2) == 0}, x)
		if d.r.IntN(2) == 0 {
			x = d.apply(convbn.BatchNorm{}, x)
		}
	}
	return x
}

// chain adds what becomes one node with a convolution in front of it.
func (d *drawing) chain(x nn.Value) nn.Value {
	if d.r.IntN(2) == 0 {
		x = d.apply(convbn.BatchNorm{}, x)
	}
	if z := d.pick(); d.r.IntN(2) == 0 && z.Shape() == x.Shape() {
		x = d.b.Add(d.name("add"), x, z)
		d.read[z] = true
	}
	if act := kernel.Act(d.r.IntN(3)); act != kernel.None {
		x = d.apply(op.Act{Act: act}, x)
	}
	return x
}

// draw adds a case; what it makes can be read by others.
func (d *drawing) draw(c optest.Case) {
	var xs []nn.Value
	for _, s := range c.In {
		x := d.fit(d.pick(), s)
		if slices.Contains([]string{"exp", "log", "sqrt", "reciprocal", "power"}, c.Op.Kind().Name) { // no numbers that overflow
			x = d.apply(curve.Pointwise{Function: "clip", Args: map[string]float64{"min": 0.5, "max": 2}}, x)
		}
		xs = append(xs, x)
	}
	y := d.apply(c.Op, xs...)
	k := c.Op.Kind()
	switch {
	case k.View: // a flattened map, which few ops read
		y = d.apply(convbn.Linear{Out: 2 + d.r.IntN(4), Bias: true}, y)
	case k.Role == layer.Head:
		y = d.chain(y)
	}
	d.open = append(d.open, y)
}

// ends are the outputs: everything that nothing reads, some of it joined.
func (d *drawing) ends() (outs []nn.Value) {
	var loose []nn.Value
	for _, v := range d.open {
		switch {
		case d.read[v]:
		case len(outs) < 2 && d.r.IntN(3) == 0:
			outs = append(outs, v)
		default:
			loose = append(loose, d.b.GlobalAvgPool(d.name("pool"), v))
		}
	}
	if len(loose) > 1 {
		loose[0] = d.b.Concat("join", loose...)
	}
	if len(loose) > 0 {
		outs = append(outs, d.b.Linear("fc", loose[0], 3, true))
	}
	if d.r.IntN(4) == 0 { // also what others read
		if v := d.pick(); !slices.Contains(outs, v) {
			outs = append(outs, v)
		}
	}
	return outs
}

// Graph draws a network of 4 to 9 cases with one to three inputs.
func Graph(r *rand.Rand) (*nn.Graph, error) {
	cases := slices.DeleteFunc(optest.Cases(), func(c optest.Case) bool { return len(c.In) == 0 })
	size := func() tensor.Shape { return tensor.Shape{H: 2 + r.IntN(6), W: 2 + r.IntN(6), C: 1 + r.IntN(4)} }
	b := nn.NewBuilder(size())
	d := &drawing{b: b, r: r, open: []nn.Value{b.Input()}, read: map[nn.Value]bool{}}
	for i := range r.IntN(3) {
		d.open = append(d.open, b.AddInput(fmt.Sprint("more", i), size()))
	}
	for range 4 + r.IntN(6) {
		d.draw(cases[r.IntN(len(cases))])
	}
	return b.Graph(d.ends()...)
}

// Jitter makes every parameter and statistic of a fresh graph ordinary.
func Jitter(g *nn.Graph, r *rand.Rand) {
	nodes, _ := g.Nodes()
	for _, n := range nodes {
		if convbn.Of(n) != nil {
			for i := range convbn.Of(n).B.Data {
				convbn.Of(n).B.Data[i] = float32(r.NormFloat64() * 0.3)
			}
		}
		if convbn.Of(n) == nil && convbn.BNOf(n) == nil {
			for _, s := range n.Slots() {
				if s.Trainable() {
					for i := range s.Param.Data {
						s.Param.Data[i] = float32(r.NormFloat64() * 0.3)
					}
				}
			}
		}
		if b := convbn.BNOf(n); b != nil {
			for i := range b.C {
				b.Gamma.Data[i] = float32(math.Exp(r.NormFloat64() * 0.3))
				if r.IntN(4) == 0 {
					b.Gamma.Data[i] *= -1
				}
				b.Beta.Data[i] = float32(r.NormFloat64() * 0.3)
				b.Mean[i] = float32(r.NormFloat64() * 0.3)
				b.Var[i] = float32(math.Exp(r.NormFloat64() * 0.5))
			}
		}
	}
}

// MinMax is an observer: the range of a batch, of which Rate goes into the average.
type MinMax struct{ Rate float32 }

// Range implements quant.Observer.
func (MinMax) Range(_ []float32, lo, hi float32, _ quant.Spec) (float32, float32) { return lo, hi }

// Averaging implements quant.Observer.
func (m MinMax) Averaging() float32 { return m.Rate }

// Fixed implements quant.Observer.
func (MinMax) Fixed() bool { return false }
