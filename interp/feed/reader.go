package feed

import (
	"fmt"

	"qpipe/interp/part"
	"qpipe/interp/prepare"
)

// reader reads samples into batches. Each goroutine has its own reader.
type reader struct {
	feed    *Feed
	scales  []*prepare.Scale // one for each input
	seed    uint64
	own     *part.Sample // with as many inputs and targets as the data set has; each sample begins with them
	sample  part.Sample
	rand    part.Rand
	image   int          // the sample that is read
	mixture part.Mixture // the batch, while it is mixed
	at      int          // the step that is under way: 0 for the data set, 1 for the first transform
}

func newReader(f *Feed, inputs []*prepare.Scale, seed uint64) *reader {
	r := &reader{feed: f, scales: inputs, seed: seed, own: part.NewSample(f.Spec)}
	if len(f.Specs) > 0 {
		r.own = part.NewSample(f.Specs[0])
	}
	return r
}

// fill reads the samples b.Index into the batch.
func (r *reader) fill(b *Batch) error {
	for row, i := range b.Index {
		if err := r.read(i, b.epoch); err != nil {
			return err
		}
		for k := range r.sample.Images {
			r.scales[k].Spread(r.sample.Images[k].Pix, r.sample.Images[k].Numbers, of(b.inputs[k], row, b.sizes[k]))
		}
		for k := range r.sample.Targets {
			t, size := &r.sample.Targets[k], r.feed.Spec.Targets[k].Size()
			if r.feed.Spec.Targets[k].Numbers {
				copy(of(b.targets[k].Numbers, row, size), t.Numbers)
			} else {
				copy(of(b.targets[k].Labels, row, size), t.Labels)
			}
		}
	}
	r.mix(b)
	return nil
}

// mixing begins the keys of what mixing a batch draws: "mix".
const mixing = 0x6d6978

// mix lets the transforms that mix batches work, until one of them has. What they draw depends on seed, epoch and the number of the
// batch alone.
func (r *reader) mix(b *Batch) {
	m := &r.mixture
	m.Len = 0
	for k, t := range r.feed.Transforms {
		mixer, ok := t.(part.Mixer)
		if !ok {
			continue
		}
		if m.Len == 0 {
			*m = part.Mixture{Len: len(b.Index), Shapes: r.feed.Spec.Shapes(), Inputs: b.Inputs(), Targets: b.Targets()}
			for _, t := range m.Targets {
				copy(t.Other, t.Labels)
				for i := range t.Shares {
					t.Shares[i] = 1
				}
			}
		}
		if r.at = k + 1; m.Len > 1 {
			r.rand.Seed(mixing, r.seed, uint64(b.epoch), uint64(b.number), uint64(k))
			if mixer.Mix(m, &r.rand) {
				return
			}
		}
	}
}

// of returns the values of the sample at index row of a batch; size is their number.
func of[T any](rows []T, row, size int) []T { return rows[row*size:][:size] }

// read reads sample i into r.sample, applies the transforms and checks the result. The
// randomness of the transforms depends on seed, epoch and i alone.
func (r *reader) read(i, epoch int) error {
	step, err := r.steps(i, epoch, false)
	if err == nil {
		err = r.feed.Spec.Check(&r.sample)
	}
	if err == nil {
		return nil
	}
	if again, found := r.steps(i, epoch, true); found != nil {
		step, err = again, found
	}
	return r.feed.fault(step, fmt.Errorf("image %d: %w", i, err))
}

// blame makes a panic the error of the data set or of the transform that is under way.
func (r *reader) blame(p *part.Panic) error {
	p.Method, p.On = "Sample", fmt.Sprintf(" on image %d", r.image)
	if r.at > 0 {
		p.Method = "Apply"
	}
	return r.feed.fault(r.at, p)
}

// steps reads sample i and applies the transforms. With check, it checks the sample after each step. An error comes with the
// step that is at fault: 0 for the data set, 1 for the first transform.
func (r *reader) steps(i, epoch int, check bool) (int, error) {
	f := r.feed
	check = check && len(f.Specs) == 1+len(f.Transforms)
	r.sample, r.image, r.at = *r.own, i, 0
	err := f.Samples.Sample(i, &r.sample)
	if err == nil && check {
		err = f.Specs[0].Check(&r.sample)
	}
	if err != nil {
		return 0, err
	}
	r.rand.Seed(r.seed, uint64(epoch), uint64(i))
	for k, t := range f.Transforms {
		r.at = k + 1
		t.Apply(&r.sample, &r.rand)
		if check {
			if err := f.Specs[k+1].Check(&r.sample); err != nil {
				return k + 1, err
			}
		}
	}
	return 0, nil
}

// scaleOf prepares the conversion of an input of the data into an input of the network.
func scaleOf(in part.InputSpec) (*prepare.Scale, error) {
	mean, std, err := in.MeanStd()
	if err != nil {
		return nil, err
	}
	return prepare.NewScale(mean, std, in.Numbers)
}
