package curve

import (
	"encoding/json"
	"math"
	"testing"

	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// TestCurvesStayFinite: no curve makes NaN or an infinity out of a float32 that is neither, and a NaN stays one, so that it is noticed.
func TestCurvesStayFinite(t *testing.T) {
	for _, k := range curveKinds {
		b, err := k.body(nil)
		if err != nil {
			t.Fatal(err)
		}
		c := k.of(b.values)
		for _, x := range []float64{0, math.Copysign(0, -1), 1e-45, -1e-45, 1e-20, -88, 88, 104, -104, 710, -710, 1e10, -1e10, math.MaxFloat32, -math.MaxFloat32} {
			if y, s := float32(c.f(x)), float32(c.slope(x)); y-y != 0 || s-s != 0 {
				t.Errorf("%s: f(%g) is %g, its slope %g", k.Name, x, y, s)
			}
		}
		if y := c.f(math.NaN()); y == y {
			t.Errorf("%s(NaN) is %g", k.Name, y)
		}
	}
}

// TestSlopesAtKinks: PyTorch's.
func TestSlopesAtKinks(t *testing.T) {
	for _, c := range []struct {
		op       Pointwise
		x, slope float64
	}{
		{Pointwise{Function: "hard_swish"}, -3, 0},
		{Pointwise{Function: "hard_swish"}, 3, 1},
		{Pointwise{Function: "leaky_relu"}, 0, 0.01},
		{Pointwise{Function: "elu", Args: map[string]float64{"alpha": 2}}, 0, 2},
		{Pointwise{Function: "hard_sigmoid"}, -3, 0},
		{Pointwise{Function: "hard_sigmoid"}, 3, 0},
		{Pointwise{Function: "clip", Args: map[string]float64{"min": -1, "max": 2}}, -1, 0},
		{Pointwise{Function: "clip", Args: map[string]float64{"min": -1, "max": 2}}, 2, 0},
	} {
		n, err := c.op.Node([]layer.Source{{Shape: tensor.Shape{H: 1, W: 1, C: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.op.row().curve(n).slope(c.x); got != c.slope {
			t.Errorf("%v: the slope at %g is %g, want %g", c.op, c.x, got, c.slope)
		}
	}
}

// TestCurvesRefuse: what is no number of a curve, from a model's text and from a file.
func TestCurvesRefuse(t *testing.T) {
	in := []layer.Source{{Shape: tensor.Shape{H: 1, W: 1, C: 1}}}
	for _, p := range []Pointwise{
		{Function: "sine"},
		{Function: "tanh", Args: map[string]float64{"alpha": 1}},
		{Function: "elu", Args: map[string]float64{"beta": 1}},
		{Function: "elu", Args: map[string]float64{"alpha": math.NaN()}},
		{Function: "leaky_relu", Args: map[string]float64{"negative_slope": 1e39}},
		{Function: "clip", Args: map[string]float64{"min": math.Inf(-1)}},
		{Function: "clip", Args: map[string]float64{"min": 2, "max": 1}},
	} {
		if _, err := p.Node(in); err == nil {
			t.Errorf("%v is accepted", p)
		}
	}
	for _, c := range []struct{ function, text string }{
		{"elu", ``},
		{"elu", `{}`},
		{"elu", `{"alpha":null}`},
		{"elu", `{"alpha":1,"beta":2}`},
		{"elu", `{"alpha":1e39}`},
		{"elu", `{"alpha":"1"}`},
		{"elu", `[1]`},
		{"hard_sigmoid", `{"alpha":1}`},
		{"clip", `{"min":1,"max":0}`},
		{"clip", `{"max":null}`},
	} {
		k := Pointwise{Function: c.function}.Kind()
		if _, err := k.Restore(nil, layer.Fields{"curve": json.RawMessage(c.text)}); err == nil {
			t.Errorf("%s with %s is read", c.function, c.text)
		}
	}
}

// TestPack: bit i of a mask is flag i, and the unused bits of its last byte are 0.
func TestPack(t *testing.T) {
	for n := range 40 {
		flags, mask := make([]uint8, n), []uint8{255, 255, 255, 255, 255}
		for i := range flags {
			flags[i] = uint8(i*i*7%11) & 1
		}
		pack(flags, mask)
		for i := range (n + 7) / 8 * 8 {
			want := i < n && flags[i] == 1
			if mask[i/8]>>(i%8)&1 == 1 != want {
				t.Fatalf("%d flags %v become the mask %08b", n, flags, mask)
			}
		}
	}
}
