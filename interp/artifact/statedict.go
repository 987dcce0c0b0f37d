package artifact

import (
	"cmp"
	"errors"
	"os"

	"qpipe/interp/checkpoint"
	"qpipe/interp/netfile"
	"qpipe/interp/part"
	"qpipe/interp/statedict"
	"qpipe/lang/diag"
	"qpipe/ops/nn"
)

// isStateDict reports whether a file can be one that PyTorch saved. It does not move in the file.
func isStateDict(f *os.File) bool {
	head := make([]byte, 32)
	n, _ := f.ReadAt(head, 0) // what cannot be read is reported by those who read all of it
	return statedict.Is(head[:n])
}

// stateDict reads the tensors of a state dict as a float model; without data, their names, shapes and types alone.
func stateDict(path string, f *os.File, data bool) (*checkpoint.Snapshot, error) {
	d, err := openStateDict(path, f)
	if err != nil {
		return nil, err
	}
	s := &checkpoint.Snapshot{Form: nn.Float}
	for i, t := range d.Tensors() {
		e := entry{name: t.Name, dtype: t.DType, shape: t.Shape}
		var b []byte
		if data {
			if b, err = d.Bytes(i); err != nil {
				return nil, damaged(path, "%w", err)
			}
		}
		v, err := e.tensor(b)
		if err != nil {
			return nil, &FileError{path, diag.NotCheckpoint, err}
		}
		s.Model = append(s.Model, v)
	}
	return s, nil
}

func openStateDict(path string, f *os.File) (*statedict.File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, asFileError(path, err)
	}
	d, err := statedict.Open(f, min(info.Size(), maxFile))
	if err != nil {
		return nil, &FileError{path, diag.NotCheckpoint, err}
	}
	return d, nil
}

// describeStateDict is Describe of a state dict.
func describeStateDict(path string, f *os.File) (*Description, error) {
	d, err := openStateDict(path, f)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, asFileError(path, err)
	}
	sum, err := Sum(path)
	if err != nil {
		return nil, err
	}
	out := &Description{Path: path, Kind: KindTensors, Bytes: info.Size(), SHA256: sum}
	for i, t := range d.Tensors() {
		b, err := d.Bytes(i)
		if err != nil {
			return nil, damaged(path, "%w", err)
		}
		e := entry{name: t.Name, dtype: t.DType, shape: t.Shape}
		v, err := e.tensor(b)
		if err != nil {
			return nil, &FileError{path, diag.NotCheckpoint, err}
		}
		row := describeTensors("", []nn.Tensor{v})[0]
		row.DType, row.Bytes = typeName(t.DType), len(b)
		out.Tensors = append(out.Tensors, row)
	}
	return out, nil
}

// describeNetwork is Describe of an ONNX file: its weights as LoadCheckpoint reads them.
func describeNetwork(path string) (*Description, error) {
	s, err := netfile.Read(path, nil, part.LoadOptions{})
	if err != nil {
		return nil, &FileError{path, diag.NotCheckpoint, cmp.Or(errors.Unwrap(err), err)} // without the path
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, asFileError(path, err)
	}
	sum, err := Sum(path)
	if err != nil {
		return nil, err
	}
	return &Description{Path: path, Kind: KindTensors, Bytes: info.Size(), SHA256: sum, Tensors: describeTensors("", s.Model)}, nil
}
