// Package feed makes batches from a data set. Their order is drawn from a seed, the transforms are applied, and the batches
// are prepared by several goroutines before they are needed.
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
	Skipped    []string  // the files that the data set leaves out, and why

	// Calls has the blocks of the data set and of each transform, and Specs what the data is after each of them. With them an
	// error about a sample names the part that is at fault; without them it names none.
	Calls []program.Call
	Specs []part.Spec
}

// fault makes an error of the data set (step 0) or of a transform (from step 1).
func (f *Feed) fault(step int, err error) error {
	if step >= len(f.Calls) {
		return err
	}
	return &part.Fault{Call: f.Calls[step], Err: err}
}

// Batch returns the batch size to use if n is asked for: no more than there are samples,
// so that no memory is wasted.
func (f *Feed) Batch(n int) int { return min(n, f.Samples.Len()) }

// Steps returns the number of batches in an epoch.
func (f *Feed) Steps(batch int, dropLast bool) int {
	return program.Batches(f.Samples.Len(), batch, dropLast)
}

// First reads the first n samples of the data set, or all if there are fewer. It returns
// the network's inputs, a slice for each, and the number of samples.
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

// Each calls do for the first samples of the data set, in batches of up to batch. A
// negative number of samples means all. The batch is valid only during the call. If do
// returns an error, Each stops and returns it.
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
