package engine

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"qpipe/ops/convbn"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/tensor"
)

// dropping is a network whose nodes "a" and "b" drop elements of the same map of ones, for n images.
func dropping(t *testing.T, n int, s tensor.Shape, d op.Dropout, workers int) (*Net, []float32) {
	t.Helper()
	b := nn.NewBuilder(s)
	g, err := b.Graph(b.Apply("a", d, b.Input()), b.Apply("b", d, b.Input()))
	must(t, err)
	g.Init(1)
	e, err := Compile(g, n, true, kernels(t, ""), newPool(t, workers))
	must(t, err)
	x := make([]float32, s.WithN(n).Len())
	soil(x, 1)
	return e, x
}

// drawn is what a training step with a key makes of the map.
func drawn(e *Net, x []float32, n int, key uint64) (a, b []float32) {
	e.SetKey(key)
	y := e.ForwardAll([][]float32{x}, n, Train)
	return slices.Clone(y[0]), slices.Clone(y[1])
}

// TestDropoutDraws: elements are dropped with their probability, each by itself, whatever the number of workers; steps with
// other keys and other nodes drop others.
func TestDropoutDraws(t *testing.T) {
	const n = 40
	s := tensor.Shape{H: 9, W: 8, C: 30}
	for _, p := range []float64{0, 0.1, 0.5, 0.9} {
		for _, channels := range []bool{false, true} {
			d := op.Dropout{P: p, Channels: channels}
			e, x := dropping(t, n, s, d, 1)
			a, b := drawn(e, x, n, 1)
			again, _ := drawn(e, x, n, 1)
			next, _ := drawn(e, x, n, 2)
			if !slices.Equal(a, again) {
				t.Errorf("%+v: a step with the same key drops others", d)
			}
			for workers := 2; workers <= 3; workers++ {
				more, x := dropping(t, n, s, d, workers)
				if c, _ := drawn(more, x, n, 1); !slices.Equal(a, c) {
					t.Errorf("%+v: %d workers drop others than one", d, workers)
				}
			}
			draws, pixels := n*s.C*s.H*s.W, s.H*s.W
			if channels {
				draws = n * s.C
				for i, v := range a {
					if image, c := i/(pixels*s.C), i%s.C; v != a[image*pixels*s.C+c] {
						t.Fatalf("%+v: channel %d of image %d is dropped in part", d, c, image)
					}
				}
			}
			share := func(what string, want float64, is func(i int) bool) {
				count := 0.0
				for i := range a {
					if is(i) {
						count++
					}
				}
				got, sigma := count/float64(len(a)), math.Sqrt(want*(1-want)/float64(draws))
				if math.Abs(got-want) > 4*sigma+1e-12 {
					t.Errorf("%+v: %s: %g of the elements, want %g", d, what, got, want)
				}
			}
			share("dropped", p, func(i int) bool { return a[i] == 0 })
			share("kept and scaled", 1-p, func(i int) bool { return a[i] == float32(1/(1-p)) })
			share("dropped by both nodes", p*p, func(i int) bool { return a[i]+b[i] == 0 })
			share("dropped in both steps", p*p, func(i int) bool { return a[i]+next[i] == 0 })
			half := len(a) / 2
			share("dropped in the image and the one half a batch behind", p*p, func(i int) bool { return a[i]+a[(i+half)%len(a)] == 0 })
			if !channels {
				share("dropped with the next", p*p, func(i int) bool { return a[i]+a[(i+1)%len(a)] == 0 })
			}
		}
	}
}

// TestDropoutOnCodes: while training quantized, a node behind a dropout reads codes, in every kernel set the same: a dropped element
// is the zero point, others are as they were, and the grid is wider. An evaluation changes nothing.
func TestDropoutOnCodes(t *testing.T) {
	const n = 2
	b := nn.NewBuilder(tensor.Shape{H: 6, W: 7, C: 5})
	x := b.Conv("conv", b.Input(), convbn.Conv{OutC: 8, Kernel: [2]int{3, 3}})
	x = b.Apply("drop", op.Dropout{P: 0.75}, x)
	g, err := b.Graph(b.Linear("fc", b.Conv("next", x, convbn.Conv{OutC: 4, Kernel: [2]int{2, 2}}), 3, true))
	must(t, err)
	g.Init(3)
	g.SetQConfig(int8Config("fc"))
	must(t, g.Prepare(nn.QAT, nn.WithBN))
	images := randn(rand.New(rand.NewPCG(1, 2)), g.Input().WithN(n).Len(), 1)
	var first []float32
	for _, set := range sets.All() {
		g := g.Clone()
		e, err := Compile(g, n, true, set, newPool(t, 2))
		must(t, err)
		e.SetKey(9)
		y := slices.Clone(e.Forward(images, n, Train))
		if first == nil {
			first = y
		} else if !slices.Equal(first, y) {
			t.Errorf("set %s: the step's output is another", set.Name)
		}
		from, to := e.find("conv").value, e.find("drop").value
		if !to.OnGrid || to.Format.Scale != from.Format.Scale*4 {
			t.Fatalf("codes: %t, with the scale %v of %v", to.OnGrid, to.Format.Scale, from.Format.Scale)
		}
		dropped := 0
		for i, c := range to.Codes {
			if c != from.Codes[i] {
				dropped++
				if int32(c) != to.Format.Zero {
					t.Fatalf("set %s: code %d is %d, and was %d", set.Name, i, c, from.Codes[i])
				}
			}
		}
		if share := float64(dropped) / float64(len(to.Codes)); share < 0.5 || share > 0.85 {
			t.Errorf("%g of the codes are changed", share)
		}
		e.Forward(images, n, Eval)
		if from, to := e.find("conv").value, e.find("drop").value; !slices.Equal(from.Codes, to.Codes) || from.Format != to.Format {
			t.Error("an evaluation drops elements")
		}
	}
}
