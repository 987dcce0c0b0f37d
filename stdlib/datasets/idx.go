// Package datasets is the shelf of data sets: it turns files, or a seed, into labelled images. It knows no transforms
// and no network. An error about a file names the file and says what to do.
package datasets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"qpipe/interp/part"
)

// idxImages and idxLabels are the magic numbers of IDX files of bytes with three
// dimensions and with one (http://yann.lecun.com/exdb/mnist, "THE IDX FILE FORMAT").
const (
	idxImages = 0x00000803
	idxLabels = 0x00000801
)

// idx is the content of an IDX file of bytes.
type idx struct {
	name string
	dims []int
	data []byte
}

// readIDX reads the IDX file called name, or an alternative spelling of it. Its magic number must be the given one.
// limit > 0 stops after so many items of the first dimension.
func readIDX(fsys fs.FS, name string, magic uint32, limit int) (*idx, error) {
	r, name, err := openIDX(fsys, name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // only read
	x, err := decodeIDX(r, r.most, magic, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	x.name = name
	return x, nil
}

// openIDX opens the file, compressed or not, under the first of its spellings that is a file: some archives unpack into
// a folder with the name of the file in it.
func openIDX(fsys fs.FS, name string) (*dataFile, string, error) {
	missing := &missingError{name: name}
	for _, n := range spellings(name) {
		r, err := openData(fsys, n, 0)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, errFolder):
			missing.folders = append(missing.folders, n)
		default:
			return r, n, err
		}
	}
	return nil, "", missing
}

// spellings are the names that IDX files have in practice; the last ones are in a folder of the same name.
func spellings(name string) []string {
	dot := strings.Replace(name, "-idx", ".idx", 1)
	return []string{name, name + ".gz", dot, dot + ".gz", name + "/" + name, dot + "/" + dot, name + "/" + dot, dot + "/" + name}
}

// missingError is a file that is not there.
type missingError struct {
	name    string
	folders []string // that have its name
}

func (e *missingError) Error() string {
	text := fmt.Sprintf("there is no %s (and no %s.gz)", e.name, e.name)
	if len(e.folders) > 0 {
		text += fmt.Sprintf("; %s is a folder, without the file in it", e.folders[0])
	}
	return text
}

// decodeIDX reads the header and then no more than it announces. most is the largest number of bytes that there can be;
// no more memory is allocated.
func decodeIDX(r io.Reader, most int64, magic uint32, limit int) (*idx, error) {
	dims, err := idxHeader(r, magic)
	if err != nil {
		return nil, err
	}
	size := 1
	for _, d := range dims[1:] {
		size *= d
	}
	n := dims[0]
	if limit > 0 {
		n = min(n, limit)
	}
	if int64(n*size) > most {
		return nil, fmt.Errorf("announces %s of %s, but holds %d at most", part.Count(dims[0], "item"), part.Count(size, "byte"), most/int64(size))
	}
	data := make([]byte, n*size)
	k, err := io.ReadFull(r, data)
	if data = data[:k]; errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("announces %s of %s, but holds %d", part.Count(dims[0], "item"), part.Count(size, "byte"), len(data)/size)
	}
	if err != nil {
		return nil, fmt.Errorf("damaged: %w", err)
	}
	if n < dims[0] {
		return &idx{dims: dims, data: data}, nil
	}
	return &idx{dims: dims, data: data}, atEnd(r, n)
}

// atEnd checks that nothing follows, which also checks a compressed file's sum.
func atEnd(r io.Reader, items int) error {
	var one [1]byte
	switch _, err := io.ReadFull(r, one[:]); err {
	case io.EOF:
		return nil
	case nil:
		return fmt.Errorf("goes on after the %s that it announces", part.Count(items, "item"))
	default:
		return fmt.Errorf("damaged at its end: %w", err)
	}
}

// idxHeader reads the magic number and the dimensions. Bounds keep a damaged
// header from asking for all memory.
func idxHeader(r io.Reader, magic uint32) ([]int, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("ends within its header: %w", err)
	}
	if m := binary.BigEndian.Uint32(head[:]); m != magic {
		return nil, fmt.Errorf("starts with %#08x; an IDX file of this kind starts with %#08x", m, magic)
	}
	dims := make([]int, magic&0xff)
	for i := range dims {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return nil, fmt.Errorf("ends within its header: %w", err)
		}
		d := binary.BigEndian.Uint32(head[:])
		if limit := [...]uint32{1 << 26, 1 << 12, 1 << 12}[i]; d > limit {
			return nil, fmt.Errorf("announces a dimension of %d, which is more than the %d that can be right", d, limit)
		}
		dims[i] = int(d)
	}
	return dims, nil
}
