package move

import (
	"fmt"
	"math"
	"strings"

	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// Sampling says where a resized map has its pixels in the operand: the height and width of the output, Size, or by how much they
// grow, Scale (both given must agree), and one of ONNX's coordinate modes; "" is the op's own. The output
// has Scale times as many rows and columns, rounded down; without Scale it is the quotient of the sizes.
type Sampling struct {
	Size        [2]int     `json:"sizes"`
	Scale       [2]float32 `json:"scales,omitzero"`
	Coordinates string     `json:"coordinates"`
}

// transforms are ONNX's coordinate modes, a row each: the place in in pixels of pixel x of out, each operation in float32.
func transforms() []choice[func(x, scale, in, out float32) float32] {
	half := func(x, scale, _, _ float32) float32 { return (x+0.5)/scale - 0.5 }
	return []choice[func(x, scale, in, out float32) float32]{
		{"asymmetric", func(x, scale, _, _ float32) float32 { return x / scale }},
		{"half_pixel", half},
		{"pytorch_half_pixel", func(x, scale, in, out float32) float32 {
			if out == 1 {
				return 0
			}
			return half(x, scale, in, out)
		}},
		{"tf_half_pixel_for_nn", func(x, scale, _, _ float32) float32 { return (x + 0.5) / scale }},
		{"align_corners", func(x, _, in, out float32) float32 {
			if out == 1 {
				return 0
			}
			return float32(x*(in-1)) / (out - 1)
		}},
	}
}

// roundings are ONNX's nearest modes.
func roundings() []choice[func(x float64) float64] {
	return []choice[func(x float64) float64]{
		{"floor", math.Floor},
		{"ceil", math.Ceil},
		{"round_prefer_floor", func(x float64) float64 { return math.Ceil(x - 0.5) }},
		{"round_prefer_ceil", func(x float64) float64 { return math.Floor(x + 0.5) }},
	}
}

// choice is a way to do something, by name.
type choice[F any] struct {
	name string
	f    F
}

// chosen is the way of that name; without one it says which there are.
func chosen[F any](list []choice[F], name string) (f F, err error) {
	var names []string
	for _, c := range list {
		if c.name == name {
			return c.f, nil
		}
		names = append(names, c.name)
	}
	return f, fmt.Errorf("there is no mode %q; there are %s", name, strings.Join(names, ", "))
}

// on fills in what was left out, for an operand of shape s.
func (a Sampling) sized(s tensor.Shape, coordinates string) (Sampling, tensor.Shape, error) {
	if a.Coordinates == "" {
		a.Coordinates = coordinates
	}
	if _, err := chosen(transforms(), a.Coordinates); err != nil {
		return a, s, &layer.ArgError{Attr: "Coordinates", Err: err}
	}
	for k, n := range [2]int{s.H, s.W} {
		what := layer.AxisName(k)
		if a.Scale != ([2]float32{}) {
			size := float64(float32(n) * a.Scale[k])
			switch {
			case !(size >= 1 && size <= layer.MaxExtent):
				return a, s, layer.BadArg("Scale", "%d %s times %g are not 1 to %d", n, what, a.Scale[k], layer.MaxExtent)
			case a.Size[k] != 0 && a.Size[k] != int(size):
				return a, s, layer.BadArg("Size", "%d %s times %g are not %d", n, what, a.Scale[k], a.Size[k])
			}
			a.Size[k] = int(size)
		}
		if a.Size[k] < 1 || a.Size[k] > layer.MaxExtent {
			return a, s, layer.BadArg("Size", "a map is not resized to %d %s", a.Size[k], what)
		}
	}
	return a, tensor.Shape{H: a.Size[0], W: a.Size[1], C: s.C}, nil
}

// at lists the places of the output's pixels along axis k, of in pixels.
func (a Sampling) at(k, in int) []float32 {
	f, _ := chosen(transforms(), a.Coordinates)
	n, out, scale := float32(in), float32(a.Size[k]), a.Scale[k]
	if scale == 0 {
		scale = out / n
	}
	list := make([]float32, a.Size[k])
	for i := range list {
		list[i] = f(float32(i), scale, n, out)
	}
	return list
}

// Label implements layer.Labelled: the coordinates' mode and, where it is given, by how much a map grows.
func (a Sampling) Label(name string) string {
	name += " " + a.Coordinates
	if a.Scale != [2]float32{} {
		name += fmt.Sprintf(" ×%g", a.Scale[0])
		if a.Scale[1] != a.Scale[0] {
			name += fmt.Sprintf("×%g", a.Scale[1])
		}
	}
	return name
}

// ResizeNearest resizes a map, each pixel being one of the operand's: the one at its place, rounded by one of ONNX's
// nearest modes. PyTorch's "nearest" is asymmetric with floor, the default, and its "nearest-exact" is half_pixel
// with round_prefer_ceil.
type ResizeNearest struct {
	Sampling
	Nearest string `json:"nearest"`
}

var resizeNearestKind = moving[ResizeNearest]("resize_nearest")

// Kind implements layer.Op.
func (ResizeNearest) Kind() *layer.Kind { return resizeNearestKind }

// Node implements layer.Op.
func (a ResizeNearest) Node(in []layer.Source) (*layer.Node, error) {
	return layer.Argue(resizeNearestKind, a, in[0])
}

// On implements layer.Arguments.
func (a ResizeNearest) On(s tensor.Shape) (ResizeNearest, tensor.Shape, error) {
	if a.Nearest == "" {
		a.Nearest = "floor"
	}
	if _, err := chosen(roundings(), a.Nearest); err != nil {
		return a, s, &layer.ArgError{Attr: "Nearest", Err: err}
	}
	var out tensor.Shape
	var err error
	a.Sampling, out, err = a.Sampling.sized(s, "asymmetric")
	return a, out, err
}

// Picks lists which of the operand's in rows (axis 0) or columns (axis 1) each of the output's is.
func (a ResizeNearest) Picks(axis, in int) []int {
	round, _ := chosen(roundings(), a.Nearest)
	var list []int
	for _, at := range a.at(axis, in) {
		list = append(list, int(min(max(round(float64(at)), 0), float64(in-1))))
	}
	return list
}

func (a ResizeNearest) places(in, out tensor.Shape) places {
	picks, step := [2][]int{a.Picks(0, in.H), a.Picks(1, in.W)}, layer.Steps(in)
	return along(out, func(k, i int) int {
		if k == 2 {
			return i
		}
		return picks[k][i] * step[k]
	})
}
