// Package feed makes batches of a data set: in an order that is drawn from a seed, with the transforms applied, prepared ahead
// of their use.
package feed

import (
	"fmt"
	"slices"

	"qpipe/interp/part"
	"qpipe/lang/program"
)

// table holds the network's input for every byte of every channel.
type table [][256]float32

// table computes x = (pixel/255 - mean)/std in float64 and rounds once.
func tableOf(s part.Spec) (table, error) {
	mean, std, err := s.MeanStd()
	if err != nil {
		return nil, err
	}
	t := make(table, s.Shape.C)
	for c := range t {
		if !(std[c] > 0) {
			return nil, fmt.Errorf("std must be positive, channel %d has %v", c, std[c])
		}
		for p := range t[c] {
			t[c][p] = float32((float64(p)/255 - mean[c]) / std[c])
		}
	}
	return t, nil
}

// Feed is a data set with its transforms.
type Feed struct {
	Samples    part.Samples
	Transforms []part.Transform
	Spec       part.Spec // after the transforms
}

// spread writes an image's pixels as the network's input.
func (t table) spread(pix []uint8, dst []float32) {
	if len(t) == 1 {
		for i, p := range pix {
			dst[i] = t[0][p]
		}
		return
	}
	for len(pix) >= len(t) {
		for c := range t {
			dst[c] = t[c][pix[c]]
		}
		pix, dst = pix[len(t):], dst[len(t):]
	}
}

// Batch is how many images at a time are read where n are asked for: never more than
// there are, so that no room is made for others.
func (f *Feed) Batch(n int) int { return min(n, f.Samples.Len()) }

// Steps is the number of batches in an epoch.
func (f *Feed) Steps(batch int, dropLast bool) int {
	return program.Batches(f.Samples.Len(), batch, dropLast)
}

// First reads up to n images from the beginning of the data, in its own order, as
// the network takes them.
func (f *Feed) First(n int, seed int64) (x []float32, count int, err error) {
	n = min(n, f.Samples.Len())
	l, err := f.Load(Order{Seed: uint64(seed), Batch: n, PerEpoch: 1, To: 1}, 1)
	if err != nil {
		return nil, 0, err
	}
	defer l.Close()
	b, err := l.Next()
	if err != nil {
		return nil, 0, err
	}
	return slices.Clone(b.Images()), n, nil
}

// Each hands do the first images of the data (all with a negative number), in its own
// order and in batches of up to batch, as the network takes them. What do gets is valid
// until it returns; an error of its ends the pass.
func (f *Feed) Each(images, batch int, seed int64, do func(x []float32, labels []int32) error) error {
	if images < 0 || images > f.Samples.Len() {
		images = f.Samples.Len()
	}
	batch = min(batch, max(images, 1))
	steps := (images + batch - 1) / batch
	l, err := f.Load(Order{Seed: uint64(seed), Batch: batch, PerEpoch: max(f.Steps(batch, false), 1), To: steps}, 1)
	if err != nil {
		return err
	}
	defer l.Close()
	for left := images; left > 0; left -= batch {
		b, err := l.Next()
		if err != nil {
			return err
		}
		n := min(len(b.Index), left)
		if err := do(b.x[:n*b.size], b.Labels[:n]); err != nil {
			return err
		}
	}
	return nil
}

// reader turns images into rows of a batch. Each goroutine has its own.
type reader struct {
	feed  *Feed
	table table
	seed  uint64
	image part.Image
	rand  part.Rand
}

// fill reads the images b.index and what randomness (seed, epoch, index) gives them.
func (r *reader) fill(b *Batch) error {
	size := r.feed.Spec.Shape.WithN(1).Len()
	for row, i := range b.Index {
		label, err := r.feed.Samples.Image(i, &r.image)
		if err != nil {
			return fmt.Errorf("image %d: %w", i, err)
		}
		r.rand.Seed(r.seed, uint64(b.epoch), uint64(i))
		for _, t := range r.feed.Transforms {
			t.Apply(&r.image, &r.rand)
		}
		if err := r.check(label); err != nil {
			return fmt.Errorf("image %d: %w", i, err)
		}
		r.table.spread(r.image.Pix, b.x[row*size:(row+1)*size])
		b.Labels[row] = int32(label)
	}
	return nil
}

// check holds what came against what the Spec promises.
func (r *reader) check(label int) error {
	m, want := &r.image, r.feed.Spec
	if m.H != want.Shape.H || m.W != want.Shape.W || m.C != want.Shape.C || len(m.Pix) != want.Shape.WithN(1).Len() {
		return fmt.Errorf("it is %d×%d×%d (%s), the data set says %v", m.H, m.W, m.C, part.Count(len(m.Pix), "byte"), want.Shape)
	}
	if label < 0 || (want.Classes > 0 && label >= want.Classes) {
		return fmt.Errorf("its label is %d, the data set says 0 to %d", label, want.Classes-1)
	}
	return nil
}
