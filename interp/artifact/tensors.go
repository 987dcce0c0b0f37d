package artifact

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/nlpodyssey/safetensors"

	"qpipe/ops/nn"
)

// view is a tensor as the safetensors library takes it.
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
		return v, fmt.Errorf("the shape %v has %d elements, the data %d", t.Shape, n, have)
	}
	return v, nil
}

// toTensor reads a view. The library has checked that its length is its shape's.
func toTensor(v safetensors.NamedTensorView) (nn.Tensor, error) {
	t := nn.Tensor{Name: v.Name, Shape: make([]int, len(v.TensorView.Shape()))}
	for i, d := range v.TensorView.Shape() {
		if d > math.MaxInt32 {
			return t, fmt.Errorf("the tensor %q has a dimension of %d", clip(v.Name), d)
		}
		t.Shape[i] = int(d)
	}
	b := v.TensorView.Data()
	switch v.TensorView.DType() {
	case safetensors.F32:
		x := make([]float32, len(b)/4)
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		t.Data = x
	case safetensors.I32:
		x := make([]int32, len(b)/4)
		for i := range x {
			x[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
		}
		t.Data = x
	case safetensors.I8:
		x := make([]int8, len(b))
		for i := range x {
			x[i] = int8(b[i])
		}
		t.Data = x
	default:
		return t, fmt.Errorf("the tensor %q is of type %s; F32, I32 and I8 can be read", clip(v.Name), v.TensorView.DType())
	}
	return t, nil
}

func sortedViews(st safetensors.SafeTensors) []safetensors.NamedTensorView {
	views := st.Tensors()
	slices.SortFunc(views, func(a, b safetensors.NamedTensorView) int { return strings.Compare(a.Name, b.Name) })
	return views
}

func headerLen(data []byte) uint64 { return binary.LittleEndian.Uint64(data) }
