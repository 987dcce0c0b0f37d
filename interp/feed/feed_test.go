package feed

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"qpipe/interp/part"
	"qpipe/ops/tensor"
)

// squares is a data set of n images whose bytes and labels follow from the index.
type squares struct {
	n, classes, side, channels int
	spoil                      func(i int, m *part.Image, label *int) error
	open                       atomic.Int32 // images being read
}

func (s *squares) Len() int { return s.n }

func (s *squares) Sample(i int, dst *part.Sample) error {
	m := &dst.Images[0]
	s.open.Add(1)
	defer s.open.Add(-1)
	if i%3 == 0 {
		time.Sleep(50 * time.Microsecond) // so that goroutines overtake each other
	}
	m.H, m.W, m.C = s.side, s.side, s.channels
	m.Pix = m.Pix[:0]
	label := i % s.classes
	r := part.NewRand(99, uint64(i))
	for p := range s.side * s.side * s.channels {
		v := 40 + int(r.Uint64()%60)
		if (p/s.channels)%s.classes == label {
			v += 120
		}
		m.Pix = append(m.Pix, uint8(v))
	}
	defer func() { dst.Targets[0].Label(label) }()
	if s.spoil != nil {
		return s.spoil(i, m, &label)
	}
	return nil
}

// jitter is a transform that uses its randomness.
type jitter struct{}

func (jitter) Spec(in part.Spec) (part.Spec, error) { return in, nil }

func (jitter) Apply(s *part.Sample, r *part.Rand) {
	m := &s.Images[0]
	m.Pix[r.Intn(len(m.Pix))] ^= uint8(r.Uint64())
}

func newFeed(n, classes, side, channels int) *Feed {
	return &Feed{
		Samples:    &squares{n: n, classes: classes, side: side, channels: channels},
		Transforms: []part.Transform{jitter{}},
		Spec: part.Spec{
			Inputs:  []part.InputSpec{{Shape: tensor.Shape{H: side, W: side, C: channels}}},
			Targets: []part.TargetSpec{{Classes: classes}}, Len: n,
		},
	}
}

// drain reads everything that a loader delivers, as text a batch.
func drain(t *testing.T, f *Feed, o Order, readers int) []string {
	t.Helper()
	l, err := f.Load(o, readers)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var out []string
	for range o.To - o.From {
		b, err := l.Next()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(b.epoch, b.Index, b.Targets()[0].Labels, b.Inputs()[0]))
	}
	return out
}

func TestBatchesDependOnlyOnSeedEpochAndIndex(t *testing.T) {
	f := newFeed(23, 4, 5, 3)
	o := Order{Seed: 7, Shuffle: true, Batch: 4, PerEpoch: 6, To: 18}
	want := drain(t, f, o, 1)
	for _, readers := range []int{2, 3, 8} {
		if got := drain(t, f, o, readers); !slices.Equal(got, want) {
			t.Errorf("%d goroutines read other batches than one", readers)
		}
	}
	for from := range o.To {
		p := o
		p.From = from
		if got := drain(t, f, p, 3); !slices.Equal(got, want[from:]) {
			t.Errorf("a loader that begins at batch %d does not go on as one that came there", from)
		}
	}
	p := o
	p.Seed = 8
	if drain(t, f, p, 1)[0] == want[0] {
		t.Error("another seed gives the same batch")
	}
}

// TestOrderIsAsDocumented compares order and augmentation with a second implementation, written after docs/numerics.md.
func TestOrderIsAsDocumented(t *testing.T) {
	const n, seed, batch = 23, -6, 5
	f := newFeed(n, 4, 5, 1)
	wrapped := int64(seed)
	got := drain(t, f, Order{Seed: uint64(wrapped), Shuffle: true, Batch: batch, PerEpoch: n / batch, To: 2 * (n / batch)}, 2)
	var want []string
	for e := range 2 {
		p, next := make([]int, n), documented(uint64(wrapped), uint64(e))
		for i := range p {
			p[i] = i
		}
		for i := n - 1; i >= 1; i-- {
			j := int(next() % uint64(i+1))
			p[i], p[j] = p[j], p[i]
		}
		for k := 0; k+batch <= n; k += batch {
			var labels []int32
			var x []float32
			for _, i := range p[k : k+batch] {
				sample := part.NewSample(f.Spec)
				_ = f.Samples.Sample(i, sample)
				m := &sample.Images[0]
				draw := documented(uint64(wrapped), uint64(e), uint64(i))
				at := int(draw() % uint64(len(m.Pix))) // what jitter draws
				m.Pix[at] ^= uint8(draw())
				labels = append(labels, sample.Targets[0].Labels...)
				for _, v := range m.Pix {
					x = append(x, float32((float64(v)/255-0.5)/0.5))
				}
			}
			want = append(want, fmt.Sprint(e, p[k:k+batch], labels, x))
		}
	}
	if !slices.Equal(got, want) {
		t.Error("the batches are not those of the page")
	}
}

