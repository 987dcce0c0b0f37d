package arith

import (
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
)

// Max is the larger of two values. Where they are equal each gets half of the gradient, as in PyTorch.
type Max struct{}

// Min is the smaller of two values, with Max's gradient.
type Min struct{}

var (
	maxKind = choosing(false).kind(layer.Kind{Name: "max", Output: layer.Joins, Rereads: true})
	minKind = choosing(true).kind(layer.Kind{Name: "min", Output: layer.Joins, Rereads: true})
)

// Kind implements layer.Op.
func (Max) Kind() *layer.Kind { return maxKind }

// Node implements layer.Op.
func (Max) Node(in []layer.Source) (*layer.Node, error) { return pairNode(maxKind, "compare", in) }

// Kind implements layer.Op.
func (Min) Kind() *layer.Kind { return minKind }

// Node implements layer.Op.
func (Min) Node(in []layer.Source) (*layer.Node, error) { return pairNode(minKind, "compare", in) }

// choosing takes the larger of two values, or the smaller.
func choosing(smaller bool) *pair {
	p := &pair{
		of: func(_ *kernel.Set, x, y, out []float32) {
			y, out = y[:len(x)], out[:len(x)]
			for i, v := range x {
				out[i] = max(v, y[i])
			}
		},
		slope: func(_ *kernel.Set, k int, g, x, y, out []float32) []float32 {
			if (k == 1) != smaller {
				x, y = y, x
			}
			x, y, out = x[:len(g)], y[:len(g)], out[:len(g)]
			for i, v := range g {
				out[i] = v * share(x[i], y[i])
			}
			return out
		},
		coder: func(int) coder { return &choice{smaller: smaller} },
	}
	if smaller {
		p.of = func(_ *kernel.Set, x, y, out []float32) {
			y, out = y[:len(x)], out[:len(x)]
			for i, v := range x {
				out[i] = min(v, y[i])
			}
		}
	}
	return p
}

// share is how much of the gradient of max(x, y) x gets, without a branch, which data would make unpredictable.
func share(x, y float32) float32 {
	halves := 0
	if x >= y {
		halves = 1
	}
	above := 0
	if x > y {
		above = 1
	}
	return float32(halves+above) * 0.5
}

// choice compares codes: what each of an operand's codes is quantized to, in the output's format, is a table. Quantization
// does not change an order, so the larger of two is that of the larger value.
type choice struct {
	smaller bool
	formats [2]kernel.Quant
	tables  [2][256]uint8
}

func (c *choice) enter(x, y kernel.Quant) { c.formats = [2]kernel.Quant{x, y} }

func (c *choice) leave(set *kernel.Set, out kernel.Quant) {
	var codes [256]uint8
	var values [256]float32
	for i := range codes {
		codes[i] = uint8(i)
	}
	for k, q := range c.formats {
		set.Values(codes[:], q.Zero, q.Scale, values[:])
		set.Quantize(values[:], c.tables[k][:], nil, out, kernel.None)
	}
}

func (c *choice) codes(set *kernel.Set, x, y []uint8, _ []int32, out, _ []uint8) {
	set.Lookup(x, &c.tables[0], out)
	second := &c.tables[1]
	if c.smaller {
		for i, v := range y[:len(out)] {
			less := int(second[v]) - int(out[i])
			out[i] += uint8(less & (less >> 63)) // without a branch, which data would make unpredictable
		}
		return
	}
	for i, v := range y[:len(out)] {
		more := int(out[i]) - int(second[v])
		out[i] -= uint8(more & (more >> 63))
	}
}
