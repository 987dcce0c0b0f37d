package artifact

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"qpipe/interp/checkpoint"
	"qpipe/interp/disk"
	"qpipe/lang/diag"
	"qpipe/lang/files"
	"qpipe/ops/nn"
)

// Read reads and verifies a snapshot.
func Read(path string) (*checkpoint.Snapshot, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	return read(path, f)
}

// ReadIn reads and verifies the snapshot in the file name below root; its path is for messages.
func ReadIn(root *os.Root, name, path string) (*checkpoint.Snapshot, error) {
	f, err := files.OpenIn(root, name)
	if err != nil {
		return nil, asFileError(path, err)
	}
	return read(path, f)
}

func read(path string, f *os.File) (*checkpoint.Snapshot, error) {
	data, c, err := load(path, f, true)
	if err != nil {
		return nil, err
	}
	return decodeOurs(path, data, c)
}

// Ours reports whether a file looks like a checkpoint of qpipe, however damaged: it has the texts that all of them
// have.
func Ours(root *os.Root, name string) bool {
	f, err := files.OpenIn(root, name)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	head, _ := io.ReadAll(io.LimitReader(f, maxHeader)) // as much of it as can be read
	marks := 0
	for _, key := range []string{`"format_version":"`, `"` + hashKey + `":"`, metaKey, `"qat_mode":"`} {
		if bytes.Contains(head, []byte(key)) {
			marks++
		}
	}
	return marks >= 2
}

// Begun reports whether a file that starts with head can be the beginning of a checkpoint. It must have at least one
// byte of the header's length or its first key.
func Begun(head []byte) bool {
	first := []byte(`{"` + metaKey + `":`)
	if len(head) <= 8 || binary.LittleEndian.Uint64(head) > maxHeader {
		return false
	}
	n := min(len(head)-8, len(first))
	return bytes.Equal(head[8:8+n], first[:n])
}

// ReadWeights reads a snapshot like Read, or the plain tensors of any other safetensors file or of a state dict that
// PyTorch saved, as the float model of another tool. With check false a hash that does not match is ignored.
func ReadWeights(path string, check bool) (*checkpoint.Snapshot, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	if isStateDict(f) {
		defer func() { _ = f.Close() }()
		return stateDict(path, f, true)
	}
	data, c, err := load(path, f, false)
	if err != nil {
		return nil, err
	}
	return decodeAny(path, data, c, check)
}

// decodeAny decodes a checkpoint of ours, with its metadata, or the plain tensors
// of another tool's file, whose metadata has no format_version.
func decodeAny(path string, data []byte, c *contents, check bool) (*checkpoint.Snapshot, error) {
	err := checkFormat(path, c.meta)
	var f *FileError
	if errors.As(err, &f) && f.Code == diag.NotCheckpoint {
		s := &checkpoint.Snapshot{Form: nn.Float}
		if err := c.fill(s); err != nil {
			return nil, &FileError{path, diag.NotCheckpoint, err}
		}
		return s, nil
	}
	if err == nil && check {
		err = checkHash(path, data, c.meta)
	}
	if err != nil {
		return nil, err
	}
	return build(path, c)
}

// Reference understands stage.NAME.checkpoint.WHICH, which names a file of the run in the folder out by the stage that
// has written it.
func Reference(word, out string) (path, stage string, ok bool) {
	rest, found := strings.CutPrefix(word, "stage.")
	stage, which, and := strings.Cut(rest, ".checkpoint.")
	if !found || !and || stage == "" || strings.Contains(stage, ".") || !slices.Contains([]string{"last", "best", "int8"}, which) {
		return "", "", false
	}
	return filepath.Join(out, stage, which+Ext), stage, true
}

// open opens the file at path once for everything that is read from it, because the name may refer to another file a
// moment later.
func open(path string) (*os.File, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, asFileError(path, err)
	}
	return f, nil
}

// mostCopies is how many copies of its network's tensors a checkpoint can have: weights, averaged weights, and the
// optimizer's state.
const mostCopies = 16

// justified refuses a checkpoint with far more data than its network has tensors.
func (c *contents) justified(path string) error {
	data := c.size - 8 - c.head
	if data <= maxHeader {
		return nil
	}
	g, err := nn.Restore([]byte(c.meta["structure"]))
	if err != nil {
		return nil // the code that builds the model reports it
	}
	own, _ := g.FileBytes()
	if data > mostCopies*own+maxHeader {
		return damaged(path, "it holds %s of tensors, and its network has %s", files.Size(data), files.Size(own))
	}
	return nil
}

// load reads a safetensors file, after its header has shown that it is one (with ours: a checkpoint of qpipe) and what
// it contains. It closes the file.
func load(path string, f *os.File, ours bool) ([]byte, *contents, error) {
	defer func() { _ = f.Close() }()
	c, err := readHeader(path, f)
	if err != nil {
		return nil, nil, err
	}
	if ours {
		err = checkFormat(path, c.meta)
	}
	if err == nil {
		err = c.justified(path)
	}
	if err != nil {
		return nil, nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, nil, asFileError(path, err)
	}
	data, err := files.ReadAll(f, path, maxFile)
	if err != nil {
		return nil, nil, asFileError(path, err)
	}
	if text := int(8 + c.head); len(data) >= text && bytes.Equal(data[8:text], c.text) && int64(len(data)) == c.size {
		c.data = data[text:]
		return data, c, nil
	}
	c, err = parse(path, data) // the file has changed meanwhile
	return data, c, err
}

// plain removes the path from an operating system's error, because the message already names it.
func plain(err error) error {
	var p *os.PathError
	if !errors.As(err, &p) {
		return err
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		return errors.New("there is no such file")
	case errors.Is(err, files.ErrFolder):
		return errors.New("is a folder; name the file in it")
	case files.Own(err) != nil:
		return p.Err
	}
	return fmt.Errorf("%s: %w", p.Op, p.Err)
}

func asFileError(path string, err error) error {
	var f *FileError
	if errors.As(err, &f) {
		return err
	}
	return &FileError{path, diag.Unreadable, plain(err)}
}

// Write writes a snapshot to path, in an existing folder.
func Write(path string, s *checkpoint.Snapshot) error {
	data, err := Encode(s)
	if err != nil {
		return &FileError{path, diag.Unwritable, err}
	}
	d, err := disk.Open(filepath.Dir(path), disk.Options{})
	if err == nil {
		err = d.Write(filepath.Base(path), data)
		_ = d.Close()
	}
	if err != nil {
		return &FileError{path, diag.Unwritable, plain(err)}
	}
	return nil
}

// Sum is the sha256 of a file's bytes.
func Sum(path string) (string, error) {
	sum, err := disk.SumFile(path)
	if err != nil {
		return "", asFileError(path, err)
	}
	return sum, nil
}
