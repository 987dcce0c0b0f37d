package model

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Tensor is a tensor with its elements: little-endian, packed, the last dimension running fastest. Two elements of 4
// bits share a byte, the first in its low half. Data may be shared with the file that was read: it is not written to.
type Tensor struct {
	Name string
	Type Type
	Dims []int
	Data []byte
	Doc  string
}

// Elements is the number of elements of a shape. It is an error if a dimension is negative, or if there are more than
// 2^40 elements; so sizes in bits cannot overflow.
func Elements(dims []int) (int, error) {
	n, zero := 1, false
	for _, d := range dims {
		switch {
		case d < 0:
			return 0, fmt.Errorf("the dimension %d is negative", d)
		case d == 0:
			zero = true
			continue
		case d > mostElements/n:
			return 0, fmt.Errorf("the shape %v has more than 2^40 elements", dims)
		}
		n *= d
	}
	if zero {
		return 0, nil
	}
	return n, nil
}

const (
	mostElements = 1 << 40
	mostDims     = 64 // more have no use, and would make every loop over a shape slow
)

// bytesOf is how many bytes n elements take.
func bytesOf(t Type, n int) int { return (n*t.Bits() + 7) / 8 }

// Check reports what is wrong with a tensor in itself: its type, its shape, the number of its bytes.
func (t *Tensor) Check() error {
	n, err := t.count()
	if err != nil {
		return err
	}
	if want := bytesOf(t.Type, n); len(t.Data) != want {
		return fmt.Errorf("%s%v takes %d bytes, and there are %d", t.Type, t.Dims, want, len(t.Data))
	}
	return nil
}

// count is the number of elements by the shape.
func (t *Tensor) count() (int, error) {
	if t.Type.Bits() == 0 {
		return 0, fmt.Errorf("elements of the type %s are not supported", t.Type)
	}
	if len(t.Dims) > mostDims {
		return 0, fmt.Errorf("it has %d dimensions; %d are allowed", len(t.Dims), mostDims)
	}
	return Elements(t.Dims)
}

// Len is the number of elements.
func (t *Tensor) Len() int {
	n, _ := Elements(t.Dims)
	return n
}

// Ints returns the elements of a tensor of integers or bools. Those of uint64 above the largest int64 wrap around.
func (t *Tensor) Ints() []int64 {
	out := make([]int64, t.Len())
	for i := range out {
		out[i] = t.integer(i)
	}
	return out
}

func (t *Tensor) integer(i int) int64 {
	d, le := t.Data, binary.LittleEndian
	switch t.Type {
	case Int8:
		return int64(int8(d[i]))
	case Uint8, Bool:
		return int64(d[i])
	case Int16:
		return int64(int16(le.Uint16(d[2*i:])))
	case Uint16:
		return int64(le.Uint16(d[2*i:]))
	case Int32:
		return int64(int32(le.Uint32(d[4*i:])))
	case Uint32:
		return int64(le.Uint32(d[4*i:]))
	case Int64, Uint64:
		return int64(le.Uint64(d[8*i:]))
	case Uint4:
		return int64(d[i/2] >> (4 * (i % 2)) & 15)
	case Int4:
		return int64(int8(d[i/2]>>(4*(i%2))<<4) >> 4)
	}
	panic("model: a tensor of " + t.Type.String() + " has no integers")
}

// Floats returns the elements of a tensor with fractions. Every value of those types is a float64 too.
func (t *Tensor) Floats() []float64 {
	out := make([]float64, t.Len())
	d, le := t.Data, binary.LittleEndian
	for i := range out {
		switch t.Type {
		case Float:
			out[i] = float64(math.Float32frombits(le.Uint32(d[4*i:])))
		case Double:
			out[i] = math.Float64frombits(le.Uint64(d[8*i:]))
		case Float16:
			out[i] = fromHalf(le.Uint16(d[2*i:]))
		case BFloat16:
			out[i] = float64(math.Float32frombits(uint32(le.Uint16(d[2*i:])) << 16))
		default:
			panic("model: a tensor of " + t.Type.String() + " has no fractions")
		}
	}
	return out
}

// OfInts makes a tensor of integers or bools out of values, which are cut to the type's bits.
func OfInts(name string, t Type, dims []int, values []int64) *Tensor {
	b := make([]byte, bytesOf(t, len(values)))
	le := binary.LittleEndian
	for i, x := range values {
		switch t.Bits() {
		case 4:
			b[i/2] |= byte(x&15) << (4 * (i % 2))
		case 8:
			b[i] = byte(x)
		case 16:
			le.PutUint16(b[2*i:], uint16(x))
		case 32:
			le.PutUint32(b[4*i:], uint32(x))
		case 64:
			le.PutUint64(b[8*i:], uint64(x))
		}
	}
	return &Tensor{Name: name, Type: t, Dims: dims, Data: b}
}

// OfFloats makes a tensor with fractions out of values, rounded to the type.
func OfFloats(name string, t Type, dims []int, values []float64) *Tensor {
	b := make([]byte, bytesOf(t, len(values)))
	le := binary.LittleEndian
	for i, x := range values {
		switch t {
		case Float:
			le.PutUint32(b[4*i:], math.Float32bits(float32(x)))
		case Double:
			le.PutUint64(b[8*i:], math.Float64bits(x))
		case Float16:
			le.PutUint16(b[2*i:], toHalf(x))
		case BFloat16:
			le.PutUint16(b[2*i:], toBrain(x))
		}
	}
	return &Tensor{Name: name, Type: t, Dims: dims, Data: b}
}

// Round returns the value of the type that is nearest to x; of two that are equally near, the one with an even last bit.
func Round(t Type, x float64) float64 {
	switch t {
	case Float:
		return float64(float32(x))
	case Float16:
		return fromHalf(toHalf(x))
	case BFloat16:
		return float64(math.Float32frombits(uint32(toBrain(x)) << 16))
	}
	return x
}
