package artifact

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/ops/nn"
)

// Folder is the place of a stage's checkpoints. It is a stage.Keeper.
type Folder struct {
	Disk *Disk
	Path string
}

// File returns the path of the checkpoint of that name.
func (f Folder) File(name string) string { return filepath.Join(f.Path, name+Ext) }

// Save writes the snapshot under the name; it is on disk when Save returns.
func (f Folder) Save(name string, s *stage.Snapshot) error {
	return Write(f.Disk, f.File(name), s)
}

// Remove deletes the checkpoint of that name.
func (f Folder) Remove(name string) error {
	if err := f.Disk.RemoveAll(f.File(name)); err != nil {
		return &FileError{f.File(name), diag.Unwritable, err}
	}
	return nil
}

// Names lists the checkpoints and models in the folder, sorted.
func (f Folder) Names() ([]string, error) {
	entries, err := os.ReadDir(f.Path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, &FileError{f.Path, diag.Unreadable, err}
	}
	var names []string
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), Ext)
		if ok && !strings.HasPrefix(name, ".") && e.Type().IsRegular() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Write writes a snapshot to path.
func Write(d *Disk, path string, s *stage.Snapshot) error {
	data, err := Encode(s)
	if err != nil {
		return &FileError{path, diag.Unwritable, err}
	}
	if err := d.Write(path, data); err != nil {
		return &FileError{path, diag.Unwritable, err}
	}
	return nil
}

// Read reads and verifies a snapshot.
func Read(path string) (*stage.Snapshot, error) {
	data, err := load(path)
	if err != nil {
		return nil, err
	}
	return Decode(path, data)
}

// ReadWeights reads a snapshot like Read, or the plain tensors of any other
// safetensors file: those of a float model that another tool has written. With
// check false a hash that does not match is passed over.
func ReadWeights(path string, check bool) (*stage.Snapshot, error) {
	data, err := load(path)
	if err != nil {
		return nil, err
	}
	s, _, err := decodeAny(path, data, check)
	return s, err
}

// decodeAny decodes a checkpoint of ours, with its metadata, or the plain tensors
// of another tool's file, whose metadata has no format_version.
func decodeAny(path string, data []byte, check bool) (*stage.Snapshot, *contents, error) {
	c, err := parse(path, data)
	if err != nil {
		return nil, nil, err
	}
	err = checkFormat(path, c.meta)
	var f *FileError
	if errors.As(err, &f) && f.Code == diag.NotCheckpoint {
		s := &stage.Snapshot{Form: nn.Float}
		if err := c.fill(s); err != nil {
			return nil, nil, &FileError{path, diag.NotCheckpoint, err}
		}
		return s, c, nil
	}
	if err == nil && check {
		err = checkHash(path, data, c.meta)
	}
	if err != nil {
		return nil, nil, err
	}
	s, err := build(path, c)
	return s, c, err
}

// load reads a safetensors file, once its header has shown that it is one.
func load(path string) ([]byte, error) {
	if _, err := readHeader(path); err != nil {
		return nil, err
	}
	data, err := readLimited(path, maxFile)
	if err != nil {
		return nil, asFileError(path, err)
	}
	return data, nil
}

// plain takes the path out of an operating system's error; it is named already.
func plain(err error) error {
	var p *os.PathError
	if !errors.As(err, &p) {
		return err
	}
	if errors.Is(err, os.ErrNotExist) {
		return errors.New("there is no such file")
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
