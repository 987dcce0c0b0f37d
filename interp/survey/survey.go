// Package survey looks through an opened data set: how many samples it has, of which classes, and the mean and the
// deviation of their values; and it draws what the network is fed.
package survey

import (
	"math"

	"qpipe/interp/feed"
	"qpipe/interp/number"
	"qpipe/interp/part"
)

// Survey is what is in a data set after its transforms.
type Survey struct {
	Data    string   `json:"data"`    // dataset.NAME
	Type    string   `json:"type"`    // of the data set
	Samples int      `json:"samples"` // of the whole data set
	Read    int      `json:"read"`    // how many of them the numbers below are of
	Inputs  []Input  `json:"inputs"`
	Targets []Target `json:"targets"`
	Skipped []string `json:"skipped"` // what is left out, and why

	Threads   int     `json:"threads"` // that read
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"images_per_second"`
}

// Input is an input of the samples. Mean and Std are those of the values before they are normalized: of pixels as shares of
// 255, of numbers as they are; one for each channel.
type Input struct {
	Name     string         `json:"name,omitempty"`
	Height   int            `json:"height"`
	Width    int            `json:"width"`
	Channels int            `json:"channels"`
	Numbers  bool           `json:"numbers,omitempty"`
	Mean     []number.Float `json:"mean"`
	Std      []number.Float `json:"std"`
}

// Target is a target of the samples. Count has the labels of each class; those of a mask are pixels.
type Target struct {
	Name    string   `json:"name,omitempty"`
	Kind    string   `json:"kind"` // in words: "10 classes"
	Names   []string `json:"names,omitempty"`
	Count   []int    `json:"count,omitempty"`
	Ignored int      `json:"ignored,omitempty"`
}

// Of reads the first samples of a data set, or all if most is 0, as in the first epoch of a training.
func Of(f *feed.Feed, most int, seed uint64, readers int) (*Survey, error) {
	n := f.Samples.Len()
	if most > 0 {
		n = min(n, most)
	}
	s := &Survey{Samples: f.Samples.Len(), Read: n, Threads: readers, Skipped: append([]string{}, f.Skipped...)}
	sums := make([]sum, len(f.Spec.Inputs))
	for _, t := range f.Spec.Targets {
		to := Target{Name: t.Name, Kind: t.String(), Names: t.Names}
		if !t.Numbers {
			to.Count = make([]int, max(t.Classes, 0))
		}
		s.Targets = append(s.Targets, to)
	}
	if err := s.read(f, sums, n, seed, readers); err != nil {
		return nil, err
	}
	for k, in := range f.Spec.Inputs {
		i := Input{Name: in.Name, Height: in.Shape.H, Width: in.Shape.W, Channels: in.Shape.C, Numbers: in.Numbers}
		mean, std, err := in.MeanStd()
		if err != nil {
			return nil, err
		}
		for c := range mean {
			m, d := sums[k].of(c)
			i.Mean = append(i.Mean, number.Float(float64(m*std[c])+mean[c]))
			i.Std = append(i.Std, number.Float(d*std[c]))
		}
		s.Inputs = append(s.Inputs, i)
	}
	return s, nil
}

// read reads n samples, and adds up what they have.
func (s *Survey) read(f *feed.Feed, sums []sum, n int, seed uint64, readers int) error {
	batch := min(32, max(n, 1))
	steps := (n + batch - 1) / batch
	l, err := f.Load(feed.Order{Seed: seed, Batch: batch, PerEpoch: max(f.Steps(batch, false), 1), To: steps}, readers)
	if err != nil {
		return err
	}
	defer l.Close()
	for left := n; left > 0; left -= batch {
		b, err := l.Next()
		if err != nil {
			return err
		}
		b.Index = b.Index[:min(len(b.Index), left)]
		for k, x := range b.Inputs() {
			sums[k].add(x, f.Spec.Inputs[k].Shape.C)
		}
		for k, t := range b.Targets() {
			s.Targets[k].add(t)
		}
	}
	return nil
}

// add counts labels.
func (t *Target) add(of part.Target) {
	for _, label := range of.Labels {
		if label < 0 {
			t.Ignored++
			continue
		}
		for int(label) >= len(t.Count) {
			t.Count = append(t.Count, 0)
		}
		t.Count[label]++
	}
}

// sum has the sums of the values of each channel, and of their squares.
type sum struct {
	n        int
	sum, two []float64
}

func (s *sum) add(x []float32, channels int) {
	if s.sum == nil {
		s.sum, s.two = make([]float64, channels), make([]float64, channels)
	}
	s.n += len(x) / channels
	if channels == 3 {
		s.three(x)
		return
	}
	for i := 0; i < len(x); i += channels {
		for c, v := range x[i:][:channels] {
			s.sum[c] += float64(v)
			s.two[c] += float64(float64(v) * float64(v))
		}
	}
}

// three is add for three channels, which most images have.
func (s *sum) three(x []float32) {
	var a, b, c, aa, bb, cc float64
	for ; len(x) >= 3; x = x[3:] {
		u, v, w := float64(x[0]), float64(x[1]), float64(x[2])
		a, b, c = a+u, b+v, c+w
		aa, bb, cc = aa+float64(u*u), bb+float64(v*v), cc+float64(w*w)
	}
	s.sum[0], s.sum[1], s.sum[2] = s.sum[0]+a, s.sum[1]+b, s.sum[2]+c
	s.two[0], s.two[1], s.two[2] = s.two[0]+aa, s.two[1]+bb, s.two[2]+cc
}

// of returns mean and standard deviation of a channel.
func (s *sum) of(c int) (mean, std float64) {
	if s.n == 0 {
		return 0, 0
	}
	mean = s.sum[c] / float64(s.n)
	return mean, math.Sqrt(max(s.two[c]/float64(s.n)-float64(mean*mean), 0))
}
