package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"qpipe/internal/netdraw"
	"qpipe/ops/arith"
	"qpipe/ops/layer"

	"qpipe/ops/convbn"
	"qpipe/ops/curve"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// randomGraph is a random body with a vector of everything that is still unread, and a
// linear layer, flattened or averaged.
func randomGraph(t testing.TB, r *rand.Rand) *nn.Graph {
	b, open, read := randomBody(t, r)
	x := joinLoose(b, r, open, read)
	g, err := b.Graph(b.Linear("fc", b.Flatten("flat", x), 5, true))
	must(t, err)
	return g
}

// randomBody makes 3 to 12 nodes out of every op, and tells which values there are, and which of them are read.
func randomBody(t testing.TB, r *rand.Rand) (b *nn.Builder, open []nn.Value, read map[nn.Value]bool) {
	b = nn.NewBuilder(tensor.Shape{H: 5 + r.IntN(5), W: 5 + r.IntN(5), C: 1 + r.IntN(4)})
	open = []nn.Value{b.Input()} // values that nothing may have read yet
	used, read := map[nn.Value]bool{}, map[nn.Value]bool{}
	pick := func() nn.Value {
		v := open[r.IntN(len(open))]
		for _, o := range open { // rather one that is not used yet
			if !used[o] && r.IntN(2) == 0 {
				v = o
			}
		}
		used[v] = true
		return v
	}
	name := func(op string, i int) string { return fmt.Sprintf("%s%d", op, i) }
	acts := []kernel.Act{kernel.ReLU, kernel.ReLU6}
	for i := range 3 + r.IntN(10) {
		x := pick()
		var y nn.Value
		switch s := x.Shape(); r.IntN(14) {
		case 0:
			a := op.PoolArgs{Kernel: [2]int{2, 2}, Stride: [2]int{1, 1}, Padding: [2]int{1, 1}}
			if i%2 == 0 {
				a = op.PoolArgs{Kernel: [2]int{2, 3}, Stride: [2]int{1, 1}, Auto: "same_upper", Dilation: [2]int{2, 1}}
			}
			y = b.MaxPool(name("max", i), x, a)
		case 1:
			a := op.PoolArgs{Kernel: [2]int{3, min(2, s.W-1)}, Stride: [2]int{1, 1}, Padding: [2]int{1, 0}, CountIncludePad: r.IntN(2) == 0}
			if i%3 == 0 {
				a.Stride, a.Ceil = [2]int{2, 1}, true
			}
			y = b.AvgPool(name("avg", i), x, a)
		case 2:
			y = b.BatchNorm(name("bn", i), x, 0, 0)
		case 3:
			y = b.Act(name("act", i), x, acts[r.IntN(2)])
		case 4:
			z := pick()
			if z.Shape().H != s.H || z.Shape().W != s.W {
				z = x
			}
			y = b.Concat(name("cat", i), x, z)
			read[z] = true
		case 5:
			y = b.Apply(name("curve", i), curve.Pointwise{Function: []string{"hard_swish", "sigmoid", "tanh", "softplus"}[r.IntN(4)]}, x)
		case 6, 7:
			z := x
			if p := pick(); p.Shape().C == s.C {
				z, read[p] = p, true
			}
			if r.IntN(3) > 0 || z.Shape() != s { // a gate of its channels
				z = b.GlobalAvgPool(name("gate", i), z)
			}
			in := []nn.Value{x, z}
			if r.IntN(2) == 0 {
				slices.Reverse(in)
			}
			y = b.Apply(name("pair", i), []layer.Op{arith.Mul{}, arith.Mul{}, arith.Add{}, arith.Sub{}, arith.Max{}, arith.Min{}}[r.IntN(6)], in...)
		case 8:
			y = b.Apply(name("scale", i), arith.Scale{Begin: 1, Bias: r.IntN(2) == 0}, x)
		case 9:
			y = b.Apply(name("softmax", i), []layer.Op{op.Softmax{Axis: r.IntN(3)}, op.LogSoftmax{Axis: r.IntN(3)}}[r.IntN(2)], x)
		default:
			y = randomUnit(b, r, i, x, open, read)
		}
		if y.Shape().C == 0 || y.Shape().H < 2 || y.Shape().W < 2 {
			t.Fatalf("generator: %s", name("node", i))
		}
		open, read[x] = append(open, y), true
	}
	return b, open, read
}