// documented is the generator of that page, seeded with some keys.
func documented(keys ...uint64) func() uint64 {
	var state uint64
	next := func() uint64 {
		state += 0x9e3779b97f4a7c15
		z := state
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return z ^ z>>31
	}
	for _, k := range keys {
		state = next() ^ k
		next()
	}
	return next
}

func TestEveryEpochIsAPermutation(t *testing.T) {
	f := newFeed(23, 4, 5, 1)
	l, err := f.Load(Order{Seed: 1, Shuffle: true, Batch: 5, PerEpoch: 5, To: 15}, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	orders := map[string]bool{}
	for range 3 {
		var seen []int
		for range 5 {
			b, err := l.Next()
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, b.Index...)
		}
		orders[fmt.Sprint(seen)] = true
		slices.Sort(seen)
		for i, v := range seen {
			if i != v {
				t.Fatalf("an epoch is not a permutation: %v", seen)
			}
		}
	}
	if len(orders) != 3 {
		t.Error("epochs share an order")
	}
}

// TestAugmentationFollowsTheImage: what happens to image i in epoch e does not
// depend on the batch it is in.
func TestAugmentationFollowsTheImage(t *testing.T) {
	f := newFeed(12, 4, 5, 1)
	images := func(batch int) map[string][]float32 {
		per := f.Steps(batch, false)
		l, err := f.Load(Order{Seed: 3, Shuffle: true, Batch: batch, PerEpoch: per, To: 2 * per}, 2)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		out := map[string][]float32{}
		for range 2 * per {
			b, err := l.Next()
			if err != nil {
				t.Fatal(err)
			}
			for row, i := range b.Index {
				out[fmt.Sprint(b.epoch, i)] = slices.Clone(of(b.Inputs()[0], row, b.sizes[0]))
			}
		}
		return out
	}
	a, b := images(3), images(5)
	same := 0
	for i := range 12 {
		for e := range 2 {
			if k := fmt.Sprint(e, i); !slices.Equal(a[k], b[k]) {
				t.Errorf("epoch %d, image %d: batches of 3 and of 5 differ", e, i)
			}
		}
		if slices.Equal(a[fmt.Sprint(0, i)], a[fmt.Sprint(1, i)]) {
			same++
		}
	}
	if same == 12 {
		t.Error("two epochs augment alike")
	}
}

func TestTable(t *testing.T) {
	s := part.InputSpec{Shape: tensor.Shape{H: 1, W: 1, C: 3}}
	halves, err := scaleOf(s)
	if err != nil {
		t.Fatal(err)
	}
	s.Mean, s.Std = []float32{0.4914, 0.4822, 0.4465}, []float32{0.25}
	given, err := scaleOf(s)
	if err != nil {
		t.Fatal(err)
	}
	half, own := make([]float32, 6), make([]float32, 6)
	for p := range 256 {
		pix := []uint8{0, 0, 0, uint8(p), uint8(p), uint8(p)}
		halves.Spread(pix, nil, half)
		given.Spread(pix, nil, own)
		if want := float32((float64(p)/255 - 0.5) / 0.5); half[4] != want {
			t.Fatalf("pixel %d is %v, want %v", p, half[4], want)
		}
		if math.Abs(float64(half[3])-(float64(p)/127.5-1)) > 1e-7 {
			t.Fatalf("pixel %d is %v, want p/127.5 - 1", p, half[3])
		}
		for c := range 3 {
			if got, want := own[3+c], float32((float64(p)/255-float64(s.Mean[c]))/float64(float32(0.25))); got != want {
				t.Fatalf("channel %d, pixel %d is %v, want %v", c, p, got, want)
			}
		}
	}
	for _, bad := range []part.InputSpec{
		{Shape: s.Shape, Std: []float32{0}},
		{Shape: s.Shape, Std: []float32{float32(math.NaN())}},
		{Shape: s.Shape, Mean: []float32{1, 2}},
	} {
		if _, err := scaleOf(bad); err == nil {
			t.Errorf("mean %v, std %v: no error", bad.Mean, bad.Std)
		}
	}
}

