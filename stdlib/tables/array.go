package tables

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// array is an opened array. What is stored as it is stays in its file, and samples are read from there; what is packed is
// kept in memory.
type array struct {
	*header
	file   io.ReaderAt
	start  int64  // of the numbers in the file
	packed []byte // the numbers of a packed array
}

// read returns the bytes of sample i, in room where they are not there already.
func (a *array) read(i int, room []byte) ([]byte, error) {
	n := a.each() * a.size
	if a.file == nil {
		return a.packed[i*n:][:n], nil
	}
	room = slices.Grow(room[:0], n)[:n]
	_, err := a.file.ReadAt(room, a.start+int64(i)*int64(n))
	return room, err
}

// check returns an error if the file has fewer numbers than its head says.
func (a *array) check(have int64) error {
	want := int64(a.each()*a.size) * int64(a.samples())
	if each := a.each() * a.size; each > 0 && a.samples() > (1<<62)/each || want > have {
		return fmt.Errorf("is cut off: it should have %d bytes of numbers, and has %d", want, have)
	}
	return nil
}

// source opens arrays by their names: files of a folder, or entries of an archive.
type source struct {
	folder  fs.FS
	archive string // of NumPy, "" for files of their own
}

// opener returns the reader of an array and how many bytes it has at most; at is where it begins in file, which is nil if
// it is packed.
type opener struct {
	io.ReadCloser
	size int64
	file io.ReaderAt
	at   int64
}

// open opens the reader of an array.
func (s source) open(name string) (*opener, error) {
	file := name
	if s.archive != "" {
		file = s.archive
	}
	f, err := s.folder.Open(file)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", file)
	}
	at, ok := f.(io.ReaderAt)
	if err == nil && !ok {
		err = fmt.Errorf("%s cannot be read in pieces", file)
	}
	if err == nil && s.archive == "" {
		return &opener{f, info.Size(), at, 0}, nil
	}
	var o *opener
	if err == nil {
		o, err = entry(f, at, info.Size(), file, name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return o, nil
}

// both closes an entry and its archive.
type both struct {
	io.ReadCloser
	archive io.Closer
}

func (b both) Close() error { return errors.Join(b.ReadCloser.Close(), b.archive.Close()) }

// entry opens an array of an archive.
func entry(f io.Closer, at io.ReaderAt, size int64, file, name string) (*opener, error) {
	z, err := zip.NewReader(at, size)
	if err != nil {
		return nil, fmt.Errorf("%s is no archive of NumPy's arrays (.npz): %w", file, err)
	}
	var names []string
	for _, e := range z.File {
		if e.Name != name+".npy" {
			names = append(names, strings.TrimSuffix(e.Name, ".npy"))
			continue
		}
		r, err := e.Open()
		if err != nil {
			return nil, fmt.Errorf("%s in %s: %w", name, file, err)
		}
		if start, err := e.DataOffset(); err == nil && e.Method == zip.Store && start+int64(e.CompressedSize64) <= size {
			return &opener{both{r, f}, int64(e.CompressedSize64), at, start}, nil
		}
		most := int64(1<<26) + 200*int64(e.CompressedSize64)
		return &opener{both{r, f}, min(int64(e.UncompressedSize64), most), nil, 0}, nil
	}
	slices.Sort(names)
	return nil, fmt.Errorf("%s has no array %s; it has %s", file, name, strings.Join(names[:min(len(names), 20)], ", "))
}

// head reads the head of an array.
func (s source) head(name string) (*header, error) {
	o, err := s.open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = o.Close() }() // only read
	h, err := readHeader(o)
	if err != nil {
		return nil, fmt.Errorf("%s %w", name, err)
	}
	return h, nil
}

// array opens an array.
func (s source) array(name string) (*array, error) {
	o, err := s.open(name)
	if err != nil {
		return nil, err
	}
	a := &array{}
	if a.header, err = readHeader(o); err == nil {
		a.file, a.start = o.file, o.at+int64(a.bytes)
		err = a.check(o.size - int64(a.bytes))
	}
	if err == nil && a.file == nil {
		a.packed = make([]byte, a.each()*a.size*a.samples())
		_, err = io.ReadFull(o, a.packed)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s %w", name, err), o.Close())
	}
	if a.file == nil {
		return a, o.Close()
	}
	return a, nil // its file stays open for the samples
}
