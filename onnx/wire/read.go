package wire

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// What is read takes at most Multiple times the length of the input plus Spare bytes of memory, besides the input
// itself, which it shares: bytes are never copied. A file in which nodes, names and numbers would take more is refused.
const (
	Multiple = 48
	Spare    = 64 << 10
)

// deepest is how many messages may lie in each other. Graphs in attributes take three levels each.
const deepest = 64

// Reasons why bytes are no message.
var (
	ErrTruncated = errors.New("the file ends in the middle, or is no ONNX file")
	ErrDeep      = errors.New("graphs are nested too deeply")
	ErrMemory    = errors.New("the file would take far more memory than its size suggests")
	ErrWireType  = errors.New("a field has the wrong wire type: the file is damaged, or is no ONNX file")
	ErrText      = errors.New("a text is not UTF-8")
)

// Read reads a model. The result shares the bytes of data.
func Read(data []byte) (*Model, error) {
	m := &Model{}
	return m, read(data, m)
}

// ReadTensor reads a tensor from a file of its own, as the tests of the ONNX project have them.
func ReadTensor(data []byte) (*Tensor, error) {
	t := &Tensor{}
	return t, read(data, t)
}

func read(data []byte, message any) error {
	r := reader{plans: plans{}, budget: int64(len(data))*Multiple + Spare}
	return r.message(data, reflect.ValueOf(message).Elem(), 0)
}

type reader struct {
	plans  plans
	budget int64
}

// take counts memory that the result will have.
func (r *reader) take(n uintptr) error {
	if r.budget -= int64(n); r.budget < 0 {
		return ErrMemory
	}
	return nil
}

