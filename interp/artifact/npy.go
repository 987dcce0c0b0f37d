package artifact

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"qpipe/interp/disk"
)

// npyMagic is the beginning of a file in NumPy's format, version 1.0.
const npyMagic = "\x93NUMPY\x01\x00"

// npyKinds are the element types as NumPy's headers name them.
func npyKinds() map[string]string {
	return map[string]string{"int8": "|i1", "uint8": "|u1", "int64": "<i8", "float32": "<f4"}
}

// npyHeader returns the header of an array in C order, as numpy.save writes it:
// padded with spaces so that the elements begin at a multiple of 64 bytes.
func npyHeader(dtype string, shape []int) []byte {
	dims := make([]string, len(shape))
	for i, d := range shape {
		dims[i] = fmt.Sprint(d)
	}
	tuple := strings.Join(dims, ", ")
	if len(shape) == 1 {
		tuple += ","
	}
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", npyKinds()[dtype], tuple)
	size := len(npyMagic) + 2 + len(dict) + 1
	dict += strings.Repeat(" ", (64-size%64)%64) + "\n"
	head := binary.LittleEndian.AppendUint16([]byte(npyMagic), uint16(len(dict)))
	return append(head, dict...)
}

// npyFile is an array that is written piece by piece. Its shape is known from the start.
type npyFile struct {
	file    *os.File
	w       *bufio.Writer
	scratch []byte
	left    int // elements still to be written
}

// createNPY creates an .npy file of elements of the type dtype (a key of npyKinds).
func createNPY(d *disk.Disk, name, dtype string, shape []int) (*npyFile, error) {
	f, err := d.Create(name)
	if err != nil {
		return nil, err
	}
	a := &npyFile{file: f, w: bufio.NewWriterSize(f, 1<<16), left: elements(shape)}
	if _, err := a.w.Write(npyHeader(dtype, shape)); err != nil {
		_ = f.Close()
		return nil, err
	}
	return a, nil
}

func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// append writes the next elements: a []int8, []uint8, []int64 or []float32.
func (a *npyFile) append(data any) error {
	b, n := a.scratch[:0], 0
	switch data := data.(type) {
	case []uint8:
		b, n = append(b, data...), len(data)
	case []int8:
		n = len(data)
		for _, v := range data {
			b = append(b, byte(v))
		}
	case []int64:
		n = len(data)
		for _, v := range data {
			b = binary.LittleEndian.AppendUint64(b, uint64(v))
		}
	case []float32:
		n = len(data)
		for _, v := range data {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
	default:
		return fmt.Errorf("an array of %T", data)
	}
	a.scratch = b
	if a.left -= n; a.left < 0 {
		return fmt.Errorf("%s: more elements than its shape has", filepath.Base(a.file.Name()))
	}
	_, err := a.w.Write(b)
	return err
}

// close finishes the file, which must be complete.
func (a *npyFile) close(d *disk.Disk) error {
	err := a.w.Flush()
	if err == nil && a.left != 0 {
		err = fmt.Errorf("%s: %d elements are missing", filepath.Base(a.file.Name()), a.left)
	}
	if err == nil {
		err = d.SyncFile(a.file)
	}
	if closed := a.file.Close(); err == nil {
		err = closed
	}
	return err
}
