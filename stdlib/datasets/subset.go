package datasets

import (
	"errors"

	"qpipe/interp/part"
)

// subset selects the images of a data set from those in a split's files. It works in the same way for every data set
// that comes from files, in this order:
//
//   - a seed other than 0 shuffles all images;
//   - the last held of the training images are for validation, the others for training;
//   - of these the first offset are left out, and then the first most taken (0: all).
//
// So training and validation data with equal seed and held share no image.
type subset struct {
	split              string
	seed               int
	held, offset, most int
}

// validation reports whether a split's name is that of the validation split.
func validation(split string) bool { return split == "validation" || split == "val" }

// validate checks what can be checked without the files. n is the number of images in them, -1 if it is not known.
func (s subset) validate(n int) error {
	for _, a := range []struct {
		attr  string
		value int
	}{{"val_samples", s.held}, {"offset", s.offset}, {"max_samples", s.most}} {
		if a.value < 0 || a.value > part.MostImages {
			return part.Bad(a.attr, "%d images; it must be 0 to %d", a.value, part.MostImages)
		}
	}
	if s.held > 0 && s.split == "test" {
		return part.Bad("val_samples", "is for training and validation data; this is the test split")
	}
	if validation(s.split) && s.held > 0 {
		n = max(n, s.held) // the size of this part is enough
	} else if s.most > 0 {
		n = -1 // other files in the same format have other numbers of images, which are known when they are opened
	}
	if n < 0 {
		return nil
	}
	_, _, err := s.bounds(n)
	return err
}

// part returns the positions of the split's first image and of the one after its last, among n shuffled images.
func (s subset) part(n int) (from, to int) {
	if validation(s.split) && s.held > 0 {
		return n - s.held, n
	}
	return 0, n - s.held
}

// bounds returns the positions of the subset.
func (s subset) bounds(n int) (from, to int, err error) {
	from, to = s.part(n)
	switch have := to - from; {
	case n == 0:
		return 0, 0, errors.New("the files hold no image")
	case s.held > n || have < 1:
		return 0, 0, part.Bad("val_samples", "it holds out %s for validation, but there are %d", part.Count(s.held, "image"), n)
	case s.offset >= have:
		return 0, 0, part.Bad("offset", "it leaves out the first %s, but there are %d", part.Count(s.offset, "image"), have)
	case s.most > have-s.offset && s.offset > 0:
		return 0, 0, part.Bad("max_samples", "it asks for %s, but there are %d, and %d behind offset", part.Count(s.most, "image"), have, have-s.offset)
	case s.most > have:
		return 0, 0, part.Bad("max_samples", "it asks for %s, but there are %d", part.Count(s.most, "image"), have)
	}
	from += s.offset
	if s.most > 0 {
		to = from + s.most
	}
	return from, to, nil
}

// size is the number of images, if the files have n; -1 if that is not known.
func (s subset) size(n int) int {
	switch {
	case s.most > 0:
		return s.most
	case validation(s.split) && s.held > 0:
		return s.held - s.offset
	case n < 0:
		return -1
	}
	return n - s.held - s.offset
}

// shares reports whether two subsets of the same n images (-1: unknown) have images in common. For differently shuffled
// ones it assumes so.
func (s subset) shares(o subset, n int) bool {
	if n < 0 {
		n = 1 << 40 // more than any file has
	}
	from, to, err := s.bounds(n)
	first, last, err2 := o.bounds(n)
	return err == nil && err2 == nil && (s.seed != o.seed || from < last && first < to)
}

// limit is how many images must be read to get those of the subset; 0: all.
func (s subset) limit() int {
	if s.most == 0 || s.held > 0 || s.seed != 0 {
		return 0
	}
	return s.offset + s.most
}

// of returns the subset of the n images of a split's files.
func (s subset) of(all part.Samples, n int) (part.Samples, error) {
	index, err := s.choose(n)
	if err != nil {
		return nil, err
	}
	return chosen{all, index}, nil
}

// choose returns the indices of the subset among n images, in its order.
func (s subset) choose(n int) ([]int, error) {
	from, to, err := s.bounds(n)
	if err != nil {
		return nil, err
	}
	if s.seed != 0 {
		return part.NewRand(0x73706c6974, uint64(s.seed)).Perm(n)[from:to], nil
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
