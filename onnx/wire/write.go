package wire

import (
	"errors"
	"fmt"
	"math"
	"reflect"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrSize is the error of a model that is too large for one protobuf message.
var ErrSize = errors.New("a model of 2 GiB or more does not fit into one file")

// Append appends the bytes of a message, which is a pointer to a struct of this package. Fields are written in the
// order in which the struct declares them and lists of numbers are packed, so equal messages have equal bytes.
func Append(b []byte, message any) ([]byte, error) {
	w := writer{plans: plans{}}
	v := reflect.ValueOf(message).Elem()
	n := w.size(v)
	if n > math.MaxInt32 {
		return nil, ErrSize
	}
	if room := cap(b) - len(b); room < n {
		b = append(make([]byte, 0, len(b)+n), b...)
	}
	w.out = b
	w.message(v)
	return w.out, nil
}

// writer appends to out, or only counts.
type writer struct {
	plans    plans
	out      []byte
	counting bool
	counted  int
}

// size is how many bytes the message has.
func (w *writer) size(v reflect.Value) int {
	c := writer{plans: w.plans, counting: true}
	c.message(v)
	return c.counted
}

func (w *writer) message(v reflect.Value) {
	for _, f := range w.plans.of(v.Type()) {
		w.field(f.number, v.Field(f.index))
	}
}

// field writes a field that is not empty; a pointer and bytes are empty only if they are nil.
func (w *writer) field(n protowire.Number, f reflect.Value) {
	if f.IsZero() {
		return
	}
	switch x := f.Interface().(type) {
	case string:
		w.bytes(n, []byte(x))
	case []byte:
		w.bytes(n, x)
	case int32:
		w.number(n, uint64(x))
	case int64:
		w.number(n, uint64(x))
	case *int64:
		w.number(n, uint64(*x))
	case *float32:
		w.tag(n, protowire.Fixed32Type)
		w.fixed32(math.Float32bits(*x))
	case []string:
		for _, s := range x {
			w.bytes(n, []byte(s))
		}
	case [][]byte:
		for _, s := range x {
			w.bytes(n, s)
		}
	default:
		w.composed(n, f)
	}
}

// composed writes messages and lists of numbers.
func (w *writer) composed(n protowire.Number, f reflect.Value) {
	switch x := f.Interface().(type) {
	case []float32:
		w.length(n, 4*len(x))
		for _, e := range x {
			w.fixed32(math.Float32bits(e))
		}
	case []float64:
		w.length(n, 8*len(x))
		for _, e := range x {
			w.fixed64(math.Float64bits(e))
		}
	case []int32:
		varints(w, n, x)
	case []int64:
		varints(w, n, x)
	case []uint64:
		varints(w, n, x)
	default:
		w.messages(n, f)
	}
}

func (w *writer) messages(n protowire.Number, f reflect.Value) {
	switch f.Kind() {
	case reflect.Pointer:
		w.length(n, w.size(f.Elem()))
		w.message(f.Elem())
	case reflect.Slice:
		for i := range f.Len() {
			w.length(n, w.size(f.Index(i)))
			w.message(f.Index(i))
		}
	default:
		panic(fmt.Sprintf("wire: a field of the type %s", f.Type()))
	}
}

func varints[T int32 | int64 | uint64](w *writer, n protowire.Number, list []T) {
	if len(list) == 0 {
		return
	}
	size := 0
	for _, x := range list {
		size += protowire.SizeVarint(uint64(x))
	}
	w.length(n, size)
	for _, x := range list {
		w.varint(uint64(x))
	}
}

func (w *writer) tag(n protowire.Number, t protowire.Type) { w.varint(protowire.EncodeTag(n, t)) }

func (w *writer) number(n protowire.Number, x uint64) {
	w.tag(n, protowire.VarintType)
	w.varint(x)
}

func (w *writer) length(n protowire.Number, size int) {
	w.tag(n, protowire.BytesType)
	w.varint(uint64(size))
}

func (w *writer) bytes(n protowire.Number, b []byte) {
	w.length(n, len(b))
	if w.counting {
		w.counted += len(b)
		return
	}
	w.out = append(w.out, b...)
}

func (w *writer) varint(x uint64) {
	if w.counting {
		w.counted += protowire.SizeVarint(x)
		return
	}
	w.out = protowire.AppendVarint(w.out, x)
}

func (w *writer) fixed32(x uint32) {
	if w.counting {
		w.counted += 4
		return
	}
	w.out = protowire.AppendFixed32(w.out, x)
}

func (w *writer) fixed64(x uint64) {
	if w.counting {
		w.counted += 8
		return
	}
	w.out = protowire.AppendFixed64(w.out, x)
}
