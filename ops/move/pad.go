package move

import (
	"math"

	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// Pad adds Before and After rows, columns and channels, in this order. Mode says what they hold: Value ("constant", also
// ""), the map mirrored at its edge ("reflect"), or the edge itself ("edge"); channels are added with a constant only. Of codes
// the constant is what Value is quantized to as the operand is, within its range; 0 is 0 exactly.
type Pad struct {
	Before [3]int  `json:"begins"`
	After  [3]int  `json:"ends"`
	Mode   string  `json:"mode"`
	Value  float32 `json:"value"`
}

// The modes of Pad.
const (
	padConstant = "constant"
	padReflect  = "reflect"
	padEdge     = "edge"
)

var padKind = moving[Pad]("pad")

// Kind implements layer.Op.
func (Pad) Kind() *layer.Kind { return padKind }

// Node implements layer.Op.
func (a Pad) Node(in []layer.Source) (*layer.Node, error) { return layer.Argue(padKind, a, in[0]) }

// On implements layer.Arguments.
func (a Pad) On(s tensor.Shape) (Pad, tensor.Shape, error) {
	if a.Mode == "" {
		a.Mode = padConstant
	}
	switch {
	case a.Mode != padConstant && a.Mode != padReflect && a.Mode != padEdge:
		return a, s, layer.BadArg("Mode", "there is no mode %q; there are %s, %s and %s", a.Mode, padConstant, padReflect, padEdge)
	case a.Mode != padConstant && a.Value != 0:
		return a, s, layer.BadArg("Value", "the mode %s takes no value", a.Mode)
	case math.IsNaN(float64(a.Value)) || math.IsInf(float64(a.Value), 0):
		return a, s, layer.BadArg("Value", "the value is %g", a.Value)
	}
	out := layer.Axes(s)
	for _, side := range []struct {
		name string
		pads [3]int
	}{{"Before", a.Before}, {"After", a.After}} {
		for k, n := range layer.Axes(s) {
			switch p := side.pads[k]; {
			case p < 0 || p > layer.MaxExtent:
				return a, s, layer.BadArg(side.name, "%d %s are added", p, layer.AxisName(k))
			case p > 0 && k == 2 && a.Mode != padConstant:
				return a, s, layer.BadArg(side.name, "channels are added with a constant only")
			case p >= n && a.Mode == padReflect:
				return a, s, layer.BadArg(side.name, "%d %s are more than the mirrored map has beside its edge (%v)", p, layer.AxisName(k), s)
			default:
				out[k] += p
			}
		}
	}
	return a, layer.ShapeOf(out), nil
}

func (a Pad) places(in, out tensor.Shape) places {
	step, extent := layer.Steps(in), layer.Axes(in)
	p := along(out, func(k, i int) int {
		n := extent[k]
		switch i -= a.Before[k]; {
		case i >= 0 && i < n:
		case a.Mode == padConstant:
			return -1
		case a.Mode == padEdge:
			i = min(max(i, 0), n-1)
		case i < 0:
			i = -i
		default:
			i = 2*(n-1) - i
		}
		return i * step[k]
	})
	p.fill = a.Value
	return p
}
