package datasets

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"qpipe/interp/part"
)

// errFolder is the error about a folder in place of a file.
var errFolder = errors.New("is a folder, not a file")

// kindError is the error about a file of a known kind that is not data.
type kindError struct{ what, way string }

func (e *kindError) Error() string { return fmt.Sprintf("is %s, not data: %s", e.what, e.way) }

// openData opens a data file. Its content decides how it is read, not its name: a compressed file is decompressed, and
// a file of another known kind is an error that names the kind. Data begin with a byte of at most most, and files of
// such kinds do not.
func openData(fsys fs.FS, name string, most byte) (*dataFile, error) {
	info, err := fs.Stat(fsys, name)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s: %w", name, errFolder)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", name)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	d := &dataFile{file: f, most: info.Size()}
	if d.Reader, err = contentOf(f, most, d); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return d, nil
}

// dataFile is a file with a reader of its content.
type dataFile struct {
	io.Reader
	file   io.Closer
	most   int64 // the largest size of the content in bytes
	packed bool
}

// How large the content of a packed file may be, so that a small file cannot fill the memory: images are packed to a
// tenth of their size at best, blank ones to a thousandth.
const (
	anyContent    = 64 << 20
	mostInflation = 200
)

// inflated is the content of a packed file, up to the limit.
type inflated struct {
	r    io.Reader
	left int64
}

func (i *inflated) Read(p []byte) (int, error) {
	if i.left <= 0 {
		return 0, fmt.Errorf("it unpacks to more than %d times its size, which no images do", mostInflation)
	}
	n, err := i.r.Read(p[:min(int64(len(p)), i.left)])
	i.left -= int64(n)
	return n, err
}

func (d *dataFile) Close() error { return d.file.Close() }

// contentOf looks at the first bytes of a file. For a packed file it sets the limit in d.
func contentOf(f io.Reader, most byte, d *dataFile) (io.Reader, error) {
	r := bufio.NewReaderSize(f, 1<<16)
	head, err := r.Peek(2)
	if len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("not a sound gzip file: %w", err)
		}
		d.packed, d.most = true, anyContent+mostInflation*d.most
		r = bufio.NewReaderSize(&inflated{z, d.most}, 1<<16)
		head, err = r.Peek(1)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("damaged: %w", err)
		}
	} else if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(head) > 0 && head[0] <= most {
		return r, nil
	}
	head, _ = r.Peek(512)
	if what, way := part.Recognize(head); what != "" {
		return nil, &kindError{what, way}
	}
	return r, nil
}
