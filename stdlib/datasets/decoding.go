package datasets

import (
	"io"
	"io/fs"
	"path"

	"qpipe/interp/part"
	"qpipe/interp/picture"
)

const (
	bytesOfPixel = 16      // at most, while an image is decoded
	someFolders  = 8       // of how many folders images are looked at to know how large they are
	someImages   = 8       // of how many images in each
	headBytes    = 1 << 17 // where a file says how large its image is
)

// largest returns the most pixels that some images in the folders have, 0 if none of them can be read.
func (a FileArgs) largest(in fs.FS, folders []string) (most int64) {
	for _, dir := range folders[:min(len(folders), someFolders)] {
		files, _, err := part.List(in, dir)
		if err != nil {
			continue
		}
		looked := 0
		for _, name := range files {
			if looked == someImages {
				break
			}
			if picture.Named(name) {
				looked++
				most = max(most, int64(picture.Pixels(headOf(in, path.Join(dir, name)))))
			}
		}
	}
	return min(most, int64(a.MaxPixels))
}

// headOf returns the beginning of a regular file, nothing of one that cannot be read.
func headOf(in fs.FS, name string) []byte {
	f, err := in.Open(name)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // only read
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	head, _ := io.ReadAll(io.LimitReader(f, headBytes))
	return head
}

// SampleBytes implements part.Reader.
func (f imageFolder) SampleBytes(fsys func(root string) fs.FS) int64 {
	in := fsys(f.Root)
	l, err := f.layout(in)
	if err != nil {
		return 0
	}
	var folders []string
	for _, name := range l.folders {
		folders = append(folders, path.Join(l.base, name))
	}
	return bytesOfPixel * f.largest(in, folders)
}

// SampleBytes implements part.Reader: an image and its mask have one size.
func (m imageMask) SampleBytes(fsys func(root string) fs.FS) int64 {
	in := fsys(m.Root)
	_, top, err := part.List(in, ".")
	if err != nil {
		return 0
	}
	base, err := m.base(m.Root, m.source(), top)
	if err != nil {
		return 0
	}
	dir := path.Join(base, m.Images)
	folders := []string{dir}
	if _, below, err := part.List(in, dir); err == nil {
		for _, name := range below {
			folders = append(folders, path.Join(dir, name))
		}
	}
	return 2 * bytesOfPixel * m.largest(in, folders)
}
