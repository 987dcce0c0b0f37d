package datasets

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"qpipe/interp/part"
	"qpipe/ops/tensor"
	"qpipe/stdlib/datasets/subset"
)

// WebDatasetArgs are the arguments of WebDataset.
type WebDatasetArgs struct {
	Root       string   `arg:"root" doc:"Folder with the archives."`
	Shards     []string `arg:"shards" doc:"The archives (.tar, or packed by gzip): names, or patterns like train-*.tar."`
	Split      string   `arg:"split,optional" oneof:"train validation val" doc:"train is all samples without those held out by val_samples, validation (or val) is those or, with val_samples = 0, all samples of archives for validation."`
	Images     []string `arg:"images,optional" doc:"Endings of the files that are images."`
	Label      string   `arg:"label,optional" doc:"Ending of the files that are labels: a number as text."`
	NumClasses int      `arg:"num_classes,optional" doc:"Number of classes; without it, and without class_names, the largest label says it."`
	ClassNames []string `arg:"class_names,optional" doc:"Names of the classes, label 0 first. A label may also be one of them."`
	FileArgs
}

// WebDatasetDefaults returns WebDataset's defaults.
func WebDatasetDefaults() WebDatasetArgs {
	return WebDatasetArgs{Split: "train", Images: []string{"jpg", "jpeg", "png", "webp"}, Label: "cls", FileArgs: fileDefaults()}
}

// Validate implements the language's check after decoding.
func (a WebDatasetArgs) Validate() error {
	switch {
	case a.Root == "":
		return part.Bad("root", `is empty; name the folder with the archives ("." is the pipeline's own)`)
	case len(a.Shards) == 0:
		return part.Bad("shards", "names no archive")
	case len(a.Images) == 0:
		return part.Bad("images", "names no ending")
	case a.Label == "" || slices.Contains(a.Images, a.Label):
		return part.Bad("label", "%q; labels need an ending of their own", a.Label)
	case a.NumClasses < 0 || a.NumClasses > 1<<20:
		return part.Bad("num_classes", "%d; it must be 1 to %d", a.NumClasses, 1<<20)
	case a.NumClasses > 0 && len(a.ClassNames) > 0 && a.NumClasses != len(a.ClassNames):
		return part.Bad("num_classes", "%d, but there are %s", a.NumClasses, part.Count(len(a.ClassNames), "name"))
	}
	for _, s := range a.Shards {
		if _, err := fs.Glob(noFiles{}, s); err != nil || !fs.ValidPath(path.Clean(s)) {
			return part.Bad("shards", "%q is not the name or pattern of a file in the root", s)
		}
	}
	if err := a.validate(a.Split); err != nil {
		return err
	}
	return subset.ValidNames(a.ClassNames, len(a.ClassNames))
}

// classes is the number of classes that the arguments say, 0 if they do not.
func (a WebDatasetArgs) classes() int { return max(a.NumClasses, len(a.ClassNames)) }

type webDataset struct{ WebDatasetArgs }

// NewWebDataset returns the data set of samples in tar archives: files of one name, but for the ending, are a sample.
func NewWebDataset(a WebDatasetArgs) (part.Dataset, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return webDataset{a}, nil
}

// Spec implements part.Dataset.
func (w webDataset) Spec() part.Spec { return w.spec(w.classes(), w.of(w.Split).Size(-1)) }

func (w webDataset) spec(classes, n int) part.Spec {
	if classes == 0 {
		classes = -1
	}
	return classified(tensor.Shape{C: w.Channels}, classes, w.ClassNames, n)
}

// Files implements part.Dataset.
func (w webDataset) Files() (string, []string) {
	names := make([]string, len(w.Shards))
	for i, s := range w.Shards {
		names[i] = path.Clean(s)
	}
	return w.Root, names
}

// Shares implements part.Sharer.
func (w webDataset) Shares(other part.Dataset) bool {
	o, ok := other.(webDataset)
	return ok && w.Root == o.Root && slices.Equal(w.Shards, o.Shards) && w.of(w.Split).Shares(o.of(o.Split), -1)
}

// Open implements part.Dataset: it reads the heads of all archives, and the labels.
func (w webDataset) Open(fsys func(root string) fs.FS) (part.Samples, error) {
	s, err := w.open(fsys(w.Root))
	if err != nil {
		return nil, fmt.Errorf("in %s: %w", w.Root, err)
	}
	return s, nil
}

func (w webDataset) open(in fs.FS) (*tarSamples, error) {
	s := &tarSamples{args: w, classes: w.classes()}
	for _, pattern := range w.Shards {
		names, err := fs.Glob(in, path.Clean(pattern))
		if err != nil || len(names) == 0 {
			return nil, part.Bad("shards", "there is no %s", pattern)
		}
		slices.Sort(names)
		for _, name := range names {
			if err := s.index(in, name); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	if len(s.entries) == 0 {
		return nil, part.Bad("shards", "they have no sample: a file that ends in %s with one that ends in .%s", strings.Join(w.Images, ", "), w.Label)
	}
	if w.classes() == 0 {
		for _, e := range s.entries {
			s.classes = max(s.classes, int(e.label)+1)
		}
	}
	var err error
	s.order, s.skipped, err = w.chosen(w.Split, len(s.entries), s.read)
	return s, err
}

// label reads a label as it is written in an archive.
func (w webDataset) label(text string) (int32, error) {
	text = strings.TrimSpace(text)
	if i := slices.Index(w.ClassNames, text); i >= 0 {
		return int32(i), nil
	}
	n, err := strconv.Atoi(text)
	switch most := w.classes(); {
	case err != nil || n < 0 || n >= 1<<20:
		return 0, fmt.Errorf("the label is %q, not a whole number from 0 on", text[:min(len(text), 40)])
	case most > 0 && n >= most:
		return 0, fmt.Errorf("the label is %d, and there are %s", n, part.Count(most, "class"))
	}
	return int32(n), nil
}
