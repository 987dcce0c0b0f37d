package stage

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"qpipe/lang/program"
)

// table holds the network's input for every byte of every channel.
type table [][256]float32

// table computes x = (pixel/255 - mean)/std in float64 and rounds once.
func (s Spec) table() (table, error) {
	mean, err := perChannel("mean", s.Mean, s.Shape.C)
	if err != nil {
		return nil, err
	}
	std, err := perChannel("std", s.Std, s.Shape.C)
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

// Preprocessing says how an image becomes the network's input: of Height×Width
// pixels, a byte a channel, in the order of Layout and Colors, each is
// x = float32((pixel/255 - mean)/std), computed in float64.
type Preprocessing struct {
	Height   int       `json:"height"`
	Width    int       `json:"width"`
	Channels int       `json:"channels"`
	Layout   string    `json:"layout"`           // "NHWC"
	Colors   string    `json:"colors,omitempty"` // "gray" or "RGB"; of other numbers of channels nothing is known
	Mean     []float64 `json:"mean"`             // one a channel
	Std      []float64 `json:"std"`
}

// Preprocessing is what the data's images go through; zero where the spec contradicts itself.
func (s Spec) Preprocessing() Preprocessing {
	mean, err := perChannel("mean", s.Mean, s.Shape.C)
	if err != nil {
		return Preprocessing{}
	}
	std, err := perChannel("std", s.Std, s.Shape.C)
	if err != nil {
		return Preprocessing{}
	}
	return Preprocessing{
		Height: s.Shape.H, Width: s.Shape.W, Channels: s.Shape.C, Layout: "NHWC",
		Colors: map[int]string{1: "gray", 3: "RGB"}[s.Shape.C], Mean: mean, Std: std,
	}
}

// Normalization says in words how pixels become values.
func (p Preprocessing) Normalization() string {
	text := func(v []float64) string {
		if len(v) > 0 && !slices.ContainsFunc(v, func(x float64) bool { return x != v[0] }) {
			v = v[:1]
		}
		out := make([]string, len(v))
		for i, x := range v {
			out[i] = strconv.FormatFloat(x, 'g', -1, 32)
		}
		return strings.Join(out, ", ")
	}
	return fmt.Sprintf("mean %s and std %s", text(p.Mean), text(p.Std))
}

// perChannel spreads the values that a Spec gives over c channels; none means 0.5.
func perChannel(what string, v []float32, c int) ([]float64, error) {
	out := make([]float64, c)
	for i := range out {
		switch len(v) {
		case 0:
			out[i] = 0.5
		case 1:
			out[i] = float64(v[0])
		case c:
			out[i] = float64(v[i])
		default:
			return nil, fmt.Errorf("%s has %s, the images have %s: give one value, or one for each channel", what, Count(len(v), "value"), Count(c, "channel"))
		}
	}
	return out, nil
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

// batch is how many images at a time are read where n are asked for: never more than
// there are, so that no room is made for others.
func (f *Feed) batch(n int) int { return min(n, f.Samples.Len()) }

// steps is the number of batches in an epoch.
func (f *Feed) steps(batch int, dropLast bool) int {
	return program.Batches(f.Samples.Len(), batch, dropLast)
}

// First reads up to n images from the beginning of the data, in its own order, as
// the network takes them.
func (f *Feed) First(n int, seed int64) (x []float32, count int, err error) {
	n = min(n, f.Samples.Len())
	l, err := f.load(order{seed: uint64(seed), batch: n, perEpoch: 1, to: 1}, 1)
	if err != nil {
		return nil, 0, err
	}
	defer l.close()
	b, err := l.next()
	if err != nil {
		return nil, 0, err
	}
	return slices.Clone(b.images()), n, nil
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
	l, err := f.load(order{seed: uint64(seed), batch: batch, perEpoch: max(f.steps(batch, false), 1), to: steps}, 1)
	if err != nil {
		return err
	}
	defer l.close()
	for left := images; left > 0; left -= batch {
		b, err := l.next()
		if err != nil {
			return err
		}
		n := min(len(b.index), left)
		if err := do(b.x[:n*b.size], b.labels[:n]); err != nil {
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
	image Image
	rand  Rand
}

// fill reads the images b.index and what randomness (seed, epoch, index) gives them.
func (r *reader) fill(b *batch) error {
	size := r.feed.Spec.Shape.WithN(1).Len()
	for row, i := range b.index {
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
		b.labels[row] = int32(label)
	}
	return nil
}

// check holds what came against what the Spec promises.
func (r *reader) check(label int) error {
	m, want := &r.image, r.feed.Spec
	if m.H != want.Shape.H || m.W != want.Shape.W || m.C != want.Shape.C || len(m.Pix) != want.Shape.WithN(1).Len() {
		return fmt.Errorf("it is %d×%d×%d (%s), the data set says %v", m.H, m.W, m.C, Count(len(m.Pix), "byte"), want.Shape)
	}
	if label < 0 || (want.Classes > 0 && label >= want.Classes) {
		return fmt.Errorf("its label is %d, the data set says 0 to %d", label, want.Classes-1)
	}
	return nil
}

// readers is the number of goroutines that prepare batches.
func (j *Job) readers() int {
	if j.Readers > 0 {
		return j.Readers
	}
	return readersOn(runtime.GOMAXPROCS(0))
}

// readersOn is how many goroutines prepare batches on so many cores.
func readersOn(cores int) int { return min(max(cores, 1), 8) }
