package quant_test

import (
	"encoding/json"
	"math"
	"testing"

	"qpipe/ops/kernel"
	"qpipe/ops/quant"
)

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		spec       quant.Spec
		qmin, qmax int32
	}{
		{quant.Spec{DType: quant.Int4}, -8, 7},
		{quant.Spec{DType: quant.Int8}, -128, 127},
		{quant.Spec{DType: quant.Int8, Narrow: true}, -127, 127},
		{quant.Spec{DType: quant.Int16}, -32768, 32767},
		{quant.Spec{DType: quant.UInt8}, 0, 255},
		{quant.Spec{}, 0, 0},
	} {
		if lo, hi := c.spec.Limits(); lo != c.qmin || hi != c.qmax {
			t.Errorf("%+v: %d to %d", c.spec, lo, hi)
		}
	}
}

// TestMaxRule: the largest magnitude becomes exactly the largest code on its side.
func TestMaxRule(t *testing.T) {
	for _, d := range []quant.DType{quant.Int4, quant.Int8, quant.Int16, quant.UInt8} {
		s := quant.Spec{DType: d}
		_, qmax := s.Limits()
		for _, amax := range []float32{1e-2, 0.7, 1, 3.14, 1e6} {
			scale, zero := s.Scale(-amax, amax/3)
			q := s.Params(scale, zero)
			side := qmax - zero
			if d == quant.UInt8 {
				side = zero
			}
			if got := quant.Code(-amax, q); got != zero-side {
				t.Errorf("%v: -%g is %d with scale %g and zero %d", d, amax, got, scale, zero)
			}
			if x := quant.Value(zero, q); x != 0 {
				t.Errorf("%v: zero is %g", d, x)
			}
		}
	}
}

// TestNotFinite: broken values and ranges neither panic nor hide.
func TestNotFinite(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	q := kernel.Quant{Scale: 0.5, Zero: 3, Min: -128, Max: 127}
	for x, want := range map[float32]int32{inf: 127, -inf: -128, math.MaxFloat32: 127, -math.MaxFloat32: -128} {
		if got := quant.Code(x, q); got != want {
			t.Errorf("code of %g is %d", x, got)
		}
	}
	if got := quant.Code(nan, q); got != 3 {
		t.Errorf("code of NaN is %d", got)
	}
	if got := quant.Fake(nan, q); got == got {
		t.Errorf("fake quantization of NaN is %g", got)
	}
	for _, scheme := range []quant.Scheme{quant.Symmetric, quant.Affine} {
		s := quant.Spec{DType: quant.Int8, Scheme: scheme}
		if scale, _ := s.Scale(nan, 1); scale == scale {
			t.Errorf("%v: the scale of a NaN is %g", scheme, scale)
		}
		if scale, _ := s.Scale(-1, inf); scale != inf {
			t.Errorf("%v: the scale up to infinity is %g", scheme, scale)
		}
		for _, r := range [][2]float32{{0, 0}, {inf, -inf}, {-1e-40, 1e-40}} {
			if scale, zero := s.Scale(r[0], r[1]); scale != quant.Epsilon || zero < -128 || zero > 127 {
				t.Errorf("%v: %v has the scale %g and the zero point %d", scheme, r, scale, zero)
			}
		}
	}
}

// TestRounding: ties, and the values beside them where an inexact sum would err.
func TestRounding(t *testing.T) {
	for _, c := range []struct{ v, even, up float64 }{
		{0.5, 0, 1},
		{1.5, 2, 2},
		{-0.5, 0, 0},
		{-1.5, -2, -1},
		{2.5, 2, 3},
		{-2.5, -2, -2},
		{float64(math.Nextafter32(0.5, 0)), 0, 0},
		{8388609, 8388609, 8388609},
		{-0.75, -1, -1},
	} {
		if e, u := quant.HalfEven.Round(c.v), quant.HalfUp.Round(c.v); e != c.even || u != c.up {
			t.Errorf("%v rounds to %v and %v, want %v and %v", c.v, e, u, c.even, c.up)
		}
	}
}

func TestText(t *testing.T) {
	want := quant.Spec{DType: quant.Int16, Scheme: quant.Affine, Narrow: true, Rule: quant.HalfRange, Rounding: quant.HalfUp}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(b); s != `{"dtype":"int16","scheme":"affine","narrow":true,"scale_rule":"half_range","rounding":"half_up"}` {
		t.Error(s)
	}
	var got quant.Spec
	if err := json.Unmarshal(b, &got); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if err := json.Unmarshal([]byte(`{"dtype":"int7"}`), &got); err == nil {
		t.Error("int7 is a type")
	} else if s := err.Error(); s != `unknown dtype "int7"; there are float32, int4, int8, int16, uint8` {
		t.Error(s)
	}
	if _, err := json.Marshal(quant.Spec{DType: 99}); err == nil {
		t.Error("the type 99 has a name")
	}
}

// TestLearnableGradient: central differences of the straight-through function
// that LSQ differentiates, with the rounding error of each element held still.
func TestLearnableGradient(t *testing.T) {
	x := []float32{-3.1, -0.42, 0.13, 0.58, 0.9, 2.7}
	dy := []float32{0.3, -1.2, 0.7, 0.4, -0.5, 1.1}
	l := quant.Learnable{Scale: []float32{0.25}, Zero: []float32{1}, Inner: len(x), Min: -8, Max: 7, GradFactor: 0.5}
	dx, ds, dz := make([]float32, len(x)), make([]float32, 1), make([]float32, 1)
	l.Backward(x, dy, dx, ds, dz)
	loss := func(scale, zero float64) float64 {
		sum := 0.0
		for i, v := range x {
			fixed := math.RoundToEven(float64(v)/0.25) - float64(v)/0.25
			q := min(max(float64(v)/scale+fixed+zero, -8), 7)
			sum += float64(dy[i]) * (q - zero) * scale
		}
		return sum
	}
	const h = 1e-5
	if want := 0.5 * (loss(0.25+h, 1) - loss(0.25-h, 1)) / (2 * h); math.Abs(float64(ds[0])-want) > 1e-4 {
		t.Errorf("dscale = %g, want %g", ds[0], want)
	}
	if want := 0.5 * (loss(0.25, 1+h) - loss(0.25, 1-h)) / (2 * h); math.Abs(float64(dz[0])-want) > 1e-4 {
		t.Errorf("dzero = %g, want %g", dz[0], want)
	}
}
