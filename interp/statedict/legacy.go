package statedict

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// openLegacy reads a file of PyTorch before 1.6: five pickles (a magic number, a version, facts about the machine,
// the state dict, and the keys of the storages in order), and the storages, each after the number of its elements.
func openLegacy(r io.ReaderAt, size int64) (any, error) {
	data, err := io.ReadAll(io.NewSectionReader(r, 0, min(size, mostPickle)))
	if err != nil {
		return nil, err
	}
	storages := map[string]*storage{}
	u := &unpickler{data: data, storage: func(key, class string, elements int) (*storage, error) {
		if s := storages[key]; s != nil {
			return s, nil
		}
		s, err := newStorage(r, 0, uint64(size), class, elements, false)
		storages[key] = s
		return s, err
	}}
	var found [5]any
	for i := range found {
		if found[i], err = u.load(); err != nil {
			return nil, err
		}
	}
	if version, _ := found[1].(int64); version != 1001 {
		return nil, errors.New("an old file of PyTorch, of a version that is not known: load it there and save it again")
	}
	if d, ok := found[2].(*dict); ok && d.get("little_endian") == false {
		return nil, errors.New("an old file of PyTorch, from a machine with the most significant byte first: load it there and save it again")
	}
	keys, _ := found[4].(*sequence)
	if keys == nil {
		return nil, errors.New("an old file of PyTorch without the list of its storages: it is damaged")
	}
	return found[3], place(r, storages, keys, int64(u.at), size)
}

// place finds where the storages are, one after the other from the byte at.
func place(r io.ReaderAt, storages map[string]*storage, keys *sequence, at, size int64) error {
	placed := 0
	for _, k := range keys.items {
		key, _ := k.(string)
		s := storages[key]
		if s == nil {
			return fmt.Errorf("it has a storage %q that no tensor is in: it is damaged", clip(key))
		}
		var head [8]byte
		if n, _ := r.ReadAt(head[:], at); n < len(head) {
			return errCut
		}
		n := int64(binary.LittleEndian.Uint64(head[:]))
		at += int64(len(head))
		if n != int64(s.elements) || n*int64(s.size) > size-at {
			return fmt.Errorf("the storage %q says that it has %d elements, and its tensors %d: the file is damaged or cut short", clip(key), n, s.elements)
		}
		s.at = at
		at += n * int64(s.size)
		placed++
	}
	if placed < len(storages) {
		return errors.New("not all storages of its tensors are in it: it is damaged")
	}
	return nil
}