// randomUnit is a conv [+bn] [+add] [+act].
func randomUnit(b *nn.Builder, r *rand.Rand, i int, x nn.Value, open []nn.Value, read map[nn.Value]bool) nn.Value {
	s := x.Shape()
	a := convbn.Conv{OutC: 1 + r.IntN(6), Kernel: [2]int{1 + r.IntN(3), 1 + r.IntN(3)}, Padding: [2]int{1, 1}, Bias: r.IntN(2) == 0}
	if r.IntN(3) == 0 {
		a.OutC, a.Groups = s.C*(1+r.IntN(2)), s.C
	}
	var z *nn.Value
	for k := range open {
		if o := open[k].Shape(); r.IntN(2) == 0 && o.H == s.H && o.W == s.W && o.C <= 12 {
			z = &open[k]
			a.OutC, a.Groups, a.Kernel = o.C, 1, [2]int{3, 3}
		}
	}
	var y nn.Value
	if z == nil && i%3 == 1 && s.H*s.W < 100 {
		y = b.ConvTranspose(fmt.Sprintf("up%d", i), x, convbn.ConvTranspose{
			OutC: a.OutC, Kernel: a.Kernel, Stride: [2]int{1 + i%2, 2}, Pads: [4]int{a.Kernel[0] / 2, 0, 0, 1}, OutputPadding: [2]int{0, 1}, Groups: a.Groups, Bias: a.Bias,
		})
	} else {
		y = b.Conv(fmt.Sprintf("conv%d", i), x, a)
	}
	if r.IntN(3) > 0 {
		y = b.BatchNorm(fmt.Sprintf("cbn%d", i), y, 0, 0)
	}
	if z != nil {
		read[*z] = true
		y = b.Add(fmt.Sprintf("add%d", i), y, *z)
	}
	if k := r.IntN(3); k > 0 {
		y = b.Act(fmt.Sprintf("cact%d", i), y, kernel.Act(k))
	}
	return y
}

// joinLoose makes a vector of everything that is still unread.
func joinLoose(b *nn.Builder, r *rand.Rand, open []nn.Value, read map[nn.Value]bool) nn.Value {
	var loose []nn.Value
	for i, v := range open {
		if !read[v] || i == len(open)-1 {
			v = b.GlobalAvgPool(fmt.Sprintf("gap%d", i), v)
			loose = append(loose, v)
		}
	}
	x := loose[0]
	if len(loose) > 1 {
		x = b.Concat("join", loose...)
	}
	if r.IntN(2) == 0 {
		x = b.Act("lact", b.Linear("hidden", x, 7, true), kernel.ReLU)
	}
	return x
}

// randomConfig draws types, schemes and roundings.
func randomConfig(r *rand.Rand) func(nn.Module) nn.QConfig {
	float := r.IntN(2) == 0
	return func(m nn.Module) nn.QConfig {
		a := quant.Spec{DType: []quant.DType{quant.Int8, quant.Int8, quant.Int8, quant.Int4, quant.UInt8}[r.IntN(5)]}
		if r.IntN(4) == 0 || a.DType == quant.UInt8 && r.IntN(2) == 0 {
			a.Scheme = quant.Affine
		}
		if r.IntN(4) == 0 {
			a.Rounding = quant.HalfUp
		}
		w := quant.Spec{DType: []quant.DType{quant.Int8, quant.Int8, quant.Int4}[r.IntN(3)], PerChannel: r.IntN(4) > 0, Narrow: r.IntN(4) > 0}
		q := nn.QConfig{Activation: nn.Quant{Spec: a, Observer: minMax{0.1}}, Weight: nn.Quant{Spec: w}}
		if float && m.Name == "fc" {
			q.Activation = nn.Quant{}
		}
		return q
	}
}

// TestRandomGraphs: whatever the network, its types, its mode and what has become of
// its BNs, the QAT form's eval codes are those of the int8 model, at every node; they are
// what the formulas composed in float64 give; and an absorption that promises to change
// nothing changes nothing.
func TestRandomGraphs(t *testing.T) {
	graphs := 300
	if testing.Short() {
		graphs = 10
	}
	ties, total, left, lossless := 0, 0, 0, 0
	for seed := range uint64(graphs) {
		r := rand.New(rand.NewPCG(seed, 99))
		g := randomGraph(t, r)
		g.Init(int64(seed))
		netdraw.Jitter(g, r)
		rareGammas(g, r)
		must(t, g.SetTarget(nn.Targets()[seed%4].Target))
		if errs := g.SetQConfig(randomConfig(r)); len(errs) > 0 {
			t.Fatal(errs)
		}
		form := []nn.Form{nn.QAT, nn.QAT, nn.Calibration}[r.IntN(3)]
		must(t, g.Prepare(form, []nn.Mode{nn.FuseBN, nn.WithBN, nn.ReverseFold}[r.IntN(3)]))
		const n = 3
		in := g.Input().WithN(n).Len()
		prepareRandom(t, r, g, n)
		x := randn(r, in, 1)
		for _, m := range g.Modules() {
			if form == nn.Calibration || !m.HasWeight || m.BN == "" || r.IntN(2) == 0 {
				continue
			}
			recompute := r.IntN(2) == 0
			before := g.Clone()
			must(t, g.Absorb(m.Name, recompute))
			if g.Mode() == nn.ReverseFold || recompute && convbn.Of(nodesOf(g)[g.Place(m.Name)]).Weight.PerChannel {
				lossless++
				sameCodes(t, fmt.Sprintf("graph %d (%s), absorption of %s", seed, g.Mode(), m.Name), keeping(t, before, n), keeping(t, g, n), x, n)
			}
		}
		left += len(bnsLeft(g))
		qat, int8 := pair(t, g, n)
		sameCodes(t, fmt.Sprintf("graph %d (%s %s)", seed, g.Mode(), form), qat, int8, x, n)
		c := &compose64{g: g, e: qat, n: n}
		c.run()
		ties, total = ties+c.ties, total+c.total
		if len(c.errors) > 0 {
			t.Fatalf("graph %d (%s): %d values are not those of the formulas, among them %s\n%s", seed, g.Mode(), len(c.errors), c.errors[0], names(g))
		}
	}
	t.Logf("%d codes, %d of them next to a tie on the other side; %d BNs left to the conversion, %d lossless absorptions", total, ties, left, lossless)
	if !testing.Short() && (left < 50 || lossless < 50) {
		t.Error("the generator leaves too little to absorb")
	}
}

