package artifact

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/nlpodyssey/safetensors"

	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/ops/nn"
)

// Peek reads what a checkpoint says of itself: all but the tensors' data, which is
// nil. It costs a header's reading only, so the hash is not verified. Of another
// tool's file there are only tensors, and the form is float.
func Peek(path string) (*stage.Snapshot, error) {
	head, err := readHeader(path)
	if err != nil {
		return nil, err
	}
	var header safetensors.Metadata
	if err := json.Unmarshal(head, &header); err != nil {
		return nil, damaged(path, "not a sound safetensors file: %w", err)
	}
	s := &stage.Snapshot{Form: nn.Float}
	meta := header.Metadata()
	err = checkFormat(path, meta)
	var f *FileError
	switch {
	case errors.As(err, &f) && f.Code == diag.NotCheckpoint:
	case err != nil:
		return nil, err
	default:
		if err := decodeMeta(s, meta); err != nil {
			return nil, damaged(path, "its metadata cannot be read: %w", err)
		}
		if err := upgrade(s, versionOf(meta)); err != nil {
			return nil, damaged(path, "%w", err)
		}
	}
	infos := header.Tensors()
	for _, name := range sortedKeys(infos) {
		t := nn.Tensor{Name: name}
		for _, d := range infos[name].Shape {
			t.Shape = append(t.Shape, int(min(d, maxFile)))
		}
		if err := place(s, t); err != nil {
			return nil, damaged(path, "%w", err)
		}
	}
	return s, nil
}

// readHeader reads a safetensors file's header, and checks that the file is as
// long as the header says.
func readHeader(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &FileError{path, diag.Unreadable, plain(err)}
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, &FileError{path, diag.Unreadable, plain(err)}
	}
	if !info.Mode().IsRegular() {
		return nil, &FileError{path, diag.Unreadable, errors.New("not a file")}
	}
	var length [8]byte
	if n, err := io.ReadFull(f, length[:]); err != nil {
		return nil, checkHeader(path, length[:n])
	}
	n := headerLen(length[:])
	switch {
	case n > maxHeader:
		return nil, checkHeader(path, length[:])
	case int64(n)+8 > info.Size():
		return nil, damaged(path, "cut short: the header claims %d bytes, the file has %d", n, info.Size())
	}
	head := make([]byte, n)
	if _, err := io.ReadFull(f, head); err != nil {
		return nil, &FileError{path, diag.Unreadable, plain(err)}
	}
	return head, checkSize(path, head, info.Size())
}

// checkSize compares a file's size with what its header accounts for.
func checkSize(path string, head []byte, size int64) error {
	var raw map[string]struct {
		Offsets [2]uint64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(head, &raw); err != nil {
		return damaged(path, "not a sound safetensors file: %w", err)
	}
	var end uint64
	for name, t := range raw {
		if !strings.HasPrefix(name, "__") {
			end = max(end, t.Offsets[1])
		}
	}
	if want := uint64(len(head)) + 8 + end; want != uint64(size) {
		return damaged(path, "cut short or grown: its header accounts for %d bytes, the file has %d", want, size)
	}
	return nil
}
