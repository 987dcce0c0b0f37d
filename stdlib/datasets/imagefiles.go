package datasets

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"qpipe/interp/part"
	"qpipe/interp/picture"
)

// imageFiles are image files with a label each.
type imageFiles struct {
	imageIndex
	folder  fs.FS
	args    imageFolder
	order   []int // the files of the samples
	skipped []string
}

// Len implements part.Samples.
func (s *imageFiles) Len() int { return len(s.order) }

// Spec implements part.Teller.
func (s *imageFiles) Spec() part.Spec { return s.args.spec(s.names, s.classes, len(s.order)) }

// Skipped implements part.Teller.
func (s *imageFiles) Skipped() []string { return s.skipped }

// Sample implements part.Samples.
func (s *imageFiles) Sample(i int, x *part.Sample) error {
	i = s.order[i]
	err := part.Kept[imageReader](x.Room).file(s.folder, s.files[i], s.args.Channels, s.args.MaxPixels, &x.Images[0])
	if err != nil {
		return fmt.Errorf(`%s %w; replace or remove it, or set on_error = "skip"`, s.files[i], err)
	}
	x.Targets[0].Label(int(s.labels[i]))
	return nil
}

// skip decodes all files once, with all cores, and leaves out those that cannot be decoded.
func (s *imageFiles) skip() {
	errs := make([]error, len(s.files))
	var next atomic.Int64
	var work sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		work.Go(func() {
			var r imageReader
			var m part.Image
			for i := int(next.Add(1)) - 1; i < len(s.files); i = int(next.Add(1)) - 1 {
				errs[i] = r.file(s.folder, s.files[i], s.args.Channels, s.args.MaxPixels, &m)
			}
		})
	}
	work.Wait()
	n := 0
	for i, err := range errs {
		if err != nil {
			s.skipped = append(s.skipped, fmt.Sprintf("%s %v", s.files[i], err))
			continue
		}
		s.files[n], s.labels[n] = s.files[i], s.labels[i]
		n++
	}
	s.files, s.labels = s.files[:n], s.labels[:n]
}

// imageReader reads and decodes files. Its memory is used again.
type imageReader struct {
	decoder picture.Decoder
	data    []byte
}

// file reads an image file. The error's text continues the file's name.
func (r *imageReader) file(folder fs.FS, name string, channels, most int, dst *part.Image) error {
	if err := r.load(folder, name, 8*int64(most)+1<<20); err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	return r.decode(r.data, channels, most, dst)
}

// decode decodes an image. The error's text continues its name.
func (r *imageReader) decode(data []byte, channels, most int, dst *part.Image) error {
	m := picture.Map{Pix: dst.Pix}
	r.decoder.MostPixels = most
	err := r.decoder.Decode(data, channels, &m)
	dst.H, dst.W, dst.C, dst.Pix = m.H, m.W, m.C, m.Pix
	if errors.Is(err, picture.ErrFormat) {
		if what, way := part.Recognize(data[:min(len(data), 512)]); what != "" {
			return fmt.Errorf("is %s, not an image: %s", what, way)
		}
	}
	return err
}

// load reads a whole file of up to most bytes.
func (r *imageReader) load(folder fs.FS, name string, most int64) error {
	f, err := folder.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("not a regular file")
	case info.Size() > most:
		return fmt.Errorf("it has %d bytes, and an image of the most pixels that are allowed has %d", info.Size(), most)
	}
	n := int(info.Size())
	r.data = slices.Grow(r.data[:0], n)[:n]
	_, err = io.ReadFull(f, r.data)
	return err
}
