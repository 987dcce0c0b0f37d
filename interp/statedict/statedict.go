// Package statedict reads the files that torch.save writes: a state dict, which is a pickle of names and tensors, in a
// zip archive or in the format of PyTorch before 1.6. Nothing in a file is executed; what a pickle says of other
// things than numbers, texts, containers and tensors is passed over. A pickle costs memory of about 100 times its
// bytes, and no more than 300 MB; besides, there is one tensor at a time.
package statedict

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Tensor describes a tensor of a file. Its type has the name that safetensors uses.
type Tensor struct {
	Name  string
	DType string
	Shape []int

	of      *storage
	offset  int   // of the first element in the storage
	strides []int // in elements
}

// File is an open state dict.
type File struct{ tensors []Tensor }

// Limits of what is read.
const (
	mostPickle  = 64 << 20 // bytes of the pickle
	mostValues  = 2 << 20  // that it makes
	mostTensors = 1 << 20
	mostShared  = 4 // tensors may have so many times the elements of the storages together
)

// The beginnings of a zip archive, and of the magic number that an older file begins with.
const (
	zipStart    = "PK\x03\x04"
	legacyStart = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
)

// Is reports whether a file that begins with head can be a file of torch.save.
func Is(head []byte) bool {
	return bytes.HasPrefix(head, []byte(zipStart)) || bytes.HasPrefix(head, []byte(legacyStart))
}

// Open reads everything but the tensors' data.
func Open(r io.ReaderAt, size int64) (*File, error) {
	head := make([]byte, len(legacyStart))
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	var root any
	if bytes.HasPrefix(head[:n], []byte(zipStart)) {
		root, err = openZip(r, size)
	} else {
		root, err = openLegacy(r, size)
	}
	if err != nil {
		return nil, err
	}
	dict, err := find(root)
	if err != nil {
		return nil, err
	}
	return list(dict)
}

// Tensors lists the tensors in the order of the file.
func (f *File) Tensors() []Tensor { return f.tensors }

// openZip reads the pickle of an archive.
func openZip(r io.ReaderAt, size int64) (any, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("not a sound zip archive, as torch.save writes: %w; copy the file again", err)
	}
	folder, ok := "", false
	for _, f := range z.File {
		if dir, found := strings.CutSuffix(f.Name, "data.pkl"); found && (dir == "" || strings.HasSuffix(dir, "/")) {
			folder, ok = dir, true
		}
	}
	if !ok {
		return nil, notTorch(z)
	}
	entries := map[string]*zip.File{}
	for _, f := range z.File {
		if name, found := strings.CutPrefix(f.Name, folder); found {
			entries[name] = f
		}
	}
	if entries["constants.pkl"] != nil {
		return nil, errors.New("a TorchScript archive, which has code with its weights: save the weights alone, torch.save(model.state_dict(), path)")
	}
	big, err := bigEndian(entries["byteorder"], r)
	if err != nil {
		return nil, err
	}
	pickle, err := content(entries["data.pkl"], r, mostPickle)
	if err != nil {
		return nil, err
	}
	u := &unpickler{data: pickle, storage: func(key, dtype string, elements int) (*storage, error) {
		f := entries["data/"+key]
		if f == nil {
			return nil, fmt.Errorf("the archive has no data/%s, which a tensor is in: the file is damaged or cut short", clip(key))
		}
		at, bytes, err := stored(f)
		if err != nil {
			return nil, err
		}
		return newStorage(r, at, bytes, dtype, elements, big)
	}}
	return u.load()
}

// notTorch is the error about another archive.
func notTorch(z *zip.Reader) error {
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, ".npy") {
			return errors.New("a NumPy .npz archive: save its arrays as safetensors (safetensors.numpy.save_file) or as a state dict")
		}
	}
	return errors.New("a zip archive without the data.pkl that torch.save writes: unpack it and name the file of weights in it")
}

// stored is where an entry's bytes are in the file. torch.save compresses none.
func stored(f *zip.File) (at int64, size uint64, err error) {
	if f.Method != zip.Store || f.CompressedSize64 != f.UncompressedSize64 {
		return 0, 0, fmt.Errorf("the entry %s is compressed, which torch.save never does: unpack the archive and save the state dict again", clip(f.Name))
	}
	at, err = f.DataOffset()
	if err != nil {
		return 0, 0, fmt.Errorf("the entry %s: %w: the file is damaged", clip(f.Name), err)
	}
	return at, f.UncompressedSize64, nil
}

// content is that of a small entry.
func content(f *zip.File, r io.ReaderAt, most uint64) ([]byte, error) {
	at, size, err := stored(f)
	if err != nil {
		return nil, err
	}
	if size > most {
		return nil, fmt.Errorf("the entry %s has %d bytes; a state dict's has at most %d", clip(f.Name), size, most)
	}
	data, err := io.ReadAll(io.NewSectionReader(r, at, int64(size)))
	if err == nil && uint64(len(data)) < size {
		err = errCut
	}
	return data, err
}

// bigEndian reports what the archive says about the order of bytes.
func bigEndian(f *zip.File, r io.ReaderAt) (bool, error) {
	if f == nil {
		return false, nil
	}
	text, err := content(f, r, 16)
	return string(text) == "big", err
}

// errCut is the error about a file that ends too early.
var errCut = errors.New("cut short: copy it again")

// Names under which training programs keep a state dict beside other things.
func usualKeys() []string {
	return []string{"state_dict", "model_state_dict", "model_state", "model", "net", "weights", "params"}
}

// find is the state dict in what a file contains: that itself, or one of its values with a usual name.
func find(root any) (*dict, error) {
	d, ok := root.(*dict)
	if !ok {
		if o, is := root.(*object); is {
			return nil, fmt.Errorf("a whole object of the class %s, which only its own program can read: save its weights, torch.save(model.state_dict(), path)", o.class())
		}
		return nil, errors.New("its pickle is no dict of names and tensors: save torch.save(model.state_dict(), path)")
	}
	if d.tensors() > 0 {
		return d, nil
	}
	for _, key := range usualKeys() {
		switch in := d.get(key).(type) {
		case *dict:
			if in.tensors() > 0 {
				return in, nil
			}
		case *object:
			return nil, fmt.Errorf("its %q is a whole object of the class %s, which only its own program can read: save its weights, torch.save(model.state_dict(), path)", key, in.class())
		}
	}
	return nil, fmt.Errorf("no state dict is in it: it has %s, and tensors are looked for there and under %s", d.names(), strings.Join(usualKeys(), ", "))
}

// list makes the tensors of a state dict; what else is in it (such as versions) is passed over.
func list(d *dict) (*File, error) {
	f := &File{}
	seen, storages := map[string]bool{}, map[*storage]bool{}
	whole, used := 0, 0
	for i, k := range d.keys {
		name, text := k.(string)
		t, ok := d.values[i].(*Tensor)
		if !text || !ok {
			continue
		}
		if seen[name] {
			return nil, fmt.Errorf("two tensors are called %q", clip(name))
		}
		seen[name] = true
		copied := *t
		copied.Name = name
		f.tensors = append(f.tensors, copied)
		if !storages[t.of] {
			storages[t.of] = true
			whole += t.of.elements
		}
		used += count(t.Shape)
		if used > mostShared*whole+mostTensors || len(f.tensors) > mostTensors {
			return nil, errors.New("its tensors share their data so often that they have many times its size: save a clone of each")
		}
	}
	return f, nil
}

// count is the number of elements of a shape that was checked.
func count(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// clip shortens text from a file before it reaches a message.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
