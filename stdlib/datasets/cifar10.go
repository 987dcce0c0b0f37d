package datasets

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"qpipe/interp/part"
	"qpipe/ops/tensor"
	"qpipe/stdlib/datasets/subset"
)

// CIFAR10Args are the arguments of CIFAR10.
type CIFAR10Args struct {
	Root       string   `arg:"root" doc:"Folder with the binary files (data_batch_1.bin, …, test_batch.bin)."`
	Split      string   `arg:"split,optional" oneof:"train validation val test" doc:"train is data_batch_*.bin without the images held out by val_samples, validation (or val) is those or, with val_samples = 0, validation_batch.bin, test is test_batch.bin."`
	Files      []string `arg:"files,optional" doc:"The files to read, one after the other, instead of the split's own; patterns like data_batch_*.bin are allowed."`
	ValSamples int      `arg:"val_samples,optional" doc:"How many of the training images are held out for validation: the last ones. Training and validation data with equal val_samples and seed share no image."`
	Seed       int      `arg:"seed,optional" doc:"Shuffles the files' images before val_samples, offset and max_samples choose among them; 0 leaves them as they are."`
	Offset     int      `arg:"offset,optional" doc:"How many of the split's first images are left out."`
	MaxSamples int      `arg:"max_samples,optional" doc:"How many images are used, after offset; 0 uses all."`
	ClassNames []string `arg:"class_names,optional" doc:"Names of the ten classes, label 0 first, for the files of models; without it those of CIFAR-10 (airplane to truck)."`
}

// CIFAR10Defaults returns CIFAR10's defaults.
func CIFAR10Defaults() CIFAR10Args { return CIFAR10Args{Split: "train"} }

// Validate implements the language's check after decoding.
func (a CIFAR10Args) Validate() error {
	if a.Root == "" {
		return part.Bad("root", `is empty; name the folder with the binary files ("." is the pipeline's own)`)
	}
	if err := a.subset().Validate(-1); err != nil {
		return err
	}
	for _, f := range a.Files {
		if _, err := fs.Glob(noFiles{}, f); err != nil || f == "" {
			return part.Bad("files", "%q is not the name or pattern of a file", f)
		}
	}
	return subset.ValidNames(a.ClassNames, 10)
}

func (a CIFAR10Args) subset() subset.Subset {
	return subset.Subset{Split: a.Split, Seed: a.Seed, Held: a.ValSamples, Offset: a.Offset, Most: a.MaxSamples}
}

// noFiles is an empty file system, used only to parse a pattern.
type noFiles struct{}

func (noFiles) Open(string) (fs.File, error) { return nil, fs.ErrNotExist }

type cifar10 struct{ CIFAR10Args }

// NewCIFAR10 returns the data set in the binary layout of CIFAR-10 (Krizhevsky
// 2009): 32×32 RGB, ten classes, records of a label and 3072 bytes, the red
// plane first. Other data in this layout is read the same way.
func NewCIFAR10(a CIFAR10Args) (part.Dataset, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return cifar10{a}, nil
}

// Spec implements part.Dataset. If the arguments do not determine the number of images, it is known only from the
// files.
func (c cifar10) Spec() part.Spec {
	return classified(tensor.Shape{H: 32, W: 32, C: 3}, 10, namesOr(c.ClassNames, cifarNames()), c.subset().Size(-1))
}

// Files implements part.Dataset.
func (c cifar10) Files() (string, []string) { return c.Root, c.patterns() }

func (c cifar10) patterns() []string {
	if len(c.CIFAR10Args.Files) > 0 {
		return c.CIFAR10Args.Files
	}
	switch {
	case c.Split == "test":
		return []string{"test_batch.bin"}
	case subset.Validation(c.Split) && c.ValSamples == 0:
		return []string{"validation_batch.bin"}
	}
	return []string{"data_batch_*.bin"}
}

