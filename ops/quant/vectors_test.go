package quant_test

import (
	"fmt"
	"testing"

	"qpipe/internal/refvec"
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/quant"
)

// TestVectors passes the reference vectors of quantization: through every kernel
// set where a kernel computes them, and through this package's own arithmetic.
func TestVectors(t *testing.T) {
	refvec.Run(t, "quant", func(t *testing.T, c *refvec.Case) {
		switch c.Op {
		case "fake_quant_per_tensor", "fake_quant_per_channel":
			fakeQuant(t, c)
		case "quantize_per_tensor", "quantize_per_channel":
			quantize(t, c)
		case "fake_quant_learnable":
			learnable(t, c)
		case "qparams_from_minmax":
			qparams(t, c)
		case "observer":
			observer(t, c)
		case "fake_quant_module":
			module(t, c)
		default:
			t.Fatalf("no test for the operation %q", c.Op)
		}
	})
}

// axis is a tensor seen as [outer][channels][inner].
type axis struct{ outer, channels, inner int }

func axisOf(t *testing.T, c *refvec.Case, x *refvec.Array) axis {
	a := axis{1, 1, x.Len()}
	if c.Attrs["axis"] == nil {
		return a
	}
	at := c.Int(t, "axis", 0)
	a = axis{1, x.Shape[at], 1}
	for i, d := range x.Shape {
		if i < at {
			a.outer *= d
		} else if i > at {
			a.inner *= d
		}
	}
	return a
}

// each calls f with the channel and the bounds of every run of elements that lie together.
func (a axis) each(f func(c, i, j int)) {
	for o := range a.outer {
		for c := range a.channels {
			i := (o*a.channels + c) * a.inner
			f(c, i, i+a.inner)
		}
	}
}

// params is the quantization of channel i.
func params(t *testing.T, c *refvec.Case, scale []float32, zero []int32, i int) kernel.Quant {
	return kernel.Quant{Scale: scale[i], Zero: zero[i], Min: int32(c.Int(t, "quant_min", 0)), Max: int32(c.Int(t, "quant_max", 0))}
}

func eachSet(t *testing.T, f func(t *testing.T, s *kernel.Set)) {
	for _, s := range sets.All() {
		t.Run(s.Name, func(t *testing.T) { f(t, s) })
	}
}

func fakeQuant(t *testing.T, c *refvec.Case) {
	x, dy := c.Array(t, "x").Float32s(), c.Array(t, "grad_y").Float32s()
	scale, zero := c.Array(t, "scale").Float32s(), c.Array(t, "zero_point").Int32s()
	ax := axisOf(t, c, c.Array(t, "x"))
	codes, values := make([]int32, len(x)), make([]float32, len(x))
	ax.each(func(ch, i, j int) {
		q := params(t, c, scale, zero, ch)
		for k := i; k < j; k++ {
			codes[k], values[k] = quant.Code(x[k], q), quant.Fake(x[k], q)
		}
	})
	refvec.Check(t, c, "q", codes)
	refvec.Check(t, c, "y", values)
	eachSet(t, func(t *testing.T, s *kernel.Set) {
		y, dx := make([]float32, len(x)), make([]float32, len(x))
		ax.each(func(ch, i, j int) { fake(s, x[i:j], dy[i:j], y[i:j], dx[i:j], params(t, c, scale, zero, ch)) })
		refvec.Check(t, c, "y", y)
		refvec.Check(t, c, "grad_x", dx)
	})
}

// fake runs a set's fake quantization, and the gradient through its mask.
func fake(s *kernel.Set, x, dy, y, dx []float32, q kernel.Quant) {
	mask := make([]uint8, (len(x)+7)/8)
	s.FakeQuant(x, y, mask, q, kernel.None)
	s.Gate(dy, mask, dx, false)
}

// quantize runs the set's Quantize; signed codes are written plus 128.
func quantize(t *testing.T, c *refvec.Case) {
	x := c.Array(t, "x").Float32s()
	scale, zero := c.Array(t, "scale").Float32s(), c.Array(t, "zero_point").Int32s()
	ax := axisOf(t, c, c.Array(t, "x"))
	eachSet(t, func(t *testing.T, s *kernel.Set) {
		codes, y := make([]int32, len(x)), make([]float32, len(x))
		ax.each(func(ch, i, j int) {
			q := params(t, c, scale, zero, ch)
			shift := int32(0)
			if q.Min < 0 {
				shift = 128
			}
			bytes := make([]uint8, j-i)
			s.Quantize(x[i:j], bytes, nil, kernel.Quant{Scale: q.Scale, Zero: q.Zero + shift, Min: q.Min + shift, Max: q.Max + shift}, kernel.None)
			for k, v := range bytes {
				codes[i+k] = int32(v) - shift
				y[i+k] = quant.Value(codes[i+k], q)
			}
		})
		refvec.Check(t, c, "q", codes)
		refvec.Check(t, c, "y", y)
	})
}

