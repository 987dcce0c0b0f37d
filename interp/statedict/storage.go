package statedict

import (
	"fmt"
	"io"
	"math"
	"slices"

	"qpipe/ops/tensor"
)

// storage is a piece of the file with elements of one type, which tensors are views of.
type storage struct {
	dtype    string // as safetensors names it
	size     int    // bytes of an element
	elements int
	big      bool // whether the most significant byte is first

	r  io.ReaderAt
	at int64 // in the file; of an older file, known only after its pickle
}

// kinds are PyTorch's classes of storages: the type of their elements, and its bytes.
func kinds(class string) (dtype string, size int, ok bool) {
	switch class {
	case "FloatStorage":
		return "F32", 4, true
	case "DoubleStorage":
		return "F64", 8, true
	case "HalfStorage":
		return "F16", 2, true
	case "BFloat16Storage":
		return "BF16", 2, true
	case "LongStorage":
		return "I64", 8, true
	case "IntStorage":
		return "I32", 4, true
	case "ShortStorage":
		return "I16", 2, true
	case "CharStorage":
		return "I8", 1, true
	case "ByteStorage":
		return "U8", 1, true
	case "BoolStorage":
		return "BOOL", 1, true
	}
	return "", 0, false
}

// newStorage checks that a storage of that class fits in its place in the file.
func newStorage(r io.ReaderAt, at int64, bytes uint64, class string, elements int, big bool) (*storage, error) {
	dtype, size, ok := kinds(class)
	switch {
	case !ok:
		return nil, fmt.Errorf("a tensor's storage is a %q, which a state dict of floats does not have", clip(class))
	case elements < 0 || uint64(elements) > bytes/uint64(size):
		return nil, fmt.Errorf("a storage says that it has %d elements, and its %d bytes are for %d: the file is damaged or cut short", elements, bytes, bytes/uint64(size))
	}
	return &storage{dtype: dtype, size: size, elements: elements, big: big, r: r, at: at}, nil
}

// view makes a tensor of a storage.
func view(of *storage, offset int, shape, strides []int) (*Tensor, error) {
	if len(shape) != len(strides) || len(shape) > 16 {
		return nil, fmt.Errorf("a tensor has %d dimensions and %d strides", len(shape), len(strides))
	}
	n, last := 1, offset
	for i, d := range shape {
		if d < 0 || d > math.MaxInt32 || strides[i] < 0 || strides[i] > math.MaxInt32 {
			return nil, fmt.Errorf("a tensor has the shape %s and the strides %s", tensor.List(shape...), tensor.List(strides...))
		}
		if d > 0 && n > of.elements/d { // so that nothing overflows
			return nil, fmt.Errorf("a tensor of the shape %s has more elements than its storage, %d: save a clone of it", tensor.List(shape...), of.elements)
		}
		n *= d
		last += max(d-1, 0) * strides[i]
		if last > of.elements {
			break
		}
	}
	if offset < 0 || n > 0 && last >= of.elements {
		return nil, fmt.Errorf("a tensor of the shape %s goes beyond its storage of %d elements: the file is damaged", tensor.List(shape...), of.elements)
	}
	return &Tensor{DType: of.dtype, Shape: shape, of: of, offset: offset, strides: strides}, nil
}

// Bytes reads a tensor's elements, the last dimension fastest, each with the least significant byte first.
func (f *File) Bytes(i int) ([]byte, error) {
	t := &f.tensors[i]
	size, n := t.of.size, count(t.Shape)
	if n == 0 {
		return nil, nil
	}
	span := 1
	for k, d := range t.Shape {
		span += (d - 1) * t.strides[k]
	}
	raw := make([]byte, span*size)
	if k, err := t.of.r.ReadAt(raw, t.of.at+int64(t.offset)*int64(size)); k < len(raw) {
		if err == nil || err == io.EOF {
			err = errCut
		}
		return nil, fmt.Errorf("the tensor %q: %w", clip(t.Name), err)
	}
	if !t.contiguous() {
		raw = t.gather(raw, n)
	}
	if t.of.big {
		for at := 0; at < len(raw); at += size {
			slices.Reverse(raw[at:][:size])
		}
	}
	return raw, nil
}

// contiguous reports whether the elements are one after the other.
func (t *Tensor) contiguous() bool {
	want := 1
	for k := len(t.Shape) - 1; k >= 0; k-- {
		if t.Shape[k] > 1 && t.strides[k] != want {
			return false
		}
		want *= t.Shape[k]
	}
	return true
}

// gather copies n elements into their order.
func (t *Tensor) gather(raw []byte, n int) []byte {
	size := t.of.size
	out := make([]byte, 0, n*size)
	at := make([]int, len(t.Shape))
	for range n {
		from := 0
		for k, x := range at {
			from += x * t.strides[k]
		}
		out = append(out, raw[from*size:][:size]...)
		for k := len(at) - 1; k >= 0; k-- {
			if at[k]++; at[k] < t.Shape[k] {
				break
			}
			at[k] = 0
		}
	}
	return out
}
