// Package tables is the shelf of data sets of numbers: NumPy's arrays, and tables as CSV.
package tables

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// header is the head of an array in NumPy's format.
type header struct {
	kind  byte // b, u, i or f: bool, unsigned, signed, floating point
	size  int  // bytes of a number
	order binary.ByteOrder
	shape []int
	bytes int // of the head itself
}

// mostHead is the most bytes of a head; NumPy writes about 128.
const mostHead = 1 << 16

var (
	descr   = regexp.MustCompile(`'descr'\s*:\s*'([<>|=])([a-zA-Z])(\d*)[^']*'`)
	fortran = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	shaped  = regexp.MustCompile(`'shape'\s*:\s*\(([0-9, ]*)\)`)
)

// readHeader reads the head of an array.
func readHeader(r io.Reader) (*header, error) {
	var lead [12]byte
	if _, err := io.ReadFull(r, lead[:10]); err != nil || string(lead[:6]) != "\x93NUMPY" {
		return nil, errors.New("is no array as NumPy saves them")
	}
	n, at := int(binary.LittleEndian.Uint16(lead[8:])), 10
	if lead[6] >= 2 {
		if _, err := io.ReadFull(r, lead[10:]); err != nil {
			return nil, errors.New("is cut off in its head")
		}
		n, at = int(min(binary.LittleEndian.Uint32(lead[8:]), mostHead+1)), 12
	}
	if n > mostHead {
		return nil, fmt.Errorf("is damaged: its head has more than %d bytes", mostHead)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, errors.New("is cut off in its head")
	}
	h, err := parseHeader(string(text))
	if err != nil {
		return nil, err
	}
	h.bytes = at + n
	return h, nil
}

// parseHeader reads the text of a head, the dictionary of Python that NumPy writes.
func parseHeader(text string) (*header, error) {
	d, f, s := descr.FindStringSubmatch(text), fortran.FindStringSubmatch(text), shaped.FindStringSubmatch(text)
	switch {
	case d != nil && d[2] == "O":
		return nil, errors.New("holds objects of Python, which are programs: save numbers (dtype uint8, float32, …)")
	case d == nil || f == nil || s == nil:
		return nil, errors.New("has a head that is not NumPy's, or an array of records")
	case f[1] == "True":
		return nil, errors.New("is stored column by column: save numpy.ascontiguousarray(a)")
	}
	h := &header{kind: d[2][0], order: binary.LittleEndian}
	if d[1] == ">" {
		h.order = binary.BigEndian
	}
	h.size, _ = strconv.Atoi(d[3])
	if !strings.Contains("b1 u1 u2 u4 u8 i1 i2 i4 i8 f2 f4 f8", fmt.Sprintf("%c%d", h.kind, h.size)) || h.size > 8 {
		return nil, fmt.Errorf("holds values of the type %s%s, not numbers", d[2], d[3])
	}
	for part := range strings.SplitSeq(s[1], ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		n, err := strconv.Atoi(part)
		if err != nil || n > layer.MaxElements {
			return nil, fmt.Errorf("has an extent of %s", part)
		}
		h.shape = append(h.shape, n)
	}
	if len(h.shape) == 0 || len(h.shape) > 4 {
		return nil, fmt.Errorf("has the shape (%s); the first of one to four extents is the number of samples", s[1])
	}
	if v := layer.Volume(h.shape[1:]...); v > layer.MaxElements {
		return nil, fmt.Errorf("has the shape (%s), which is too large for a sample", s[1])
	}
	return h, nil
}

// each is the number of numbers of a sample.
func (h *header) each() int {
	n := 1
	for _, d := range h.shape[1:] {
		n *= d
	}
	return n
}

// image returns the extents of a sample in one of the layouts "NHWC" and "NCHW": rows, columns and channels. A sample of two
// extents has one channel, one of one is a vector.
func (h *header) image(layout string) tensor.Shape {
	switch s := h.shape[1:]; {
	case len(s) == 0:
		return tensor.Shape{H: 1, W: 1, C: 1}
	case len(s) == 1:
		return tensor.Shape{H: 1, W: 1, C: s[0]}
	case len(s) == 2:
		return tensor.Shape{H: s[0], W: s[1], C: 1}
	case layout == "NCHW":
		return tensor.Shape{H: s[1], W: s[2], C: s[0]}
	default:
		return tensor.Shape{H: s[0], W: s[1], C: s[2]}
	}
}

// byteValues reports whether the numbers are bytes, as pixels are.
func (h *header) byteValues() bool { return h.kind == 'u' && h.size == 1 }

// number is the value at the beginning of b.
func (h *header) number(b []byte) float64 {
	switch h.size {
	case 1:
		if h.kind == 'i' {
			return float64(int8(b[0]))
		}
		return float64(b[0])
	case 2:
		v := h.order.Uint16(b)
		switch h.kind {
		case 'f':
			return half(v)
		case 'i':
			return float64(int16(v))
		}
		return float64(v)
	case 4:
		v := h.order.Uint32(b)
		switch h.kind {
		case 'f':
			return float64(math.Float32frombits(v))
		case 'i':
			return float64(int32(v))
		}
		return float64(v)
	}
	v := h.order.Uint64(b)
	switch h.kind {
	case 'f':
		return math.Float64frombits(v)
	case 'i':
		return float64(int64(v))
	}
	return float64(v)
}

// half is the value of a number of IEEE 754 with 16 bits.
func half(v uint16) float64 {
	sign, exponent, fraction := 1-2*float64(v>>15), int(v>>10&31), float64(v&1023)
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		if fraction == 0 {
			return sign * math.Inf(1)
		}
		return math.NaN()
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}