func TestBadDataIsNamed(t *testing.T) {
	disk := errors.New("the disk is on fire")
	for name, c := range map[string]struct {
		spoil func(i int, m *part.Image, label *int) error
		want  string
	}{
		"error": {func(i int, _ *part.Image, _ *int) error { return disk }, "the disk is on fire"},
		"size":  {func(i int, m *part.Image, _ *int) error { m.H++; return nil }, "6×5×1"},
	} {
		f := newFeed(12, 4, 5, 1)
		f.Samples.(*squares).spoil = func(i int, m *part.Image, l *int) error {
			if i == 7 {
				return c.spoil(i, m, l)
			}
			return nil
		}
		l, err := f.Load(Order{Batch: 3, PerEpoch: 4, To: 4}, 3)
		if err != nil {
			t.Fatal(err)
		}
		for k := range 3 {
			_, err = l.Next()
			if (err != nil) != (k == 2) {
				t.Fatalf("%s: batch %d: %v", name, k, err)
			}
		}
		if !strings.Contains(err.Error(), "image 7") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %q", name, err)
		}
		l.Close()
	}
	f := newFeed(12, 4, 5, 1)
	f.Spec.Targets[0].Classes = 3
	l, err := f.Load(Order{Batch: 12, PerEpoch: 1, To: 1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Next(); err == nil || !strings.Contains(err.Error(), "its label is 3") {
		t.Errorf("a label out of range: %v", err)
	}
}

// TestPanicsCross: a panic in a data set is raised again in the caller's goroutine, where it
// can be recovered.
func TestPanicsCross(t *testing.T) {
	f := newFeed(12, 4, 5, 1)
	f.Samples.(*squares).spoil = func(i int, _ *part.Image, _ *int) error {
		if i == 5 {
			panic("a bug in a part")
		}
		return nil
	}
	l, err := f.Load(Order{Batch: 3, PerEpoch: 4, To: 4}, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	defer func() {
		if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "a bug in a part") {
			t.Errorf("recovered %v", v)
		}
	}()
	for range 4 {
		if _, err := l.Next(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLoaderIsBounded: an unread loader stops reading ahead, and closing it ends
// its goroutines.
func TestLoaderIsBounded(t *testing.T) {
	before := runtime.NumGoroutine()
	f := newFeed(1000, 4, 5, 1)
	var read atomic.Int32
	f.Samples.(*squares).spoil = func(int, *part.Image, *int) error { read.Add(1); return nil }
	l, err := f.Load(Order{Batch: 10, PerEpoch: 100, To: 100}, 3)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	if n := read.Load(); n > 40 {
		t.Errorf("%d images were read ahead, 4 batches of 10 are the bound", n)
	}
	l.Close()
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines are left, %d before", runtime.NumGoroutine(), before)
}

func TestRandIsTheSameEverywhere(t *testing.T) {
	if got := (&part.Rand{}).Uint64(); got != 0xe220a8397b1dcdaf { // the reference implementation's first output for seed 0
		t.Errorf("SplitMix64(0) begins with %#x", got)
	}
	if part.NewRand(1, 2).Uint64() == part.NewRand(2, 1).Uint64() {
		t.Error("the order of the keys does not matter")
	}
}

// swirl adds a random number to every input of a batch, and mixes its labels.
type swirl struct{ often float64 }

func (swirl) Spec(in part.Spec) (part.Spec, error) { in.Targets[0].Mixed = true; return in, nil }
func (swirl) Apply(*part.Sample, *part.Rand)       {}

func (s swirl) Mix(m *part.Mixture, r *part.Rand) bool {
	if r.Float64() >= s.often {
		return false
	}
	by := float32(r.Float64())
	for _, x := range m.Inputs {
		for i := range x {
			x[i] += by
		}
	}
	for i := range m.Targets[0].Shares {
		m.Targets[0].Shares[i] = by
	}
	return true
}

// TestMixingDependsOnSeedEpochAndBatch: whatever mixes batches does the same for any number of goroutines, and where a loader begins in the
// middle; each epoch is mixed in another way. A second mixer acts where the first has not.
func TestMixingDependsOnSeedEpochAndBatch(t *testing.T) {
	f := newFeed(23, 4, 3, 1)
	f.Transforms = append(f.Transforms, swirl{0.5}, swirl{1})
	f.Spec.Targets[0].Mixed = true
	o := Order{Seed: 7, Shuffle: true, Batch: 4, PerEpoch: 6, To: 18}
	shares := func(o Order, readers int) (all []string, mixed int) {
		l, err := f.Load(o, readers)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for range o.To - o.From {
			b, err := l.Next()
			if err != nil {
				t.Fatal(err)
			}
			target := b.Targets()[0]
			if len(target.Shares) != len(b.Index) || !slices.Equal(target.Other, target.Labels) {
				t.Fatalf("%d samples have the shares %v", len(b.Index), target.Shares)
			}
			if target.Shares[0] != 1 {
				mixed++
			}
			all = append(all, fmt.Sprint(b.epoch, target.Shares, b.Inputs()[0]))
		}
		return all, mixed
	}
	want, mixed := shares(o, 1)
	if mixed != 18 {
		t.Errorf("%d of 18 batches are mixed", mixed)
	}
	for readers := 2; readers < 5; readers++ {
		if got, _ := shares(o, readers); !slices.Equal(got, want) {
			t.Errorf("%d goroutines mix in another way than one", readers)
		}
	}
	for from := range o.To {
		p := o
		p.From = from
		if got, _ := shares(p, 3); !slices.Equal(got, want[from:]) {
			t.Errorf("a loader that begins at batch %d mixes in another way", from)
		}
	}
	seen := map[string]bool{}
	for _, text := range want {
		_, share, _ := strings.Cut(text, " ")
		seen[share] = true
	}
	if len(seen) != len(want) {
		t.Error("two batches are mixed alike")
	}
	o.Batch, o.PerEpoch, o.From, o.To = 1, 23, 0, 2
	if _, mixed := shares(o, 1); mixed != 0 {
		t.Error("a batch of one sample is mixed")
	}
}
