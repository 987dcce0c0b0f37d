package engine

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"qpipe/ops/layer"
	"qpipe/ops/nn"
	"qpipe/ops/norm"
	"qpipe/ops/tensor"
)

// TestNormsOfLargeMaps: maps whose sums are cut into several chunks are normalized, too: the mean of each set is that of its biases
// and its variance 1; an image has the same numbers in any batch, and the same integers in the int8 form.
func TestNormsOfLargeMaps(t *testing.T) {
	const n = 3
	s := tensor.Shape{H: 37, W: 41, C: 12}
	for _, c := range []struct {
		op  layer.Op
		set func(e int) int // of an element of an image
	}{
		{norm.GroupNorm{Groups: 3}, func(e int) int { return e % s.C / 4 }},
		{norm.InstanceNorm{}, func(e int) int { return e % s.C }},
		{norm.LayerNorm{}, func(e int) int { return e / s.C }},
		{norm.LayerNorm{Whole: true, Affine: true}, func(int) int { return 0 }},
	} {
		b := nn.NewBuilder(s)
		g, err := b.Graph(b.Apply("op", c.op, b.Input()))
		must(t, err)
		g.Init(1)
		size := s.WithN(1).Len()
		x := randn(rand.New(rand.NewPCG(8, 9)), n*size, 3)
		for i := range x {
			x[i] += 5 + float32(i%s.C)
		}
		all := slices.Clone(compile(t, g, n, false).Forward(x, n, Eval))
		for image := range n {
			one := compile(t, g, 1, false).Forward(x[image*size:][:size], 1, Eval)
			if !slices.Equal(one, all[image*size:][:size]) {
				t.Errorf("%T: image %d has other numbers by itself than in a batch", c.op, image)
			}
			sums := map[int][3]float64{}
			for e, v := range one {
				k := sums[c.set(e)]
				sums[c.set(e)] = [3]float64{k[0] + 1, k[1] + float64(v), k[2] + float64(v)*float64(v)}
			}
			for set, k := range sums {
				if mean, v := k[1]/k[0], k[2]/k[0]; math.Abs(mean) > 1e-4 || math.Abs(v-1) > 1e-3 {
					t.Errorf("%T: set %d of image %d has the mean %g and the mean square %g", c.op, set, image, mean, v)
				}
			}
		}
		inputGradient(t, g, x, n)
		g.SetQConfig(int8Config(""))
		must(t, g.Prepare(nn.QAT, nn.WithBN))
		compile(t, g, n, true).Forward(x, n, Train)
		sameEverywhere(t, g, [][]float32{x}, n)
	}
}

// inputGradient compares the gradient of some elements of the input with central differences.
func inputGradient(t *testing.T, g *nn.Graph, x []float32, n int) {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 9))
	dy := randn(r, len(x), 1)
	e := compile(t, g, n, true)
	e.wantDX = true
	e.build()
	e.Forward(x, n, Train)
	e.Backward(dy)
	dx := slices.Clone(e.cells[0].bench.Grad[:len(x)])
	for range 8 {
		i := r.IntN(len(x))
		at := func(d float32) float64 {
			was := x[i]
			defer func() { x[i] = was }()
			x[i] += d
			return dot(e.Forward(x, n, Train), dy)
		}
		const h = 0.05
		if want := (at(h) - at(-h)) / (2 * h); math.Abs(want-float64(dx[i])) > 5e-3 {
			t.Errorf("%s: element %d has the gradient %g, the difference is %g", nodesOf(g)[1].Window(), i, dx[i], want)
		}
	}
}
