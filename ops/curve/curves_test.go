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

// TestPowers: the functions that are not defined everywhere, or have no slope at 0, are package math's where they are, over all sizes.
func TestPowers(t *testing.T) {
	raised := func(e float64) func(x float64) float64 { return func(x float64) float64 { return math.Pow(x, e) } }
	type row struct {
		Pointwise
		f, slope func(x float64) float64
		below    bool // 0, too
	}
	rows := []row{
		{Pointwise{Function: "exp"}, math.Exp, math.Exp, true},
		{Pointwise{Function: "log"}, math.Log, raised(-1), false},
		{Pointwise{Function: "sqrt"}, math.Sqrt, func(x float64) float64 { return 0.5 / math.Sqrt(x) }, false},
		{Pointwise{Function: "abs"}, math.Abs, func(x float64) float64 { return math.Copysign(1, x) }, true},
		{Pointwise{Function: "neg"}, func(x float64) float64 { return -x }, func(float64) float64 { return -1 }, true},
		{Pointwise{Function: "reciprocal"}, raised(-1), func(x float64) float64 { return -1 / (x * x) }, true},
		{Pointwise{Function: "erf"}, math.Erf, func(x float64) float64 { return 2 / sqrtPi * math.Exp(-x*x) }, true},
	}
	for _, e := range []float64{-2, -1.5, -0.5, 0, 0.25, 0.5, 1, 1.7, 2, 3, 7, 101, 110} {
		p := Pointwise{Function: "power", Args: map[string]float64{"exponent": e}}
		rows = append(rows, row{p, raised(e), func(x float64) float64 { return e * math.Pow(x, e-1) }, e == math.Trunc(e)})
	}
	limited := func(y, most float64) float64 { return max(min(y, most), -most) }
	for _, r := range rows {
		n, err := r.Node([]layer.Source{{Shape: tensor.Shape{H: 1, W: 1, C: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		c := r.row().steps(n)
		off := 0
		for i := range 997 {
			x := float32(math.Ldexp(1+float64(i%251)/251, i%249-124))
			if i%2 == 1 && r.below {
				x = -x
			}
			for k, want := range []float64{limited(r.f(float64(x)), math.MaxFloat32), limited(r.slope(float64(x)), 0x1p64)} {
				got := at([]*formula.Formula{c.f, c.slope}[k], x)
				if math.Abs(float64(got)-want) > 1e-7*math.Abs(want)+1e-37 {
					t.Fatalf("%v: at %g the function or slope (%d) is %g, want %g", r.Pointwise, x, k, got, want)
				}
				if got != float32(want) {
					off++
				}
			}
		}
		if off > 10 {
			t.Errorf("%v: %d of 1994 values are other float32 than package math's", r.Pointwise, off)
		}
		if !r.below && at(c.f, -4) != at(c.f, 0) {
			t.Errorf("%v: at -4 it is %g, and at 0 %g", r.Pointwise, at(c.f, -4), at(c.f, 0))
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
		{Function: "power", Args: map[string]float64{"exponent": 10001}},
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