// Shares implements part.Sharer.
func (c cifar10) Shares(other part.Dataset) bool {
	o, ok := other.(cifar10)
	return ok && c.Root == o.Root && slices.Equal(c.patterns(), o.patterns()) && c.subset().Shares(o.subset(), -1)
}

const (
	cifarPlane  = 32 * 32
	cifarRecord = 1 + 3*cifarPlane
)

// HeldBytes implements part.Holder: the images, and which of them are in the set.
func (c cifar10) HeldBytes() int64 {
	n := c.subset().Limit()
	return int64(n)*cifarRecord + 8*int64(max(c.subset().Size(-1), 0))
}

// Open implements part.Dataset.
func (c cifar10) Open(fsys func(root string) fs.FS) (part.Samples, error) {
	s, err := c.read(fsys(c.Root))
	if err != nil {
		return nil, fmt.Errorf("in %s: %w", c.Root, err)
	}
	return s, nil
}

func (c cifar10) read(fsys fs.FS) (part.Samples, error) {
	s := &planes{}
	for _, pattern := range c.patterns() {
		names, err := fs.Glob(fsys, pattern)
		if err != nil {
			return nil, part.Bad("files", "%q: %w", pattern, err)
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("there is no %s; CIFAR-10's \"binary version\" is at https://www.cs.toronto.edu/~kriz/cifar.html, unpack it and set root to the folder with the .bin files, or name others with files = [...]", pattern)
		}
		slices.Sort(names)
		for _, name := range names {
			if err := s.open(fsys, name, c.subset().Limit()); err != nil {
				return nil, err
			}
		}
	}
	return c.subset().Of(s, len(s.labels))
}

// planes is a data set of images that are stored plane by plane.
type planes struct{ pix, labels []byte }

// open appends the records of the file called name, up to limit images in all (0: no limit).
func (p *planes) open(fsys fs.FS, name string, limit int) error {
	r, err := openData(fsys, name, 9)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()               // only read
	if n := int(r.most / cifarRecord); !r.packed { // for a packed file the size is not known
		p.grow(n, limit)
	}
	if err := p.read(bufio.NewReaderSize(r, 64*cifarRecord), limit); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// grow makes room for n more images, but not for more than limit in all (0: no limit).
func (p *planes) grow(n, limit int) {
	if limit > 0 {
		n = max(min(n, limit-len(p.labels)), 0)
	}
	p.labels, p.pix = slices.Grow(p.labels, n), slices.Grow(p.pix, 3*cifarPlane*n)
}

func (p *planes) read(r io.Reader, limit int) error {
	var rec [cifarRecord]byte
	for n := 0; limit == 0 || len(p.labels) < limit; n++ {
		k, err := io.ReadFull(r, rec[:])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("record %d has %d bytes instead of %d (%w); the file is cut off, or not in CIFAR-10's binary layout: fetch it again", n, k, cifarRecord, err)
		}
		if rec[0] > 9 {
			return fmt.Errorf("label %d of record %d is not one of the ten classes 0 to 9; is the file in CIFAR-10's binary layout?", rec[0], n)
		}
		p.labels = append(p.labels, rec[0])
		p.pix = append(p.pix, rec[1:]...)
	}
	return nil
}

// Len implements part.Samples.
func (p *planes) Len() int { return len(p.labels) }

// Sample implements part.Samples.
func (p *planes) Sample(i int, s *part.Sample) error {
	dst, src := &s.Images[0], p.pix[i*3*cifarPlane:][:3*cifarPlane]
	dst.H, dst.W, dst.C = 32, 32, 3
	dst.Pix = slices.Grow(dst.Pix[:0], len(src))[:len(src)]
	red, green, blue := src[:cifarPlane], src[cifarPlane:][:cifarPlane], src[2*cifarPlane:][:cifarPlane]
	for j, out := 0, dst.Pix; j < cifarPlane; j, out = j+1, out[3:] {
		out[0], out[1], out[2] = red[j], green[j], blue[j]
	}
	s.Targets[0].Label(int(p.labels[i]))
	return nil
}
