package datasets

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"qpipe/interp/part"
	"qpipe/interp/picture"
	"qpipe/stdlib/datasets/subset"
)

// FileArgs are the arguments that all data sets of image files have.
type FileArgs struct {
	Channels   int    `arg:"channels,optional" doc:"What images are converted to: 1 for grey, 3 for red, green and blue, 4 for opacity as well."`
	ValSamples int    `arg:"val_samples,optional" doc:"How many of the training images are held out for validation: the last ones. Training and validation data with equal val_samples and seed share no image."`
	Seed       int    `arg:"seed,optional" doc:"Shuffles the images before val_samples, offset and max_samples choose among them; 0 leaves them in the order of their names, class by class, or in that of a list or archive."`
	Offset     int    `arg:"offset,optional" doc:"How many of the split's first images are left out."`
	MaxSamples int    `arg:"max_samples,optional" doc:"How many images are used, after offset; 0 uses all."`
	OnError    string `arg:"on_error,optional" oneof:"stop skip" doc:"What a file does that is no image: stop the run, or be left out. To know which ones, skip decodes all images once when the data is opened."`
	MaxPixels  int    `arg:"max_pixels,optional" doc:"The most pixels that an image may have. A file that claims to have more is broken."`
}

func fileDefaults() FileArgs {
	return FileArgs{Channels: 3, Seed: 1, OnError: "stop", MaxPixels: picture.MostPixels}
}

// validate checks the arguments of a data set of a split.
func (a FileArgs) validate(split string) error {
	switch {
	case a.Channels != 1 && a.Channels != 3 && a.Channels != 4:
		return part.Bad("channels", "%d; an image has 1 (grey), 3 (red, green, blue) or 4 (and opacity)", a.Channels)
	case a.MaxPixels < 1 || a.MaxPixels > 1<<30:
		return part.Bad("max_pixels", "%d; it must be 1 to %d", a.MaxPixels, 1<<30)
	}
	return a.of(split).Validate(-1)
}

// of is the subset of a split.
func (a FileArgs) of(split string) subset.Subset {
	return subset.Subset{Split: split, Seed: a.Seed, Held: a.ValSamples, Offset: a.Offset, Most: a.MaxSamples}
}

// sourceOf is the split whose files the images of a split come from.
func (a FileArgs) sourceOf(split string) string {
	switch {
	case subset.Validation(split) && a.ValSamples > 0:
		return "train"
	case subset.Validation(split):
		return "validation"
	}
	return split
}

// chosen returns the samples of a split among n, in its order. read reads one of the n; with on_error = "skip" those that
// cannot be read do not count, and are returned with the reason.
func (a FileArgs) chosen(split string, n int, read func(i int, r *imageReader, s *part.Sample) error) (order []int, skipped []string, err error) {
	sound := make([]int, 0, n)
	errs := make([]error, n)
	if a.OnError == "skip" {
		errs = a.readAll(n, read)
	}
	for i, err := range errs {
		if err != nil {
			skipped = append(skipped, err.Error())
		} else {
			sound = append(sound, i)
		}
	}
	if len(sound) == 0 && n > 0 {
		return nil, nil, fmt.Errorf("none of %s can be read; the first: %s", part.Count(n, "image"), skipped[0])
	}
	order, err = a.of(split).Choose(len(sound))
	for k, i := range order {
		order[k] = sound[i]
	}
	return order, skipped, err
}

// readAll reads all samples with all cores.
func (a FileArgs) readAll(n int, read func(i int, r *imageReader, s *part.Sample) error) []error {
	errs := make([]error, n)
	var next atomic.Int64
	var work sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		work.Go(func() {
			var r imageReader
			s := part.Sample{Images: make([]part.Image, 1), Targets: make([]part.Target, 1)}
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				errs[i] = read(i, &r, &s)
			}
		})
	}
	work.Wait()
	return errs
}

// hint says what to do about a broken file.
const hint = `; replace or remove it, or set on_error = "skip"`

// most is the largest size of a file with an image of the most pixels that are allowed.
func (a FileArgs) most() int64 { return 8*int64(a.MaxPixels) + 1<<20 }

// split names the folders of a split, the last that is there first.
func splitFolders(source string) []string {
	switch source {
	case "validation":
		return []string{"val", "validation"}
	}
	return []string{source}
}

// base is the folder of a split: one of its name, or of training images all of the root.
func (a FileArgs) base(root, source string, top []string) (string, error) {
	for _, name := range splitFolders(source) {
		if slices.Contains(top, name) {
			return name, nil
		}
	}
	switch source {
	case "train":
		return ".", nil
	case "test":
		return "", part.Bad("split", "there is no folder test in %s; name another root for the test images", root)
	}
	return "", part.Bad("split", "there is no folder val in %s; say with val_samples how many of the training images are held out, here and in the training data", root)
}
