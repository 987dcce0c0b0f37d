package artifact

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/nlpodyssey/safetensors"

	"qpipe/interp/checkpoint"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// view is a tensor in the safetensors library's form.
type view struct {
	dtype safetensors.DType
	shape []uint64
	data  []byte
}

func (v view) DType() safetensors.DType { return v.dtype }
func (v view) Shape() []uint64          { return v.shape }
func (v view) Data() []byte             { return v.data }
func (v view) DataLen() uint64          { return uint64(len(v.data)) }

func addViews(to map[string]view, prefix string, ts []nn.Tensor) error {
	for _, t := range ts {
		name := prefix + t.Name
		if _, dup := to[name]; dup || name == "__metadata__" {
			return fmt.Errorf("there are two tensors named %q", name)
		}
		v, err := toView(t)
		if err != nil {
			return fmt.Errorf("tensor %s: %w", name, err)
		}
		to[name] = v
	}
	return nil
}

func toView(t nn.Tensor) (view, error) {
	v := view{shape: make([]uint64, len(t.Shape))}
	n := 1
	for i, d := range t.Shape {
		v.shape[i] = uint64(d)
		n *= d
	}
	have := 0
	switch d := t.Data.(type) {
	case []float32:
		have, v.dtype, v.data = len(d), safetensors.F32, make([]byte, 4*len(d))
		for i, x := range d {
			binary.LittleEndian.PutUint32(v.data[4*i:], math.Float32bits(x))
		}
	case []int32:
		have, v.dtype, v.data = len(d), safetensors.I32, make([]byte, 4*len(d))
		for i, x := range d {
			binary.LittleEndian.PutUint32(v.data[4*i:], uint32(x))
		}
	case []int8:
		have, v.dtype, v.data = len(d), safetensors.I8, make([]byte, len(d))
		for i, x := range d {
			v.data[i] = byte(x)
		}
	default:
		return v, fmt.Errorf("%T is no tensor type", t.Data)
	}
	if have != n {
		return v, fmt.Errorf("the shape %s has %d elements, the data %d", tensor.List(t.Shape...), n, have)
	}
	return v, nil
}

// tensor builds a tensor from its bytes b. Float types become float32, which the program computes with; data of types
// that it does not use stay as they are.
func (e *entry) tensor(b []byte) (nn.Tensor, error) {
	t := nn.Tensor{Name: e.name, Shape: e.shape}
	if t.Shape == nil {
		t.Shape = []int{}
	}
	switch e.dtype {
	case "F32":
		t.Data = decode(b, 4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) })
	case "F16":
		t.Data = decode(b, 2, func(b []byte) float32 { return half(binary.LittleEndian.Uint16(b)) })
	case "BF16":
		t.Data = decode(b, 2, func(b []byte) float32 { return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16) })
	case "F64":
		wide := decode(b, 8, func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) })
		x, err := narrow(wide)
		if err != nil {
			return t, fmt.Errorf("the tensor %q: %w", clip(e.name), err)
		}
		t.Data = x
	case "I32":
		t.Data = decode(b, 4, func(b []byte) int32 { return int32(binary.LittleEndian.Uint32(b)) })
	case "I8":
		codes := make([]int8, len(b))
		for i, v := range b {
			codes[i] = int8(v)
		}
		t.Data = codes
	default:
		t.Data = checkpoint.Unloadable{DType: e.dtype, Bytes: len(b)}
	}
	return t, nil
}

func decode[T any](b []byte, size int, of func(b []byte) T) []T {
	x := make([]T, len(b)/size)
	for i := range x {
		x[i] = of(b[i*size:])
	}
	return x
}

// half is the value of an IEEE 754 binary16 number, which float32 represents exactly.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exp {
	case 0: // zero and subnormal numbers: frac·2^-24
		return math.Float32frombits(sign | math.Float32bits(float32(frac)*0x1p-24))
	case 0x1f:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// narrow rounds to float32; a finite number that becomes infinite is an error.
func narrow(x []float64) ([]float32, error) {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
		if math.IsInf(float64(y[i]), 0) && !math.IsInf(v, 0) {
			return nil, fmt.Errorf("its value %g is beyond float32, which the program computes with", v)
		}
	}
	return y, nil
}

func headerLen(data []byte) uint64 { return binary.LittleEndian.Uint64(data) }