// message reads the fields of the struct v.
func (r *reader) message(b []byte, v reflect.Value, depth int) error {
	if depth > deepest {
		return ErrDeep
	}
	for len(b) > 0 {
		number, wt, n := protowire.ConsumeTag(b)
		if n < 0 {
			return ErrTruncated
		}
		b = b[n:]
		n = protowire.ConsumeFieldValue(number, wt, b)
		if n < 0 {
			return ErrTruncated
		}
		if f, ok := r.plans.find(v.Type(), number); ok {
			err := r.reserve(v.Field(f.index), b[n:], number)
			if err == nil {
				err = r.field(b[:n], wt, v.Field(f.index), depth)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
		}
		b = b[n:]
	}
	return nil
}

// reserve makes room in a list for the element that is being read and those with the same number in the rest of the
// message, so that a list is allocated once.
func (r *reader) reserve(f reflect.Value, rest []byte, number protowire.Number) error {
	if f.Kind() != reflect.Slice || f.Type().Elem().Kind() == reflect.Uint8 || f.Len() < f.Cap() {
		return nil
	}
	n := 1
	for len(rest) > 0 {
		num, wt, k := protowire.ConsumeTag(rest)
		if k < 0 {
			break
		}
		skip := protowire.ConsumeFieldValue(num, wt, rest[k:])
		if skip < 0 {
			break
		}
		if num == number {
			n++
		}
		rest = rest[k+skip:]
	}
	return r.grow(f, n)
}

func (r *reader) grow(f reflect.Value, n int) error {
	if err := r.take(uintptr(n) * f.Type().Elem().Size()); err != nil {
		return err
	}
	f.Grow(n)
	return nil
}

// field reads one value of a field; repeated fields grow by it, or by several where they are packed.
func (r *reader) field(b []byte, wt protowire.Type, f reflect.Value, depth int) error {
	switch f.Kind() {
	case reflect.Pointer:
		if f.Type().Elem().Kind() == reflect.Struct {
			return r.pointed(b, wt, f, depth)
		}
	case reflect.Slice:
		if f.Type().Elem().Kind() == reflect.Struct {
			return r.repeated(b, wt, f, depth)
		}
	}
	if wt == protowire.BytesType {
		content, _ := protowire.ConsumeBytes(b)
		return r.bytes(content, f)
	}
	return r.scalar(b, wt, f)
}

func (r *reader) pointed(b []byte, wt protowire.Type, f reflect.Value, depth int) error {
	if wt != protowire.BytesType {
		return ErrWireType
	}
	if f.IsNil() {
		if err := r.take(f.Type().Elem().Size()); err != nil {
			return err
		}
		f.Set(reflect.New(f.Type().Elem()))
	}
	content, _ := protowire.ConsumeBytes(b)
	return r.message(content, f.Elem(), depth+1)
}

func (r *reader) repeated(b []byte, wt protowire.Type, f reflect.Value, depth int) error {
	if wt != protowire.BytesType {
		return ErrWireType
	}
	i := f.Len()
	f.SetLen(i + 1)
	content, _ := protowire.ConsumeBytes(b)
	if err := r.message(content, f.Index(i), depth+1); err != nil {
		return fmt.Errorf("%d: %w", i, err)
	}
	return nil
}

// bytes reads a value with a length: a text, bytes, or a packed list of numbers.
func (r *reader) bytes(b []byte, f reflect.Value) error {
	switch p := f.Addr().Interface().(type) {
	case *[]byte:
		*p = b
		if b == nil {
			*p = []byte{}
		}
		return nil
	case *[][]byte:
		*p = append(*p, b)
		return nil
	case *string:
		*p = string(b)
		return r.text(b)
	case *[]string:
		*p = append(*p, string(b))
		return r.text(b)
	}
	return r.packed(b, f)
}

func (r *reader) text(b []byte) error {
	if !utf8.Valid(b) {
		return ErrText
	}
	return r.take(uintptr(len(b)))
}

// packed reads a list of numbers.
func (r *reader) packed(b []byte, f reflect.Value) error {
	var wt protowire.Type
	var n int
	switch f.Interface().(type) {
	case []float32:
		wt, n = protowire.Fixed32Type, len(b)/4
	case []float64:
		wt, n = protowire.Fixed64Type, len(b)/8
	case []int32, []int64, []uint64:
		wt = protowire.VarintType
		for _, x := range b { // a number ends where the high bit is 0
			n += int(1 - x>>7)
		}
	default:
		return ErrWireType
	}
	if err := r.grow(f, n); err != nil {
		return err
	}
	for len(b) > 0 {
		n := protowire.ConsumeFieldValue(1, wt, b)
		if n < 0 {
			return ErrTruncated
		}
		if err := r.scalar(b[:n], wt, f); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// scalar reads a number into a field, or appends it to a list.
func (r *reader) scalar(b []byte, wt protowire.Type, f reflect.Value) error {
	want := protowire.VarintType
	switch p := f.Addr().Interface().(type) {
	case **float32:
		want = protowire.Fixed32Type
		x := math.Float32frombits(fixed32(b))
		*p = &x
	case *[]float32:
		want = protowire.Fixed32Type
		*p = append(*p, math.Float32frombits(fixed32(b)))
	case *[]float64:
		want = protowire.Fixed64Type
		x, _ := protowire.ConsumeFixed64(b)
		*p = append(*p, math.Float64frombits(x))
	case *int64:
		*p = int64(varint(b))
	case **int64:
		x := int64(varint(b))
		*p = &x
	case *int32:
		*p = int32(varint(b))
	case *[]int32:
		*p = append(*p, int32(varint(b)))
	case *[]int64:
		*p = append(*p, int64(varint(b)))
	case *[]uint64:
		*p = append(*p, varint(b))
	default:
		return ErrWireType
	}
	if wt != want {
		return ErrWireType
	}
	return nil
}

// varint and fixed32 give 0 where the bytes are of another wire type; scalar refuses those.
func varint(b []byte) uint64 { x, _ := protowire.ConsumeVarint(b); return x }

func fixed32(b []byte) uint32 { x, _ := protowire.ConsumeFixed32(b); return x }
