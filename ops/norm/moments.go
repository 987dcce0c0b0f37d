package norm

import (
	"math"

	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// coefficients of a set of elements with the sums sum = Σd and sq = Σd² over n: (d - mean)·factor is normalized. inv is 1 through
// the standard deviation of the values d·unit.
func coefficients(sum, sq, n, unit, eps float64) (mean, inv, factor float64) {
	mean = sum / n
	variance := max(sq/n-float64(mean*mean), 0)
	inv = 1 / math.Sqrt(float64(float64(variance*unit)*unit)+eps)
	return mean, inv, float64(inv * unit)
}

// images has the statistics of groups of channels, of each image by itself.
type images struct {
	*layer.Bench
	body   *body
	x      *layer.Operand
	shape  tensor.Shape
	groups int
	cut    grid.Cut // of an image's rows
	n      int
	unit   float64

	parts             []float64 // by image, chunk and channel: two sums, those of the squares or products behind the others
	mean, inv         []float64 // by image and group
	scale, shift      []float32 // by image and channel: what is computed with an element
	sumTask, foldTask func(i, worker int)
}

func newStatistics(n *layer.Node, b *layer.Bench) images {
	s, body := n.Shape, bodyOf(n)
	r := images{Bench: b, body: body, x: b.In[0], shape: s, groups: max(body.Groups, 1), cut: grid.NewCut(s.H, s.W*s.C)}
	r.parts = make([]float64, b.Batch*r.cut.N*2*s.C)
	r.mean, r.inv = make([]float64, b.Batch*r.groups), make([]float64, b.Batch*r.groups)
	r.scale, r.shift = make([]float32, b.Batch*s.C), make([]float32, b.Batch*s.C)
	return r
}

// imageRoom is what they need: a worker's floats, and bytes.
func imageRoom(n *layer.Node, b *layer.Bench) (f32 int, bytes int64) {
	s := n.Shape
	cut, channel := grid.NewCut(s.H, s.W*s.C), 8
	if b.Training {
		channel += 28
	}
	return min(cut.Step, s.H)*s.W*s.C + 2*s.C, int64(b.Batch) * int64((16*cut.N+channel)*s.C+16*max(bodyOf(n).Groups, 1))
}

// measure finds the statistics of n images, and what to compute with.
func (r *images) measure(n int) {
	r.n, r.unit = n, float64(r.x.Unit())
	r.Workers.Run(n*r.cut.N, r.sumTask)
	r.Workers.Run(n, r.foldTask)
}

// chunk is the image of task i, and its elements.
func (r *images) chunk(i int) (image, e0, e1 int) {
	image = i / r.cut.N
	r0, r1 := r.cut.Range(i % r.cut.N)
	w := r.shape.W * r.shape.C
	return image, (image*r.shape.H + r0) * w, (image*r.shape.H + r1) * w
}

// part is the sums of task i, zeroed.
func (r *images) part(i int) (sum, prod []float64) {
	c := r.shape.C
	s := r.parts[i*2*c : (i+1)*2*c]
	clear(s)
	return s[:c], s[c:]
}

// total adds up the parts of a channel of an image, in order.
func (r *images) total(image, c int) (sum, prod float64) {
	for k := range r.cut.N {
		at := (image*r.cut.N+k)*2*r.shape.C + c
		sum, prod = sum+r.parts[at], prod+r.parts[at+r.shape.C]
	}
	return sum, prod
}

func (r *images) sumChunk(i, worker int) {
	_, e0, e1 := r.chunk(i)
	sum, sq := r.part(i)
	f, c := r.Block[worker].F32, r.shape.C
	ends := f[e1-e0:][:2*c]
	r.Set.ChannelStats(r.Floats(r.x, e0, e1, worker), sum, sq, ends[:c], ends[c:])
}

// foldImage makes of the sums of an image what its elements are computed with.
func (r *images) foldImage(image, _ int) {
	each := r.shape.C / r.groups
	w, bias := r.body.factors()
	if r.body.Whole {
		w, bias = nil, nil // they come behind
	}
	for g := range r.groups {
		sum, sq := 0.0, 0.0
		for c := g * each; c < (g+1)*each; c++ {
			s, q := r.total(image, c)
			sum, sq = sum+s, sq+q
		}
		mean, inv, factor := coefficients(sum, sq, r.elements(), r.unit, r.body.Eps)
		r.mean[image*r.groups+g], r.inv[image*r.groups+g] = mean, inv
		for c := g * each; c < (g+1)*each; c++ {
			a, b := factor, 0.0
			if w != nil {
				a, b = float64(float64(w[c])*factor), float64(bias[c])
			}
			r.scale[image*r.shape.C+c], r.shift[image*r.shape.C+c] = float32(a), float32(b-float64(mean*a))
		}
	}
}

// elements is how many elements a group has.
func (r *images) elements() float64 {
	return float64(r.shape.H) * float64(r.shape.W) * float64(r.shape.C/r.groups)
}

// normalize computes elements of one image, whole pixels, of their plain values d; y may be d.
func (r *images) normalize(image int, d, y []float32) {
	c := r.shape.C
	r.Set.Affine(d, kernel.Operand{}, y, nil, r.scale[image*c:][:c], r.shift[image*c:][:c], kernel.None)
}

// weigh is what follows for elements e0 to e1 of one image where every element has a weight of its own.
func (r *images) weigh(image, e0, e1 int, y []float32) {
	if w, bias := r.body.factors(); r.body.Whole && w != nil {
		at := image * len(w)
		r.Set.Affine(y, kernel.Operand{}, y, nil, w[e0-at:e1-at], bias[e0-at:e1-at], kernel.None)
	}
}
