package artifact

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"qpipe/interp/disk"
	"qpipe/lang/diag"
	"qpipe/lang/files"
)

// DumpVersion is the version of a dump's format; docs/format.md describes it.
const DumpVersion = 1

// DumpIndexName is the file that describes what a dump contains.
const DumpIndexName = "index.json"

const maxDumpIndex = 16 << 20

// DumpIndex describes what a dump contains, and where it comes from.
type DumpIndex struct {
	DumpVersion int         `json:"dump_version"`
	Model       string      `json:"model"` // as the command line named it
	EMA         bool        `json:"ema"`   // the averaged weights were used
	Data        string      `json:"data"`
	Form        string      `json:"form"`
	Mode        string      `json:"qat_mode"`
	Images      int         `json:"images"`
	Arrays      []DumpArray `json:"arrays"`
}

// DumpArray is an array of a dump. Only codes have Scale and ZeroPoint.
type DumpArray struct {
	File      string   `json:"file"` // relative to the dump, with slashes
	Node      string   `json:"node,omitempty"`
	DType     string   `json:"dtype"` // of the file's elements: int8, uint8, int64 or float32
	Shape     []int    `json:"shape"`
	Codes     string   `json:"codes,omitempty"` // the node's dtype, which may be int4
	Scale     *float64 `json:"scale,omitempty"`
	ZeroPoint *int32   `json:"zero_point,omitempty"`
}

// Dump is a folder of arrays that is being written. It has a temporary name until Commit moves it into place as a
// whole.
type Dump struct {
	Index DumpIndex

	disk  *disk.Disk // the parent of the dump's folder
	path  string     // the final path, as the user knows it
	place string     // its name in the disk
	tmp   string     // its temporary name
	files []*npyFile
	taken map[string]bool
}

// NewDump begins a dump in the folder dir. The folder must not exist, or be empty, or contain only an earlier dump,
// which is then replaced.
func NewDump(o disk.Options, dir string) (*Dump, error) {
	fail := func(err error) (*Dump, error) { return nil, &FileError{dir, diag.Unwritable, plain(err)} }
	place, err := filepath.Abs(dir)
	if err != nil {
		return fail(err)
	}
	if real, err := filepath.EvalSymlinks(place); err == nil {
		place = real
	}
	here, err := os.Getwd()
	if err != nil {
		return fail(err)
	}
	if within(here, place) {
		return fail(errors.New("is the present folder, or one around it; name a new folder for the dump"))
	}
	if _, err := replaceable(place); err != nil {
		return fail(err)
	}
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
		return fail(err)
	}
	d, err := disk.Open(filepath.Dir(place), o)
	if err != nil {
		return fail(err)
	}
	w := &Dump{disk: d, path: place, place: filepath.Base(place), taken: map[string]bool{}}
	if w.tmp, err = d.TemporaryFolder(w.place); err != nil {
		_ = d.Close()
		return fail(err)
	}
	return w, nil
}

// within reports whether the path is in the folder, or is the folder.
func within(path, folder string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// replaceable returns an error if a folder must not be replaced by a dump, because it has a file that no earlier dump
// has written. Otherwise it lists the files of the earlier dump, relative to the folder.
func replaceable(dir string) (earlier []string, err error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, errors.New("is not a folder")
	}
	listed := map[string]bool{DumpIndexName: true}
	var index DumpIndex
	if text, err := files.Read(filepath.Join(dir, DumpIndexName), maxDumpIndex); err == nil && json.Unmarshal(text, &index) == nil && index.DumpVersion > 0 {
		for _, a := range index.Arrays {
			listed[a.File] = true
		}
	} else {
		listed = nil
	}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		rel = filepath.ToSlash(rel)
		switch {
		case err != nil:
			return err
		case e.IsDir() && (rel == "." || rel == nodesDir && listed != nil):
			return nil
		case e.Type().IsRegular() && listed[rel]:
			earlier = append(earlier, rel)
			return nil
		}
		return fmt.Errorf("holds %s, which is not of an earlier dump; name a new or an empty folder", rel)
	})
	return earlier, err
}

// nodesDir is the folder of the nodes' arrays within a dump.
const nodesDir = "nodes"

// NodeFile is the name of the file for a node's array: the node's own name if it can be a file's name and is not taken.
func (w *Dump) NodeFile(node string) string { return w.free(nodesDir+"/", node) }

// File is the name of the file for an input, a target or an output: its kind, and its own name where there are several.
func (w *Dump) File(kind, name string, of int) string {
	if of < 2 {
		return w.free("", kind)
	}
	return w.free(kind+"-", name)
}

// free is a name for a file: prefix and name if that can be a file's name and is not taken, else something like it.
func (w *Dump) free(prefix, name string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '_'
	}, name)
	clean = strings.TrimLeft(clean[:min(len(clean), 100)], ".")
	file := prefix + clean
	for i := 2; file == prefix || w.taken[strings.ToLower(file)]; i++ {
		file = fmt.Sprintf("%s%s-%d", prefix, clean, i)
	}
	w.taken[strings.ToLower(file)] = true
	return file + ".npy"
}

// Array begins an array. Its elements come with Append.
func (w *Dump) Array(a DumpArray) (int, error) {
	f, err := createNPY(w.disk, w.tmp+"/"+a.File, a.DType, a.Shape)
	if err != nil {
		return 0, w.unwritable(err)
	}
	w.files = append(w.files, f)
	w.Index.Arrays = append(w.Index.Arrays, a)
	return len(w.files) - 1, nil
}

// Append writes the next elements of an array, in the array's type.
func (w *Dump) Append(array int, data any) error {
	if err := w.files[array].append(data); err != nil {
		return w.unwritable(err)
	}
	return nil
}

// Commit finishes the dump and moves it into place. The arrays must be complete.
func (w *Dump) Commit() error {
	for len(w.files) > 0 {
		f := w.files[0]
		w.files = w.files[1:]
		if err := f.close(w.disk); err != nil {
			return w.unwritable(err)
		}
	}
	w.Index.DumpVersion = DumpVersion
	text, err := json.MarshalIndent(w.Index, "", "  ")
	if err == nil {
		err = w.disk.Write(w.tmp+"/"+DumpIndexName, append(text, '\n'))
	}
	if err == nil {
		err = w.replace()
	}
	if err != nil {
		return w.unwritable(err)
	}
	return w.disk.Close()
}

// replace removes the earlier dump, if the folder still contains nothing else, and moves the new one there.
func (w *Dump) replace() error {
	earlier, err := replaceable(w.path)
	if err != nil {
		return err
	}
	for _, name := range earlier {
		if err := w.disk.Remove(w.place + "/" + name); err != nil {
			return err
		}
	}
	for _, folder := range []string{w.place + "/" + nodesDir, w.place} {
		if err := w.disk.RemoveFolder(folder); err != nil {
			return err
		}
	}
	return w.disk.Move(w.tmp, w.place)
}

// Discard removes a dump that was not committed.
func (w *Dump) Discard() {
	for _, f := range w.files {
		_ = f.file.Close()
	}
	_ = w.disk.Root().RemoveAll(w.tmp)
	_ = w.disk.Close()
}

// Bytes is the size of the arrays' elements.
func (w *Dump) Bytes() (n int64) {
	size := map[string]int64{"int8": 1, "uint8": 1, "float32": 4, "int64": 8}
	for _, a := range w.Index.Arrays {
		n += int64(elements(a.Shape)) * size[a.DType]
	}
	return n
}

func (w *Dump) unwritable(err error) error {
	return &FileError{w.path, diag.Unwritable, plain(err)}
}