func learnable(t *testing.T, c *refvec.Case) {
	x, dy := c.Array(t, "x").Float32s(), c.Array(t, "grad_y").Float32s()
	l := quant.Learnable{
		Scale: c.Array(t, "scale").Float32s(), Zero: c.Array(t, "zero_point").Float32s(),
		Inner: axisOf(t, c, c.Array(t, "x")).inner,
		Min:   int32(c.Int(t, "quant_min", 0)), Max: int32(c.Int(t, "quant_max", 0)),
		GradFactor: float32(refvec.Attr[float64](t, c, "grad_factor")),
	}
	y, dx := make([]float32, len(x)), make([]float32, len(x))
	dscale, dzero := make([]float32, len(l.Scale)), make([]float32, len(l.Scale))
	l.Forward(x, y)
	l.Backward(x, dy, dx, dscale, dzero)
	refvec.Check(t, c, "y", y)
	refvec.Check(t, c, "grad_x", dx)
	refvec.Check(t, c, "grad_scale", dscale)
	refvec.Check(t, c, "grad_zero_point", dzero)
}

// specOf is the scheme of a case; its codes come from the case's limits.
func specOf(t *testing.T, c *refvec.Case) quant.Spec {
	if refvec.Attr[bool](t, c, "symmetric") {
		return quant.Spec{Rule: quant.HalfRange}
	}
	return quant.Spec{Scheme: quant.Affine}
}

func scaleOf(t *testing.T, c *refvec.Case, lo, hi float32) (float32, int32) {
	return specOf(t, c).ScaleFor(lo, hi, int32(c.Int(t, "quant_min", 0)), int32(c.Int(t, "quant_max", 0)))
}

func qparams(t *testing.T, c *refvec.Case) {
	lo, hi := c.Array(t, "min").Float32s(), c.Array(t, "max").Float32s()
	scale, zero := make([]float32, len(lo)), make([]int32, len(lo))
	for i := range lo {
		scale[i], zero[i] = scaleOf(t, c, lo[i], hi[i])
	}
	refvec.Check(t, c, "scale", scale)
	refvec.Check(t, c, "zero_point", zero)
}

// minMax is an observer whose range is the batch's, as min_max is.
type minMax struct{ c float32 }

func (m minMax) Range(_ []float32, lo, hi float32, _ quant.Spec) (float32, float32) { return lo, hi }
func (m minMax) Averaging() float32                                                 { return m.c }
func (m minMax) Fixed() bool                                                        { return false }

// newNodes returns one quant node a channel.
func newNodes(t *testing.T, c *refvec.Case, n int) []quant.Node {
	nodes := make([]quant.Node, n)
	for i := range nodes {
		s := specOf(t, c)
		s.DType = quant.Int8 // that it is quantized; the codes are the case's
		nodes[i] = quant.NewNode(s, minMax{float32(refvec.Attr[float64](t, c, "averaging_constant"))})
	}
	return nodes
}

func observer(t *testing.T, c *refvec.Case) {
	ax := axisOf(t, c, c.Array(t, "x0"))
	running := c.Attrs["averaging_constant"] == nil // the smallest and largest of all batches
	eachSet(t, func(t *testing.T, s *kernel.Set) {
		nodes := newNodes(t, c, ax.channels)
		for step, name := range c.Inputs {
			x := c.Array(t, name).Float32s()
			byChannel := make([][]float32, ax.channels)
			ax.each(func(ch, i, j int) { byChannel[ch] = append(byChannel[ch], x[i:j]...) })
			var (
				lo, hi, scale []float32
				zero          []int32
			)
			for ch, x := range byChannel {
				l, h := s.MinMax(x)
				if n := &nodes[ch]; running {
					n.Min, n.Max = min(n.Min, l), max(n.Max, h)
				} else {
					n.Observe(x, l, h)
				}
				sc, z := scaleOf(t, c, nodes[ch].Min, nodes[ch].Max)
				lo, hi, scale, zero = append(lo, nodes[ch].Min), append(hi, nodes[ch].Max), append(scale, sc), append(zero, z)
			}
			refvec.Check(t, c, fmt.Sprint("min", step), lo)
			refvec.Check(t, c, fmt.Sprint("max", step), hi)
			refvec.Check(t, c, fmt.Sprint("scale", step), scale)
			refvec.Check(t, c, fmt.Sprint("zero_point", step), zero)
		}
	})
}

// module observes, then quantizes with the new scale; late steps observe no more.
func module(t *testing.T, c *refvec.Case) {
	eachSet(t, func(t *testing.T, s *kernel.Set) {
		node := newNodes(t, c, 1)[0]
		for step := 0; c.Has(fmt.Sprint("x", step)); step++ {
			x, dy := c.Array(t, fmt.Sprint("x", step)).Float32s(), c.Array(t, fmt.Sprint("grad_y", step)).Float32s()
			if step < c.Int(t, "observer_disabled_from", 1<<30) {
				lo, hi := s.MinMax(x)
				node.Observe(x, lo, hi)
			}
			scale, zero := scaleOf(t, c, node.Min, node.Max)
			q := params(t, c, []float32{scale}, []int32{zero}, 0)
			y, dx := make([]float32, len(x)), make([]float32, len(x))
			fake(s, x, dy, y, dx, q)
			refvec.Check(t, c, fmt.Sprint("scale", step), []float32{scale})
			refvec.Check(t, c, fmt.Sprint("zero_point", step), []int32{zero})
			refvec.Check(t, c, fmt.Sprint("y", step), y)
			refvec.Check(t, c, fmt.Sprint("grad_x", step), dx)
		}
	})
}
