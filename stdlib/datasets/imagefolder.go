package datasets

import (
	"fmt"
	"io/fs"
	"path"
	"slices"

	"qpipe/interp/part"
	"qpipe/interp/picture"
	"qpipe/ops/tensor"
	"qpipe/stdlib/datasets/subset"
)

// ImageFolderArgs are the arguments of ImageFolder.
type ImageFolderArgs struct {
	Root       string   `arg:"root" doc:"Folder with a folder for each class, or with the folders train, val (or validation) and test, which have one for each class; or the folder that the names in the list begin from."`
	Split      string   `arg:"split,optional" oneof:"train validation val test" doc:"train is the folder train, or all of the root if it has none, without the images held out by val_samples; validation (or val) is those or, with val_samples = 0, the folder val; test is the folder test. Of a list, the rows that say so in the column split."`
	List       string   `arg:"list,optional" doc:"A CSV file in the root with the columns file and label, and perhaps split, instead of folders for classes."`
	Channels   int      `arg:"channels,optional" doc:"What images are converted to: 1 for grey, 3 for red, green and blue, 4 for opacity as well."`
	ClassNames []string `arg:"class_names,optional" doc:"The classes, label 0 first; without it the names of the folders of the training images, sorted, or the labels of the list."`
	ValSamples int      `arg:"val_samples,optional" doc:"How many of the training images are held out for validation: the last ones. Training and validation data with equal val_samples and seed share no image."`
	Seed       int      `arg:"seed,optional" doc:"Shuffles the files before val_samples, offset and max_samples choose among them; 0 leaves them in the order of their names, class by class, or in the list's."`
	Offset     int      `arg:"offset,optional" doc:"How many of the split's first images are left out."`
	MaxSamples int      `arg:"max_samples,optional" doc:"How many images are used, after offset; 0 uses all."`
	OnError    string   `arg:"on_error,optional" oneof:"stop skip" doc:"What a file does that is no image: stop the run, or be left out. To know which ones, skip decodes all images once when the data is opened."`
	MaxPixels  int      `arg:"max_pixels,optional" doc:"The most pixels that an image may have. A file that claims to have more is broken."`
}

// ImageFolderDefaults returns ImageFolder's defaults.
func ImageFolderDefaults() ImageFolderArgs {
	return ImageFolderArgs{Split: "train", Channels: 3, Seed: 1, OnError: "stop", MaxPixels: picture.MostPixels}
}

// Validate implements the language's check after decoding.
func (a ImageFolderArgs) Validate() error {
	switch {
	case a.Root == "":
		return part.Bad("root", `is empty; name the folder with the images ("." is the pipeline's own)`)
	case a.Channels != 1 && a.Channels != 3 && a.Channels != 4:
		return part.Bad("channels", "%d; an image has 1 (grey), 3 (red, green, blue) or 4 (and opacity)", a.Channels)
	case a.MaxPixels < 1 || a.MaxPixels > 1<<30:
		return part.Bad("max_pixels", "%d; it must be 1 to %d", a.MaxPixels, 1<<30)
	case a.List != "" && !fs.ValidPath(path.Clean(a.List)):
		return part.Bad("list", "%q is not the name of a file in the root", a.List)
	}
	if err := a.subset().Validate(-1); err != nil {
		return err
	}
	if len(a.ClassNames) == 0 {
		return nil
	}
	return subset.ValidNames(a.ClassNames, len(a.ClassNames))
}

func (a ImageFolderArgs) subset() subset.Subset {
	return subset.Subset{Split: a.Split, Seed: a.Seed, Held: a.ValSamples, Offset: a.Offset, Most: a.MaxSamples}
}

// source is the split whose files the images come from.
func (a ImageFolderArgs) source() string {
	switch {
	case subset.Validation(a.Split) && a.ValSamples > 0:
		return "train"
	case subset.Validation(a.Split):
		return "validation"
	}
	return a.Split
}

type imageFolder struct{ ImageFolderArgs }

// NewImageFolder returns the data set of image files with a class each. Images have sizes of their own until a transform
// gives them one.
func NewImageFolder(a ImageFolderArgs) (part.Dataset, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return imageFolder{a}, nil
}

// Spec implements part.Dataset. The classes are known if they are written.
func (f imageFolder) Spec() part.Spec {
	return f.spec(f.ClassNames, len(f.ClassNames), f.subset().Size(-1))
}

func (f imageFolder) spec(names []string, classes, n int) part.Spec {
	if classes == 0 {
		classes = -1
	}
	return classified(tensor.Shape{C: f.Channels}, classes, names, n)
}

// Peek implements part.Peeker: the names of folders are those of classes.
func (f imageFolder) Peek(fsys func(root string) fs.FS) (part.Spec, error) {
	s := f.Spec()
	if len(f.ClassNames) > 0 || f.List != "" {
		return s, nil
	}
	if l, err := f.layout(fsys(f.Root)); err == nil && len(l.classes) > 0 {
		return f.spec(l.classes, len(l.classes), s.Len), nil
	}
	return s, nil
}

// Files implements part.Dataset: there are too many for patterns, see Listed.
func (f imageFolder) Files() (string, []string) { return f.Root, nil }

// Listed implements part.Lister. Data that is not there has no files.
func (f imageFolder) Listed(fsys func(root string) fs.FS) (together string, names []string, err error) {
	in := fsys(f.Root)
	if _, err := fs.Stat(in, "."); err != nil {
		return "", nil, nil
	}
	x, err := f.index(in)
	if err != nil {
		return "", nil, f.in(err)
	}
	names = slices.Clone(x.files)
	if f.List != "" {
		names = append(names, path.Clean(f.List))
	}
	slices.Sort(names)
	return f.source() + "/" + f.List, slices.Compact(names), nil
}

func (f imageFolder) in(err error) error { return fmt.Errorf("in %s: %w", f.Root, err) }

// Shares implements part.Sharer.
func (f imageFolder) Shares(other part.Dataset) bool {
	o, ok := other.(imageFolder)
	return ok && f.Root == o.Root && f.List == o.List && f.source() == o.source() && f.subset().Shares(o.subset(), -1)
}

// Open implements part.Dataset.
func (f imageFolder) Open(fsys func(root string) fs.FS) (part.Samples, error) {
	in := fsys(f.Root)
	x, err := f.index(in)
	if err != nil {
		return nil, f.in(err)
	}
	s := &imageFiles{folder: in, args: f, imageIndex: *x}
	if f.OnError == "skip" {
		if s.skip(); len(s.files) == 0 {
			return nil, f.in(fmt.Errorf("none of %s can be read; the first: %s", part.Count(len(s.skipped), "file"), s.skipped[0]))
		}
	}
	s.order, err = f.subset().Choose(len(s.files))
	if err != nil {
		return nil, f.in(err)
	}
	return s, nil
}
