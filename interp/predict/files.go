package predict

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"qpipe/interp/artifact"
	"qpipe/interp/part"
	"qpipe/interp/picture"
	"qpipe/lang/diag"
	"qpipe/lang/files"
)

// source is an image file.
type source struct {
	path string
	rel  string // its name below the folder that was named, or its base name
	open func() ([]byte, error)
}

// mostBytes is the size of an image file of the most pixels that are decoded.
const mostBytes = 8*picture.MostPixels + 1<<20

// find lists the files, those of folders sorted by name, and where their masks go.
func (w *work) find() error {
	for _, name := range w.o.Files {
		f, err := files.OpenFolder(name)
		if err != nil {
			w.sources = append(w.sources, source{name, filepath.Base(name), func() ([]byte, error) { return files.ReadNamed(name, mostBytes) }})
			continue
		}
		_ = f.Close()
		all, err := part.Tree(files.Folder(name), ".")
		if err != nil {
			return &artifact.FileError{Path: name, Code: diag.Unreadable, Err: files.Cause(err)}
		}
		before := len(w.sources)
		for _, rel := range all {
			if picture.Named(rel) {
				at := filepath.Join(name, filepath.FromSlash(rel))
				w.sources = append(w.sources, source{at, rel, func() ([]byte, error) { return files.Read(at, mostBytes) }})
			}
		}
		if len(w.sources) == before {
			return &artifact.FileError{Path: name, Code: diag.Unreadable, Err: errors.New("the folder has no image (JPEG, PNG, WebP, BMP or GIF)")}
		}
	}
	if w.o.Masks == "" {
		return nil
	}
	return w.places()
}

// places decides where masks go. Two masks in one place, or in the place of a file, are an error.
func (w *work) places() error {
	taken := map[string]string{}
	for _, s := range w.sources {
		for k, out := range w.model.Outputs() {
			if out.Height*out.Width == 1 {
				continue
			}
			name := w.maskName(s, k)
			at := filepath.Join(w.o.Masks, filepath.FromSlash(name))
			if other, twice := taken[name]; twice {
				return unwritable(at, fmt.Errorf("would be the mask of both %s and %s: run them apart, each with a folder for masks of its own", other, s.path))
			}
			taken[name] = s.path
			if _, err := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) {
				return unwritable(at, errors.New("is there already, and -mask overwrites nothing: name a new folder, or remove it"))
			}
		}
	}
	return nil
}

// cause is what is wrong with a file, without its name.
func cause(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file"
	case files.Own(err) != nil:
		return files.Own(err).Error()
	}
	return files.Cause(err).Error()
}
