package model

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"

	"qpipe/onnx/wire"
)

// store reads weights from files beside the model: below its folder, regular files, and no more than a limit.
type store struct {
	folder fs.FS
	left   int64 // bytes that may still be read
	name   string
	file   fs.File // the one that was read last, open
}

// read returns the bytes of a tensor, want in number.
func (s *store) read(entries []wire.Entry, want int) ([]byte, error) {
	at, err := place(entries, int64(want))
	if err != nil {
		return nil, err
	}
	if s.folder == nil {
		return nil, fmt.Errorf("its elements are in the file %q, and the model was read from no folder", at.name)
	}
	if s.left -= int64(want); s.left < 0 {
		return nil, fmt.Errorf("the weights in files beside the model take more memory than is allowed")
	}
	if err := s.open(at.name); err != nil {
		return nil, err
	}
	info, err := s.file.Stat()
	if err != nil {
		return nil, err
	}
	if at.offset > info.Size() || int64(want) > info.Size()-at.offset {
		return nil, fmt.Errorf("its elements are the %d bytes of %s from %d on, and the file has %d", want, at.name, at.offset, info.Size())
	}
	r, ok := s.file.(io.ReaderAt)
	if !ok {
		return nil, fmt.Errorf("its elements are in the file %q, in which no place can be read", at.name)
	}
	b := make([]byte, want)
	if _, err := r.ReadAt(b, at.offset); err != nil && want > 0 {
		return nil, err
	}
	return b, nil
}

// extent is where a tensor's elements are.
type extent struct {
	name   string
	offset int64
}

// place reads where a tensor is, and compares the length with that of its shape.
func place(entries []wire.Entry, want int64) (extent, error) {
	var at extent
	for _, e := range entries {
		var err error
		switch e.Key {
		case "location":
			at.name = e.Value
		case "offset":
			at.offset, err = strconv.ParseInt(e.Value, 10, 64)
			if err == nil && at.offset < 0 {
				err = errors.New("it is negative")
			}
		case "length":
			n, bad := strconv.ParseInt(e.Value, 10, 64)
			if err = bad; err == nil && n != want {
				err = fmt.Errorf("the shape takes %d bytes", want)
			}
		}
		if err != nil {
			return at, fmt.Errorf("the %s %q of its elements: %w", e.Key, e.Value, err)
		}
	}
	if !fs.ValidPath(path.Clean(at.name)) {
		return at, fmt.Errorf("its elements are in the file %q: only files in the model's folder are read", at.name)
	}
	return at, nil
}

func (s *store) open(name string) error {
	if s.file != nil && s.name == path.Clean(name) {
		return nil
	}
	s.close()
	name = path.Clean(name)
	for i := range len(name) + 1 {
		if i < len(name) && name[i] != '/' {
			continue
		}
		if info, err := fs.Lstat(s.folder, name[:i]); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("its elements are in the file %q, and %q is a link, which may lead anywhere: put the file itself beside the model", name, name[:i])
		}
	}
	f, err := s.folder.Open(name)
	if err != nil {
		return err
	}
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return errors.Join(fmt.Errorf("its elements are in the file %q, which is a folder", name), f.Close())
	}
	s.file, s.name = f, name
	return nil
}

func (s *store) close() {
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
}
