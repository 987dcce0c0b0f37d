package datasets

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"qpipe/interp/stage"
)

// errFolder is a folder in the place of a file.
var errFolder = errors.New("is a folder, not a file")

// kindError is a file of a kind that is known and no data.
type kindError struct{ what, way string }

func (e *kindError) Error() string { return fmt.Sprintf("is %s, not data: %s", e.what, e.way) }

// openData opens a data file. Its content decides how it is read, not its name:
// what is compressed is decompressed, and what is of another kind is said to be.
// Data begin with a byte of at most most, which no such kind does.
func openData(fsys fs.FS, name string, most byte) (io.ReadCloser, error) {
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
	r, err := contentOf(f, most)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return &dataFile{r, f}, nil
}

// dataFile is a file with what reads its content.
type dataFile struct {
	io.Reader
	file io.Closer
}

func (d *dataFile) Close() error { return d.file.Close() }

// contentOf looks at how a file begins.
func contentOf(f io.Reader, most byte) (io.Reader, error) {
	r := bufio.NewReaderSize(f, 1<<16)
	head, err := r.Peek(2)
	if len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("not a sound gzip file: %w", err)
		}
		r = bufio.NewReaderSize(z, 1<<16)
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
	if what, way := stage.Recognize(head); what != "" {
		return nil, &kindError{what, way}
	}
	return r, nil
}
