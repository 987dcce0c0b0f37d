package refvec

import (
	"bytes"
	"fmt"
	"math"
	"testing"
)

// TestLoad reads every family that is there: every array that a case names
// exists, has as many elements as its shape says, and passes its own tolerance.
func TestLoad(t *testing.T) {
	for _, family := range []string{"quant", "convbn", "absorb", "intinfer"} {
		t.Run(family, func(t *testing.T) {
			for _, c := range Load(t, family) {
				for _, name := range append(append([]string{}, c.Inputs...), c.Outputs...) {
					if a := c.Array(t, name); len(a.Float64s()) != a.Len() {
						t.Errorf("%s: %s: %d elements for shape %v", c.Name, name, len(a.Float64s()), a.Shape)
					}
				}
				for _, name := range c.Outputs {
					Check(t, c, name, c.Array(t, name).Float64s())
				}
				if c.Files["model"] != "" && len(c.Model(t).Nodes) == 0 {
					t.Errorf("%s: a model without nodes", c.Name)
				}
			}
		})
	}
}

func TestDiff(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		got, want float64
		same      bool
	}{
		{1, 1, true},
		{1.1, 1, true},
		{1.3, 1, false},
		{-1, 1, false},
		{nan, nan, true},
		{nan, 1, false},
		{1, nan, false},
		{inf, inf, true},
		{-inf, inf, false},
		{1, inf, false},
	} {
		if same := Diff([]float64{c.got}, []float64{c.want}, Tol{Abs: 0.1, Rel: 0.1}) == ""; same != c.same {
			t.Errorf("got %v, want %v: equal = %v", c.got, c.want, same)
		}
	}
	if Diff([]int8{1}, nil, Tol{}) == "" {
		t.Error("different lengths are equal")
	}
}

func TestLayout(t *testing.T) {
	x := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11} // 1×2×2×3
	y := NHWC(x, 1, 2, 2, 3)
	if fmt.Sprint(y) != "[0 6 1 7 2 8 3 9 4 10 5 11]" {
		t.Error(y)
	}
	if back := NCHW(y, 1, 2, 2, 3); fmt.Sprint(back) != fmt.Sprint(x) {
		t.Error(back)
	}
}

// FuzzReaders: no panic and no unbounded memory, whatever the bytes.
func FuzzReaders(f *testing.F) {
	f.Add([]byte("\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"))
	f.Add([]byte{0x3a, 4, 0x0a, 2, 0x22, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := ReadNPY(bytes.NewReader(b)); err == nil && len(a.Float64s()) != a.Len() {
			t.Error("shape and data disagree")
		}
		if m, err := ParseModel(b); err == nil && m == nil {
			t.Error("neither a model nor an error")
		}
	})
}
