package datasets

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"qpipe/interp/part"
)

// tarEntry is a sample: its image is in an archive that is stored as it is, or in memory if the archive is packed.
type tarEntry struct {
	name  string
	file  io.ReaderAt
	at    int64
	size  int64
	data  []byte
	label int32
}

// tarSamples are the samples of archives.
type tarSamples struct {
	args    webDataset
	entries []tarEntry
	classes int
	order   []int
	skipped []string
}

// Len implements part.Samples.
func (s *tarSamples) Len() int { return len(s.order) }

// Spec implements part.Teller.
func (s *tarSamples) Spec() part.Spec { return s.args.spec(s.classes, len(s.order)) }

// Skipped implements part.Teller.
func (s *tarSamples) Skipped() []string { return s.skipped }

// Sample implements part.Samples.
func (s *tarSamples) Sample(i int, x *part.Sample) error {
	if err := s.read(s.order[i], part.Kept[imageReader](x.Room), x); err != nil {
		return fmt.Errorf("%w%s", err, hint)
	}
	return nil
}

// read reads a sample.
func (s *tarSamples) read(i int, r *imageReader, x *part.Sample) error {
	e := &s.entries[i]
	data := e.data
	if e.file != nil {
		r.data = slices.Grow(r.data[:0], int(e.size))[:e.size]
		if _, err := e.file.ReadAt(r.data, e.at); err != nil {
			return fmt.Errorf("%s cannot be read: %w", e.name, err)
		}
		data = r.data
	}
	if err := r.decode(data, s.args.FileArgs, &x.Images[0]); err != nil {
		return fmt.Errorf("%s %w", e.name, err)
	}
	x.Targets[0].Label(int(e.label))
	return nil
}

// index adds the samples of an archive. It stays open if it is stored as it is.
func (s *tarSamples) index(in fs.FS, name string) error {
	f, err := in.Open(name)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("is not a regular file")
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	b := bufio.NewReader(f)
	head, _ := b.Peek(2)
	if string(head) == "\x1f\x8b" {
		defer func() { _ = f.Close() }() // only read
		z, err := gzip.NewReader(b)
		if err != nil {
			return err
		}
		return s.archive(name, &inflated{z, anyContent + mostInflation*info.Size()}, nil)
	}
	at, ok := f.(io.ReaderAt)
	if !ok {
		return errors.Join(errors.New("cannot be read in pieces"), f.Close())
	}
	if err := s.archive(name, io.NewSectionReader(at, 0, info.Size()), at); err != nil {
		return errors.Join(err, f.Close())
	}
	return nil
}

// archive reads the heads of an archive, its labels, and if it has no file its images.
func (s *tarSamples) archive(name string, from io.Reader, file io.ReaderAt) error {
	t := tar.NewReader(from)
	parts, keys := map[string]*tarParts{}, []string(nil)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("is no sound tar archive: %w", err)
		}
		key, ending, ok := tarKey(h)
		isLabel := ok && ending == s.args.Label
		if !ok || !isLabel && !slices.Contains(s.args.Images, ending) {
			continue
		}
		p := parts[key]
		if p == nil {
			p = &tarParts{}
			parts[key], keys = p, append(keys, key)
		}
		if isLabel {
			err = p.readLabel(t, s.args)
		} else {
			err = p.readImage(t, h, from, file, s.args.most())
		}
		if err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
	for _, key := range keys {
		p := parts[key]
		switch {
		case !p.image:
			continue // a label of something else
		case !p.labelled:
			return fmt.Errorf("%s has no label: a file %s.%s", key, key, s.args.Label)
		}
		p.entry.name = name + ": " + key
		s.entries = append(s.entries, p.entry)
	}
	return nil
}

// tarParts is a sample of which not all files have been seen.
type tarParts struct {
	entry           tarEntry
	image, labelled bool
}

// tarKey is the name that the files of a sample have in common, and the ending of this one. Folders and hidden files belong to none.
func tarKey(h *tar.Header) (key, ending string, ok bool) {
	name := path.Clean(h.Name)
	dir, base := path.Split(name)
	stem, ending, found := strings.Cut(base, ".")
	return dir + stem, strings.ToLower(ending), found && stem != "" && (h.Typeflag == tar.TypeReg || h.Typeflag == 0)
}

func (p *tarParts) readLabel(r io.Reader, w webDataset) error {
	const most = 1 << 12
	text, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		return err
	}
	p.entry.label, err = w.label(string(text))
	p.labelled = true
	return err
}

func (p *tarParts) readImage(r io.Reader, h *tar.Header, from io.Reader, file io.ReaderAt, most int64) error {
	if p.image {
		return errors.New("is the second image of its sample; images names the endings that count")
	}
	if h.Size > most {
		return fmt.Errorf("it has %d bytes, and an image of the most pixels that are allowed has %d", h.Size, most)
	}
	p.image, p.entry.size = true, h.Size
	if section, ok := from.(*io.SectionReader); ok {
		at, err := section.Seek(0, io.SeekCurrent)
		if err == nil && at+h.Size > section.Size() {
			err = errors.New("the archive is cut off")
		}
		p.entry.file, p.entry.at = file, at
		return err
	}
	var err error
	p.entry.data, err = io.ReadAll(r)
	return err
}
