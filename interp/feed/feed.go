// Package feed makes batches of a data set: in an order that is drawn from a seed, with the transforms applied, prepared ahead
// of their use.
package feed

import (
	"slices"

	"qpipe/interp/part"
	"qpipe/lang/program"
)

// Feed is a data set with its transforms.
type Feed struct {
	Samples    part.Samples
	Transforms []part.Transform
	Spec       part.Spec // after the transforms
}

// Batch is how many images at a time are read where n are asked for: never more than
// there are, so that no room is made for others.
func (f *Feed) Batch(n int) int { return min(n, f.Samples.Len()) }

// Steps is the number of batches in an epoch.
func (f *Feed) Steps(batch int, dropLast bool) int {
	return program.Batches(f.Samples.Len(), batch, dropLast)
}

// First reads up to n samples from the beginning of the data, in its own order, as
// the network takes them: a slice for each input.
func (f *Feed) First(n int, seed int64) (inputs [][]float32, count int, err error) {
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
	for _, x := range b.Inputs() {
		inputs = append(inputs, slices.Clone(x))
	}
	return inputs, n, nil
}

// Each hands do the first samples of the data (all with a negative number), in its own
// order and in batches of up to batch, as the network takes them. What do gets is valid
// until it returns; an error of its ends the pass.
func (f *Feed) Each(samples, batch int, seed int64, do func(b *Batch) error) error {
	if samples < 0 || samples > f.Samples.Len() {
		samples = f.Samples.Len()
	}
	batch = min(batch, max(samples, 1))
	steps := (samples + batch - 1) / batch
	l, err := f.Load(Order{Seed: uint64(seed), Batch: batch, PerEpoch: max(f.Steps(batch, false), 1), To: steps}, 1)
	if err != nil {
		return err
	}
	defer l.Close()
	for left := samples; left > 0; left -= batch {
		b, err := l.Next()
		if err != nil {
			return err
		}
		b.Index = b.Index[:min(len(b.Index), left)]
		if err := do(b); err != nil {
			return err
		}
	}
	return nil
}
