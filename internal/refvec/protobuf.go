package refvec

import (
	"encoding/binary"
	"errors"
)

// The wire types of the protocol buffers encoding.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

var errWire = errors.New("malformed protocol buffers message")

// field is one field of a message: bytes for wireBytes, value for the others.
type field struct {
	num   int
	wire  int
	value uint64
	bytes []byte
}

// eachField calls f for every field of the message.
func eachField(b []byte, f func(field) error) error {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return errWire
		}
		fd := field{num: int(tag >> 3), wire: int(tag & 7)}
		rest, err := fd.read(b[n:])
		if err != nil {
			return err
		}
		if err := f(fd); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// read takes the field's content from the front of b and returns what follows.
func (f *field) read(b []byte) ([]byte, error) {
	switch f.wire {
	case wireVarint:
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errWire
		}
		f.value = v
		return b[n:], nil
	case wireFixed64:
		if len(b) < 8 {
			return nil, errWire
		}
		f.value = binary.LittleEndian.Uint64(b)
		return b[8:], nil
	case wireFixed32:
		if len(b) < 4 {
			return nil, errWire
		}
		f.value = uint64(binary.LittleEndian.Uint32(b))
		return b[4:], nil
	case wireBytes:
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, errWire
		}
		end := n + int(size)
		f.bytes = b[n:end:end]
		return b[end:], nil
	}
	return nil, errWire
}

// repeated returns the numbers of a repeated field, packed or not.
func (f *field) repeated(wire int) ([]uint64, error) {
	if f.wire != wireBytes {
		return []uint64{f.value}, nil
	}
	var out []uint64
	for b := f.bytes; len(b) > 0; {
		e := field{wire: wire}
		rest, err := e.read(b)
		if err != nil {
			return nil, err
		}
		out, b = append(out, e.value), rest
	}
	return out, nil
}
