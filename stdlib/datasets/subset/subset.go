// Package subset selects the samples of a data set from those in a split's files, in the same way for every data set.
package subset

import (
	"errors"

	"qpipe/interp/part"
)

// Subset selects the images of a data set from those in a split's files. It works in the same way for every data set
// that comes from files, in this order:
//
//   - a Seed other than 0 shuffles all images;
//   - the last Held of the training images are for validation, the others for training;
//   - of these the first Offset are left out, and then the first Most taken (0: all).
//
// So training and validation data with equal Seed and Held share no image.
type Subset struct {
	Split              string
	Seed               int
	Held, Offset, Most int
}

// Validation reports whether a split's name is that of the validation split.
func Validation(split string) bool { return split == "validation" || split == "val" }

// Validate checks what can be checked without the files. n is the number of images in them, -1 if it is not known.
func (s Subset) Validate(n int) error {
	for _, a := range []struct {
		attr  string
		value int
	}{{"val_samples", s.Held}, {"offset", s.Offset}, {"max_samples", s.Most}} {
		if a.value < 0 || a.value > part.MostImages {
			return part.Bad(a.attr, "%d images; it must be 0 to %d", a.value, part.MostImages)
		}
	}
	if s.Held > 0 && s.Split == "test" {
		return part.Bad("val_samples", "is for training and validation data; this is the test split")
	}
	if Validation(s.Split) && s.Held > 0 {
		n = max(n, s.Held) // the size of this part is enough
	} else if s.Most > 0 {
		n = -1 // other files in the same format have other numbers of images, which are known when they are opened
	}
	if n < 0 {
		return nil
	}
	_, _, err := s.Bounds(n)
	return err
}

// part returns the positions of the split's first image and of the one after its last, among n shuffled images.
func (s Subset) part(n int) (from, to int) {
	if Validation(s.Split) && s.Held > 0 {
		return n - s.Held, n
	}
	return 0, n - s.Held
}

// Bounds returns the positions of the subset.
func (s Subset) Bounds(n int) (from, to int, err error) {
	from, to = s.part(n)
	switch have := to - from; {
	case n == 0:
		return 0, 0, errors.New("the files hold no image")
	case s.Held > n || have < 1:
		return 0, 0, part.Bad("val_samples", "it holds out %s for validation, but there are %d", part.Count(s.Held, "image"), n)
	case s.Offset >= have:
		return 0, 0, part.Bad("offset", "it leaves out the first %s, but there are %d", part.Count(s.Offset, "image"), have)
	case s.Most > have-s.Offset && s.Offset > 0:
		return 0, 0, part.Bad("max_samples", "it asks for %s, but there are %d, and %d behind offset", part.Count(s.Most, "image"), have, have-s.Offset)
	case s.Most > have:
		return 0, 0, part.Bad("max_samples", "it asks for %s, but there are %d", part.Count(s.Most, "image"), have)
	}
	from += s.Offset
	if s.Most > 0 {
		to = from + s.Most
	}
	return from, to, nil
}

// Size is the number of images, if the files have n; -1 if that is not known.
func (s Subset) Size(n int) int {
	switch {
	case s.Most > 0:
		return s.Most
	case Validation(s.Split) && s.Held > 0:
		return s.Held - s.Offset
	case n < 0:
		return -1
	}
	return n - s.Held - s.Offset
}

// Shares reports whether two Subsets of the same n images (-1: unknown) have images in common. For differently shuffled
// ones it assumes so.
func (s Subset) Shares(o Subset, n int) bool {
	if n < 0 {
		n = 1 << 40 // more than any file has
	}
	from, to, err := s.Bounds(n)
	first, last, err2 := o.Bounds(n)
	return err == nil && err2 == nil && (s.Seed != o.Seed || from < last && first < to)
}

// Limit is how many images must be read to get those of the subset; 0: all.
func (s Subset) Limit() int {
	if s.Most == 0 || s.Held > 0 || s.Seed != 0 {
		return 0
	}
	return s.Offset + s.Most
}

// Of returns the subset of the n images of a split's files.
func (s Subset) Of(all part.Samples, n int) (part.Samples, error) {
	index, err := s.Choose(n)
	if err != nil {
		return nil, err
	}
	return chosen{all, index}, nil
}

// Choose returns the indices of the subset among n images, in its order.
func (s Subset) Choose(n int) ([]int, error) {
	from, to, err := s.Bounds(n)
	if err != nil {
		return nil, err
	}
	if s.Seed != 0 {
		return part.NewRand(0x73706c6974, uint64(s.Seed)).Perm(n)[from:to], nil
	}
	index := make([]int, to-from)
	for i := range index {
		index[i] = from + i
	}
	return index, nil
}

// chosen are some images of a data set, in the order of index.
type chosen struct {
	all   part.Samples
	index []int
}

// Len implements part.Samples.
func (c chosen) Len() int { return len(c.index) }

// Sample implements part.Samples.
func (c chosen) Sample(i int, s *part.Sample) error { return c.all.Sample(c.index[i], s) }
