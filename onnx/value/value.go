// Package value has the tensors that ONNX's ops are computed with. They are kept in two forms, whatever their type: those
// with fractions as float64, all others as int64. Every value of every type fits into one of them exactly, so an op is
// written once, and its result is rounded to the type of its output. This is a definition and not fast.
package value

import (
	"fmt"
	"slices"

	"qpipe/onnx/model"
)

// Value is a tensor. One of F and I has its elements, by its type; if both are nil, only its type and shape are known.
type Value struct {
	Type model.Type
	Dims []int
	F    []float64
	I    []int64
}

// New returns a tensor of zeros.
func New(t model.Type, dims []int) *Value {
	n, err := model.Elements(dims)
	if err != nil {
		panic(err) // shapes are checked where they are computed
	}
	v := &Value{Type: t, Dims: dims}
	if t.Float() {
		v.F = make([]float64, n)
	} else {
		v.I = make([]int64, n)
	}
	return v
}

// Floats returns a float tensor.
func Floats(dims []int, x ...float64) *Value { return &Value{Type: model.Float, Dims: dims, F: x} }

// Ints returns an int64 tensor.
func Ints(dims []int, x ...int64) *Value { return &Value{Type: model.Int64, Dims: dims, I: x} }

// Of returns the values of a tensor in a file.
func Of(t *model.Tensor) *Value {
	v := &Value{Type: t.Type, Dims: t.Dims}
	if t.Type.Float() {
		v.F = t.Floats()
	} else {
		v.I = t.Ints()
	}
	return v
}

// Tensor returns the tensor as it is in files.
func (v *Value) Tensor(name string) *model.Tensor {
	if v.F != nil {
		return model.OfFloats(name, v.Type, v.Dims, v.F)
	}
	return model.OfInts(name, v.Type, v.Dims, v.I)
}

// Known reports whether the elements are known.
func (v *Value) Known() bool { return v.F != nil || v.I != nil }

// Len is the number of elements.
func (v *Value) Len() int { return Count(v.Dims) }

// View is the tensor with another shape of as many elements, which are shared.
func (v *Value) View(dims []int) *Value {
	return &Value{Type: v.Type, Dims: dims, F: v.F, I: v.I}
}

// Number is an element as a float64.
func (v *Value) Number(i int) float64 {
	switch {
	case v.F != nil:
		return v.F[i]
	case v.Type == model.Uint64:
		return float64(uint64(v.I[i]))
	}
	return float64(v.I[i])
}

// Numbers are all elements as float64.
func (v *Value) Numbers() []float64 {
	if v.F != nil {
		return v.F
	}
	x := make([]float64, len(v.I))
	for i := range x {
		x[i] = v.Number(i)
	}
	return x
}

// Round rounds the elements to the type, and cuts integers to its bits.
func (v *Value) Round() {
	switch v.Type {
	case model.Double, model.Int64, model.Uint64:
	case model.Float:
		for i, x := range v.F {
			v.F[i] = float64(float32(x))
		}
	default:
		for i, x := range v.F {
			v.F[i] = model.Round(v.Type, x)
		}
		for i, x := range v.I {
			v.I[i] = Wrap(v.Type, x)
		}
	}
}

// Wrap cuts an integer to the bits of a type.
func Wrap(t model.Type, x int64) int64 {
	free := 64 - t.Bits()
	switch t {
	case model.Bool:
		if x != 0 {
			return 1
		}
		return 0
	case model.Uint4, model.Uint8, model.Uint16, model.Uint32:
		return int64(uint64(x) << free >> free)
	}
	return x << free >> free
}

// Limits are the smallest and the largest value of a type of integers of at most 32 bits.
func Limits(t model.Type) (least, most int64) {
	b := t.Bits()
	switch t {
	case model.Uint4, model.Uint8, model.Uint16, model.Uint32:
		return 0, 1<<b - 1
	}
	return -(1 << (b - 1)), 1<<(b-1) - 1
}

// Count is the number of elements of a checked shape.
func Count(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// Strides are the distances of neighbors along each dimension.
func Strides(dims []int) []int {
	s := make([]int, len(dims))
	n := 1
	for i := len(dims) - 1; i >= 0; i-- {
		s[i] = n
		n *= dims[i]
	}
	return s
}

// Broadcast is the shape of an element-wise op on two shapes: aligned at their ends, an extent of 1 is repeated.
func Broadcast(a, b []int) ([]int, error) {
	out := slices.Clone(a)
	if len(b) > len(a) {
		out = slices.Clone(b)
	}
	for i := range min(len(a), len(b)) {
		x, y := a[len(a)-1-i], b[len(b)-1-i]
		switch {
		case x == y, y == 1:
			out[len(out)-1-i] = x
		case x == 1:
			out[len(out)-1-i] = y
		default:
			return nil, fmt.Errorf("the shapes %v and %v do not fit each other", a, b)
		}
	}
	return out, nil
}

// Spread are the strides with which a shape is read while a larger one is walked: 0 along repeated dimensions.
func Spread(dims, to []int) []int {
	out := make([]int, len(to))
	own := Strides(dims)
	shift := len(to) - len(dims)
	for i := range dims {
		if dims[i] != 1 || to[shift+i] == 1 {
			out[shift+i] = own[i]
		}
	}
	return out
}

// Rows walks a shape: f gets the place of the first element of each row of the last dimension, and the places that other
// tensors have it at, by their strides.
func Rows(dims []int, strides [][]int, f func(row int, at []int)) {
	n := Count(dims)
	if n == 0 {
		return
	}
	if len(dims) == 0 {
		f(0, make([]int, len(strides)))
		return
	}
	last := len(dims) - 1
	at, index := make([]int, len(strides)), make([]int, last)
	for row := 0; row < n; row += dims[last] {
		f(row, at)
		for d := last - 1; d >= 0; d-- {
			index[d]++
			for k, s := range strides {
				at[k] += s[d]
			}
			if index[d] < dims[d] {
				break
			}
			for k, s := range strides {
				at[k] -= s[d] * dims[d]
			}
			index[d] = 0
		}
	}
}

// Last is the extent and the strides of the last dimension, that of a row.
func Last(dims []int, strides ...[]int) (n int, steps []int) {
	steps = make([]int, len(strides))
	if len(dims) == 0 {
		return 1, steps
	}
	for k, s := range strides {
		steps[k] = s[len(s)-1]
	}
	return dims[len(dims)-1], steps
}

// Pick fills the tensor with elements of another of its type: out[i] = from[at(i)]. A negative place leaves it as it is.
func (v *Value) Pick(from *Value, at func(i int) int) {
	if v.F != nil {
		pick(v.F, from.F, at)
		return
	}
	pick(v.I, from.I, at)
}

func pick[T any](out, from []T, at func(i int) int) {
	for i := range out {
		if k := at(i); k >= 0 {
			out[i] = from[k]
		}
	}
}

// Copy copies elements of another tensor of its type.
func (v *Value) Copy(to int, from *Value, at, n int) {
	if v.F != nil {
		copy(v.F[to:to+n], from.F[at:at+n])
		return
	}
	copy(v.I[to:to+n], from.I[at:at+n])
}

// Walk fills the tensor with elements of another of its type, which is read with the given strides from a place on.
func (v *Value) Walk(from *Value, start int, strides []int) {
	n, step := Last(v.Dims, strides)
	Rows(v.Dims, [][]int{strides}, func(row int, at []int) {
		for i := range n {
			if v.F != nil {
				v.F[row+i] = from.F[start+at[0]+i*step[0]]
			} else {
				v.I[row+i] = from.I[start+at[0]+i*step[0]]
			}
		}
	})
}
