package refvec

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// Array is an n-dimensional array in C order. Data is a []float32, []float64,
// []int8, []uint8, []int32 or []int64.
type Array struct {
	Shape []int
	Data  any
}

// Len returns the number of elements.
func (a *Array) Len() int {
	n := 1
	for _, d := range a.Shape {
		n *= d
	}
	return n
}

// Float64s returns the elements as float64.
func (a *Array) Float64s() []float64 { return convert[float64](a) }

// Float32s returns the elements as float32, rounded where they are wider.
func (a *Array) Float32s() []float32 { return convert[float32](a) }

// Int32s returns the elements as int32.
func (a *Array) Int32s() []int32 { return convert[int32](a) }

func convert[T Number](a *Array) []T {
	switch d := a.Data.(type) {
	case []float32:
		return castSlice[T](d)
	case []float64:
		return castSlice[T](d)
	case []int8:
		return castSlice[T](d)
	case []uint8:
		return castSlice[T](d)
	case []int32:
		return castSlice[T](d)
	case []int64:
		return castSlice[T](d)
	}
	panic(fmt.Sprintf("refvec: an array of %T", a.Data))
}

func castSlice[T, S Number](s []S) []T {
	out := make([]T, len(s))
	for i, v := range s {
		out[i] = T(v)
	}
	return out
}

// maxElements is more than any of the arrays has.
const maxElements = 1 << 28

// ReadNPZ reads a zip archive of .npy files; the keys lack the ".npy".
func ReadNPZ(path string) (map[string]*Array, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	out := make(map[string]*Array, len(z.File))
	for _, f := range z.File {
		a, err := readEntry(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, f.Name, err)
		}
		out[strings.TrimSuffix(f.Name, ".npy")] = a
	}
	return out, nil
}

func readEntry(f *zip.File) (a *Array, err error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return ReadNPY(r)
}

var (
	npyDescr = regexp.MustCompile(`'descr':\s*'([<|=]?[fiu][1248])'`)
	npyOrder = regexp.MustCompile(`'fortran_order':\s*False`)
	npyShape = regexp.MustCompile(`'shape':\s*\(([0-9, ]*)\)`)
)

// ReadNPY reads one array: version 1.0, little endian, C order.
func ReadNPY(r io.Reader) (*Array, error) {
	head := make([]byte, 10)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	if string(head[:8]) != "\x93NUMPY\x01\x00" {
		return nil, fmt.Errorf("not an .npy file of version 1.0")
	}
	dict := make([]byte, binary.LittleEndian.Uint16(head[8:]))
	if _, err := io.ReadFull(r, dict); err != nil {
		return nil, err
	}
	descr, shape := npyDescr.FindSubmatch(dict), npyShape.FindSubmatch(dict)
	if descr == nil || shape == nil || !npyOrder.Match(dict) {
		return nil, fmt.Errorf("unsupported .npy header %q", dict)
	}
	a := &Array{}
	for _, s := range strings.Split(string(shape[1]), ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		n, err := strconv.Atoi(s)
		if err != nil || n > maxElements || a.Len()*n > maxElements {
			return nil, fmt.Errorf("unsupported .npy shape (%s)", shape[1])
		}
		a.Shape = append(a.Shape, n)
	}
	kind := string(descr[1])
	size := int(kind[len(kind)-1] - '0')
	raw, err := io.ReadAll(io.LimitReader(r, int64(a.Len()*size)))
	if err != nil {
		return nil, err
	}
	if len(raw) < a.Len()*size {
		return nil, io.ErrUnexpectedEOF
	}
	a.Data, err = decode(raw, kind[len(kind)-2:])
	return a, err
}

// decode turns little-endian bytes into a slice of the named type.
func decode(raw []byte, kind string) (any, error) {
	switch kind {
	case "f4":
		return each(raw, 4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }), nil
	case "f8":
		return each(raw, 8, func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }), nil
	case "i1":
		return each(raw, 1, func(b []byte) int8 { return int8(b[0]) }), nil
	case "u1":
		return raw, nil
	case "i4":
		return each(raw, 4, func(b []byte) int32 { return int32(binary.LittleEndian.Uint32(b)) }), nil
	case "i8":
		return each(raw, 8, func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }), nil
	}
	return nil, fmt.Errorf("unsupported element type %s", kind)
}

func each[T any](raw []byte, size int, f func([]byte) T) []T {
	out := make([]T, len(raw)/size)
	for i := range out {
		out[i] = f(raw[i*size:])
	}
	return out
}
