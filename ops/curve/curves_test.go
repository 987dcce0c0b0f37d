package curve

import (
	"encoding/json"
	"math"
	"testing"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/formula"
	"qpipe/ops/kernel/ref"
	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// at is a formula's value, by the definition.
func at(f *formula.Formula, x float32) float32 {
	y := []float32{x}
	ref.Formula(f, y, nil, y, kernel.Room{F64: f.Room()}.Make())
	return y[0]
}

// TestCurvesAreRight: the curves that are made of several operations agree with package math, and so do the slopes with differences.
func TestCurvesAreRight(t *testing.T) {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	want := map[string]func(x float64) float64{
		"hard_swish": func(x float64) float64 { return x * min(max(x+3, 0), 6) / 6 },
		"sigmoid":    sigmoid,
		"tanh":       math.Tanh,
		"silu":       func(x float64) float64 { return x * sigmoid(x) },
		"gelu":       func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 },
		"gelu_tanh":  func(x float64) float64 { return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))) },
		"mish":       func(x float64) float64 { return x * math.Tanh(math.Log1p(math.Exp(x))) },
		"softplus":   func(x float64) float64 { return math.Log1p(math.Exp(x)) },
	}
	for _, k := range curveKinds {
		f := want[k.Name]
		if f == nil {
			continue
		}
		c := k.steps(&layer.Node{})
		off := 0
		for i := range 5001 {
			x := float32(i-2500) / 125
			y, s := at(c.f, x), at(c.slope, x)
			w := f(float64(x))
			if y != float32(w) && math.Abs(w) > 1e-3 { // differences of 1 are less exact below
				off++
			}
			if math.Abs(float64(y)-w) > 1e-7*math.Abs(w)+1e-15 {
				t.Fatalf("%s(%g) is %g, want %g", k.Name, x, y, w)
			}
			const h = 1e-6
			if d := (f(float64(x)+h) - f(float64(x)-h)) / (2 * h); math.Abs(float64(s)-d) > 2e-7 && math.Abs(math.Abs(float64(x))-3) > h {
				t.Fatalf("%s: the slope at %g is %g, want %g", k.Name, x, s, d)
			}
		}
		if off > 2 {
			t.Errorf("%s: %d of 5001 values are other float32 than package math's", k.Name, off)
		}
	}
}

// TestCurvesStayFinite: no curve makes NaN or an infinity out of a float32 that is neither, and a NaN stays one, so that it is noticed.
func TestCurvesStayFinite(t *testing.T) {
	for _, k := range curveKinds {
		b, err := k.body(nil)
		if err != nil {
			t.Fatal(err)
		}
		c := k.of(b.values).steps()
		for _, x := range []float32{0, float32(math.Copysign(0, -1)), 1e-45, -1e-45, 1e-20, -88, 88, 104, -104, 710, -710, 1e10, -1e10, math.MaxFloat32, -math.MaxFloat32} {
			if y, s := at(c.f, x), at(c.slope, x); y-y != 0 || s-s != 0 {
				t.Errorf("%s: f(%g) is %g, its slope %g", k.Name, x, y, s)
			}
		}
		if y := at(c.f, float32(math.NaN())); y == y {
			t.Errorf("%s(NaN) is %g", k.Name, y)
		}
	}
}

// TestSlopesAtKinks: PyTorch's.
func TestSlopesAtKinks(t *testing.T) {
	for _, c := range []struct {
		op       Pointwise
		x, slope float32
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
		if got := at(c.op.row().steps(n).slope, c.x); got != c.slope {
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
