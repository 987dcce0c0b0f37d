package artifact

import (
	"errors"
	"io"
	"os"

	"qpipe/interp/checkpoint"
	"qpipe/lang/diag"
	"qpipe/ops/nn"
)

// Peek reads what a checkpoint says about itself: everything except the tensors' data, of which only the ranges of
// nodes are read. It costs little more than reading the header, so the hash is not verified. For another tool's file
// there are only tensors, and the form is float.
func Peek(path string) (*checkpoint.Snapshot, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if isStateDict(f) {
		return stateDict(path, f, false)
	}
	c, err := readHeader(path, f)
	if err != nil {
		return nil, err
	}
	s := &checkpoint.Snapshot{Form: nn.Float}
	err = checkFormat(path, c.meta)
	var other *FileError
	switch {
	case errors.As(err, &other) && other.Code == diag.NotCheckpoint:
	case err != nil:
		return nil, err
	default:
		if err := decodeMeta(s, c.meta); err != nil {
			return nil, damaged(path, "its metadata cannot be read: %w", err)
		}
		if err := upgrade(s, versionOf(c.meta)); err != nil {
			return nil, damaged(path, "%w", err)
		}
	}
	if err := c.fill(s); err != nil {
		return nil, damaged(path, "%w", err)
	}
	return s, nil
}

// readHeader reads a safetensors file's header, and checks that the file is as
// long as the header says.
func readHeader(path string, f *os.File) (*contents, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, asFileError(path, err)
	}
	size := info.Size()
	head := make([]byte, 512)
	k, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, &FileError{path, diag.Unreadable, plain(err)}
	}
	head = head[:k]
	if k < 8 || headerLen(head) > maxHeader || int64(headerLen(head))+8 > size {
		return nil, notSafetensors(path, head, size)
	}
	text := make([]byte, headerLen(head))
	if _, err := f.ReadAt(text, 8); err != nil {
		return nil, &FileError{path, diag.Unreadable, plain(err)}
	}
	meta, tensors, err := decodeHeader(text, uint64(size)-8-uint64(len(text)))
	if err != nil {
		return nil, damaged(path, "not a sound safetensors file: %w", err)
	}
	c := &contents{meta: meta, tensors: tensors, size: size, head: int64(len(text)), text: text}
	for i := range c.tensors {
		e := &c.tensors[i]
		if _, ok := nn.RangeOf(e.name); !ok || e.end-e.begin > maxRange {
			continue
		}
		e.data = make([]byte, e.end-e.begin)
		if _, err := f.ReadAt(e.data, int64(8+len(text))+int64(e.begin)); err != nil {
			return nil, &FileError{path, diag.Unreadable, plain(err)}
		}
	}
	return c, nil
}

// maxRange bounds the bytes of a tensor with a range.
const maxRange = 64
