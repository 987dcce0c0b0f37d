package datasets

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

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
	if err := s.read(s.order[i], part.Kept[imageReader](x.Room), x); err != nil {
		return fmt.Errorf("%w%s", err, hint)
	}
	return nil
}

// read reads a file.
func (s *imageFiles) read(i int, r *imageReader, x *part.Sample) error {
	if err := r.file(s.folder, s.files[i], s.args.FileArgs, &x.Images[0]); err != nil {
		return err
	}
	x.Targets[0].Label(int(s.labels[i]))
	return nil
}

// imageReader reads and decodes files. Its memory is used again.
type imageReader struct {
	decoder picture.Decoder
	data    []byte
}

// file reads an image file.
func (r *imageReader) file(folder fs.FS, name string, a FileArgs, dst *part.Image) error {
	if err := r.load(folder, name, a.most()); err != nil {
		return fmt.Errorf("%s cannot be read: %w", name, err)
	}
	if err := r.decode(r.data, a, dst); err != nil {
		return fmt.Errorf("%s %w", name, err)
	}
	return nil
}

// decode decodes an image. The error's text continues its name.
func (r *imageReader) decode(data []byte, a FileArgs, dst *part.Image) error {
	m := picture.Map{Pix: dst.Pix}
	r.decoder.MostPixels = a.MaxPixels
	err := r.decoder.Decode(data, a.Channels, &m)
	dst.H, dst.W, dst.C, dst.Pix = m.H, m.W, m.C, m.Pix
	return recognized(err, data)
}

// recognized says what a file of no image's format is.
func recognized(err error, data []byte) error {
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
