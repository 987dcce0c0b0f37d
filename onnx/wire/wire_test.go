package wire

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

// part is a field with a length.
func part(number byte, content ...byte) []byte {
	return append([]byte{number<<3 | 2, byte(len(content))}, content...)
}

// TestForms: lists are read packed and unpacked, a message that comes in parts is put together, and fields that are not
// known are passed over.
func TestForms(t *testing.T) {
	for name, data := range map[string][]byte{
		"unpacked": {1 << 3, 2, 1 << 3, 0xac, 2, 4<<3 | 5, 0, 0, 0xc0, 0x3f},
		"packed":   bytes.Join([][]byte{part(1, 2, 0xac, 2), part(4, 0, 0, 0xc0, 0x3f)}, nil),
		"unknown":  bytes.Join([][]byte{{1 << 3, 2}, {0x9a, 6, 1, 0}, {0xa1, 6, 1, 2, 3, 4, 5, 6, 7, 8}, {1 << 3, 0xac, 2}, part(4, 0, 0, 0xc0, 0x3f)}, nil),
	} {
		m, err := ReadTensor(data)
		if err != nil || !reflect.DeepEqual(m.Dims, []int64{2, 300}) || !reflect.DeepEqual(m.Floats, []float32{1.5}) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	parts := append(part(7, part(2, 'a')...), part(7, part(10, 'b')...)...)
	m, err := Read(parts)
	if err != nil || m.Graph.Name != "a" || m.Graph.Doc != "b" {
		t.Errorf("in parts: %+v, %v", m.Graph, err)
	}
}

func TestDamage(t *testing.T) {
	for want, list := range map[error][][]byte{
		ErrTruncated: {{7<<3 | 2, 5, 0}, {0x80}, {1 << 3}, {0}, part(8, 1<<3), {7<<3 | 3, 8}, {1 << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}},
		ErrWireType:  {{7 << 3, 1}, part(1, 1), {2 << 3, 1}, {1<<3 | 5, 0, 0, 0, 0}, part(7, 1<<3, 0)},
		ErrText:      {part(2, 0xff), part(7, part(1, part(1, 0xc0)...)...)},
	} {
		for _, data := range list {
			if _, err := Read(data); !errors.Is(err, want) {
				t.Errorf("%x: %v, not %v", data, err, want)
			}
		}
	}
}

// TestOnce: a message is written to the same bytes each time, and lists of numbers are packed.
func TestOnce(t *testing.T) {
	zero := int64(0)
	m := &Attribute{Name: "axes", Kind: KindInts, Ints: []int64{1, -1}, I: &zero, S: []byte{}}
	b, err := Append(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Join([][]byte{part(1, 'a', 'x', 'e', 's'), {3 << 3, 0}, part(4), part(8, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1), {0xa0, 1, 7}}, nil)
	if !bytes.Equal(b, want) {
		t.Errorf("got %x\nwant %x", b, want)
	}
}