// rareGammas makes some γ zero, tiny or huge.
func rareGammas(g *nn.Graph, r *rand.Rand) {
	for _, n := range nodesOf(g) {
		if b := convbn.BNOf(n); b != nil && convbn.Of(n) != nil {
			for i := range b.C {
				if r.IntN(6) == 0 {
					b.Gamma.Data[i] = []float32{0, 1e-30, -1e-7, 1e-4, -300}[r.IntN(5)]
				}
			}
		}
	}
}

// prepareRandom gives g's nodes ranges: by calibration, or by training steps.
func prepareRandom(t testing.TB, r *rand.Rand, g *nn.Graph, n int) {
	in := g.Input().WithN(n).Len()
	if g.Form() == nn.Calibration {
		e := compile(t, g, n, false)
		for range 2 {
			e.Forward(randn(r, in, 1), n, Calibrate)
		}
		return
	}
	e := compile(t, g, n, true)
	for range 2 {
		e.Forward(randn(r, in, 1), n, Train)
		var dy [][]float32
		for _, out := range g.Outputs() {
			dy = append(dy, randn(r, n*out.Shape.WithN(1).Len(), 0.1))
		}
		e.BackwardAll(dy)
	}
}

// bnsLeft are the convolutions that still have their BN.
func bnsLeft(g *nn.Graph) (names []string) {
	for _, m := range g.Modules() {
		if m.HasWeight && m.BN != "" {
			names = append(names, m.Name)
		}
	}
	return names
}

// pair compiles a QAT graph and its int8 form, both keeping every output.
func pair(t testing.TB, g *nn.Graph, batch int) (qat, int8 *Net) {
	t.Helper()
	c, err := g.Convert()
	must(t, err)
	qat, int8 = compile(t, g, batch, false), compile(t, c, batch, false)
	qat.Keep()
	int8.Keep()
	return qat, int8
}

// sameCodes runs both and wants the same integers or values at every node, and the same output.
func sameCodes(t testing.TB, what string, a, b *Net, x []float32, n int) {
	t.Helper()
	y := append([]float32(nil), a.Forward(x, n, Eval)...)
	z := b.Forward(x, n, Eval)
	for _, m := range a.graph.Modules() {
		p, okP := a.Codes(m.Name)
		q, okQ := b.Codes(m.Name)
		if okP != okQ {
			t.Fatalf("%s: %s has codes in one form only", what, m.Name)
		}
		if !okP {
			sameValues(t, what, a, b, m)
		}
		for i := range p {
			if p[i] != q[i] {
				t.Fatalf("%s: %s (%s): element %d is %d in the %s form, %d in the %s form", what, m.Name, m.Op, i, p[i], a.graph.Form(), q[i], b.graph.Form())
			}
		}
	}
	for i := range y {
		if y[i] != z[i] {
			t.Fatalf("%s: output %d is %g in the %s form, %g in the %s form", what, i, y[i], a.graph.Form(), z[i], b.graph.Form())
		}
	}
}

// sameValues wants the same bits of a node that has no codes.
func sameValues(t testing.TB, what string, a, b *Net, m nn.Module) {
	t.Helper()
	p, _, _, _ := a.Output(m.Name)
	q, _, _, _ := b.Output(m.Name)
	for i := range p {
		if math.Float32bits(p[i]) != math.Float32bits(q[i]) {
			t.Fatalf("%s: %s (%s): value %d is %g in the %s form, %g in the %s form", what, m.Name, m.Op, i, p[i], a.graph.Form(), q[i], b.graph.Form())
		}
	}
}
