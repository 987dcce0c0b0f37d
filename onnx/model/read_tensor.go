package model

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"qpipe/onnx/wire"
)

// tensor reads a tensor and checks it.
func (r *reader) tensor(w *wire.Tensor) (*Tensor, error) {
	t := &Tensor{Name: w.Name, Type: Type(w.Type), Doc: w.Doc}
	if w.Segment != nil {
		return nil, errors.New("tensors in segments are not supported")
	}
	if len(w.Dims) > mostDims {
		return nil, fmt.Errorf("it has %d dimensions; %d are allowed", len(w.Dims), mostDims)
	}
	t.Dims = make([]int, len(w.Dims))
	for i, d := range w.Dims {
		t.Dims[i] = int(d)
	}
	n, err := t.count()
	if err != nil {
		return nil, err
	}
	switch {
	case w.Location == wire.InFile:
		t.Data, err = r.store.read(w.External, bytesOf(t.Type, n))
		if err != nil {
			return nil, err
		}
	case w.Raw != nil:
		t.Data = w.Raw
	default:
		t.Data = typed(w, t.Type)
	}
	return t, t.Check()
}

// typed are the bytes of elements that are listed as numbers. Small ones are listed as int32.
func typed(w *wire.Tensor, t Type) []byte {
	le := binary.LittleEndian
	switch t {
	case Float:
		return pack(w.Floats, 4, func(b []byte, x float32) { le.PutUint32(b, math.Float32bits(x)) })
	case Double:
		return pack(w.Doubles, 8, func(b []byte, x float64) { le.PutUint64(b, math.Float64bits(x)) })
	case Int64:
		return pack(w.Longs, 8, func(b []byte, x int64) { le.PutUint64(b, uint64(x)) })
	case Uint64:
		return pack(w.Unsigned, 8, le.PutUint64)
	case Uint32:
		return pack(w.Unsigned, 4, func(b []byte, x uint64) { le.PutUint32(b, uint32(x)) })
	case Int32:
		return pack(w.Ints, 4, func(b []byte, x int32) { le.PutUint32(b, uint32(x)) })
	case Int16, Uint16, Float16, BFloat16:
		return pack(w.Ints, 2, func(b []byte, x int32) { le.PutUint16(b, uint16(x)) })
	}
	return pack(w.Ints, 1, func(b []byte, x int32) { b[0] = byte(x) }) // a byte has two elements of 4 bits
}

func pack[T any](list []T, size int, put func([]byte, T)) []byte {
	b := make([]byte, size*len(list))
	for i, x := range list {
		put(b[size*i:], x)
	}
	return b
}
