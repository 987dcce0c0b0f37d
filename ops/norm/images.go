package norm

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
)

// imagesRunner normalizes groups of channels over the pixels of an image.
type imagesRunner struct {
	images
	node                   *layer.Node
	out                    grid.Output
	dx                     grid.Grad
	grads                  []float64 // by image and channel: of its weight and its bias
	slope, by, offset      []float32 // by image and channel: dx = slope·dy + by·d + offset
	gateTask, weighTask    func(i, worker int)
	backTask, backFoldTask func(i, worker int)
	giveTask               func(i, worker int)
}

func newImages(n *layer.Node, b *layer.Bench) layer.Runner {
	r := &imagesRunner{images: newStatistics(n, b), node: n}
	r.sumTask, r.foldTask = r.sumChunk, r.foldImage
	if b.Training {
		c := b.Batch * n.Shape.C
		r.grads = make([]float64, 2*c)
		r.slope, r.by, r.offset = make([]float32, c), make([]float32, c), make([]float32, c)
	}
	r.out.Init(b.Machine)
	r.out.Fill = r.fill
	r.gateTask, r.weighTask, r.backTask, r.backFoldTask, r.giveTask = r.gateChunk, r.weighChunk, r.backChunk, r.backFold, r.giveChunk
	return r
}

// Forward implements layer.Runner.
func (r *imagesRunner) Forward(n int, st grid.Step) grid.Value {
	r.measure(n)
	r.Bind(&r.out, n*r.shape.H, r.shape.W*r.shape.C)
	return r.Complete(&r.out, st, &r.node.Quant, grid.Valued)
}

// fill computes a chunk, image by image.
func (r *imagesRunner) fill(i, worker int, _ bool, _ []uint8) {
	size := r.shape.WithN(1).Len()
	for e0, end := r.out.Elements(i); e0 < end; {
		image := e0 / size
		e1 := min(end, (image+1)*size)
		y := r.out.Dst[e0:e1]
		r.normalize(image, r.Floats(r.x, e0, e1, worker), y)
		r.weigh(image, e0, e1, y)
		e0 = e1
	}
}

// Backward implements layer.Runner.
func (r *imagesRunner) Backward(n int) {
	r.dx = r.Gradient(0)
	r.Workers.Run(r.out.Cut.N, r.gateTask)
	if r.body.Affine && r.body.Whole {
		r.Workers.Run(r.cut.N, r.weighTask)
	}
	r.Workers.Run(n*r.cut.N, r.backTask)
	r.Workers.Run(n, r.backFoldTask)
	if r.body.Affine && !r.body.Whole {
		r.giveWeights(n)
	}
	if r.dx.Data != nil {
		r.Workers.Run(n*r.cut.N, r.giveTask)
	}
}

func (r *imagesRunner) gateChunk(i, _ int) { r.Gate(&r.out, i) }

// weighChunk takes the gradient of some elements of all images back through their own weights.
func (r *imagesRunner) weighChunk(i, worker int) {
	r0, r1 := r.cut.Range(i)
	w, size := r.shape.W*r.shape.C, r.shape.WithN(1).Len()
	from, to := r0*w, r1*w
	weight, dw, db := r.body.weight.Data[from:to], r.body.weight.Grad[from:to], r.body.bias.Grad[from:to]
	clear(dw)
	clear(db)
	v := r.Block[worker].F32[:to-from]
	for image := range r.n {
		at := image * size
		r.normalize(image, r.Floats(r.x, at+from, at+to, worker), v)
		g := r.Grad[at+from : at+to]
		for k, e := range g {
			dw[k] += float32(e * v[k])
			db[k] += e
			g[k] = e * weight[k]
		}
	}
}

// backChunk adds up Σdy and Σdy·d.
func (r *imagesRunner) backChunk(i, worker int) {
	_, e0, e1 := r.chunk(i)
	sum, prod := r.part(i)
	r.Set.GateSums(r.Grad[e0:e1], nil, r.Floats(r.x, e0, e1, worker), nil, sum, prod)
}

// backFold finds what the gradient of an image's elements is computed with.
func (r *imagesRunner) backFold(image, _ int) {
	each, n := r.shape.C/r.groups, r.elements()
	for g := range r.groups {
		mean, inv := r.mean[image*r.groups+g], r.inv[image*r.groups+g]
		factor := float64(inv * r.unit)
		all, along := 0.0, 0.0 // of the normalized values' gradient: its sum, and that of its products with them
		for c := g * each; c < (g+1)*each; c++ {
			sum, prod := r.total(image, c)
			prod = float64(factor * (prod - float64(mean*sum)))
			at := image*r.shape.C + c
			r.grads[2*at], r.grads[2*at+1] = prod, sum
			w := r.weight(c)
			all, along = all+float64(w*sum), along+float64(w*prod)
		}
		by := -float64(inv*factor) * along / n
		offset := -float64(inv*all/n) - float64(by*mean)
		for c := g * each; c < (g+1)*each; c++ {
			at := image*r.shape.C + c
			r.slope[at], r.by[at], r.offset[at] = float32(float64(r.weight(c)*inv)), float32(by), float32(offset)
		}
	}
}

// weight is that of a channel; 1 where channels have none.
func (r *imagesRunner) weight(c int) float64 {
	if r.body.Affine && !r.body.Whole {
		return float64(r.body.weight.Data[c])
	}
	return 1
}

// giveWeights gives the channels' weights and biases their gradients.
func (r *imagesRunner) giveWeights(n int) {
	for c := range r.shape.C {
		dw, db := 0.0, 0.0
		for image := range n {
			at := image*r.shape.C + c
			dw, db = dw+r.grads[2*at], db+r.grads[2*at+1]
		}
		r.body.weight.Grad[c], r.body.bias.Grad[c] = float32(dw), float32(db)
	}
}

func (r *imagesRunner) giveChunk(i, worker int) {
	image, e0, e1 := r.chunk(i)
	g, c := r.Grad[e0:e1], image*r.shape.C
	end := c + r.shape.C
	r.Set.GateAffine(g, nil, r.Floats(r.x, e0, e1, worker), g, r.slope[c:end], r.by[c:end], r.offset[c:end])
	r.Set.Gate(g, nil, r.dx.Data[e0:e1], r.dx.Add)
}

// images8 is the same of codes.
type images8 struct{ images }

func newImages8(n *layer.Node, b *layer.Bench) layer.Integer {
	r := &images8{newStatistics(n, b)}
	r.sumTask, r.foldTask = r.sumChunk, r.foldImage
	return r
}

// Begin implements layer.Integer.
func (r *images8) Begin(n int) { r.measure(n) }

// Run implements layer.Integer.
func (r *images8) Run(p layer.Piece) {
	w := r.shape.W * r.shape.C
	for row := p.R0; row < p.R1; row++ {
		image, e0, e1 := row/r.shape.H, row*w, (row+1)*w
		v := r.Floats(r.x, e0, e1, p.Worker)
		r.normalize(image, v, v)
		r.weigh(image, e0, e1, v)
		write(r.Bench, v, e0)
	}
}

// write writes values of the int8 form's output from element at on.
func write(b *layer.Bench, v []float32, at int) {
	if b.Coded {
		b.Set.Quantize(v, b.Codes[at:at+len(v)], nil, b.Format, kernel.None)
	} else {
		copy(b.Out[at:], v)
	}
}
