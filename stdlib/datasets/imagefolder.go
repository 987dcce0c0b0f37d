package datasets

import (
	"fmt"
	"io/fs"
	"path"
	"slices"

	"qpipe/interp/part"
	"qpipe/ops/tensor"
	"qpipe/stdlib/datasets/subset"
)

// ImageFolderArgs are the arguments of ImageFolder.
type ImageFolderArgs struct {
	Root       string   `arg:"root" doc:"Folder with a folder for each class, or with the folders train, val (or validation) and test, which have one for each class; or the folder that the names in the list begin from."`
	Split      string   `arg:"split,optional" oneof:"train validation val test" doc:"train is the folder train, or all of the root if it has none, without the images held out by val_samples; validation (or val) is those or, with val_samples = 0, the folder val; test is the folder test. Of a list, the rows that say so in the column split."`
	List       string   `arg:"list,optional" doc:"A CSV file in the root with the columns file and label, and perhaps split, instead of folders for classes."`
	ClassNames []string `arg:"class_names,optional" doc:"The classes, label 0 first; without it the names of the folders of the training images, sorted, or the labels of the list."`
	FileArgs
}

// ImageFolderDefaults returns ImageFolder's defaults.
func ImageFolderDefaults() ImageFolderArgs {
	return ImageFolderArgs{Split: "train", FileArgs: fileDefaults()}
}

// Validate implements the language's check after decoding.
func (a ImageFolderArgs) Validate() error {
	switch {
	case a.Root == "":
		return part.Bad("root", `is empty; name the folder with the images ("." is the pipeline's own)`)
	case a.List != "" && !fs.ValidPath(path.Clean(a.List)):
		return part.Bad("list", "%q is not the name of a file in the root", a.List)
	}
	if err := a.validate(a.Split); err != nil {
		return err
	}
	return subset.ValidNames(a.ClassNames, len(a.ClassNames))
}

func (a ImageFolderArgs) subset() subset.Subset { return a.of(a.Split) }

// source is the split whose files the images come from.
func (a ImageFolderArgs) source() string { return a.sourceOf(a.Split) }

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
	if s.order, s.skipped, err = f.chosen(f.Split, len(x.files), s.read); err != nil {
		return nil, f.in(err)
	}
	return s, nil
}
