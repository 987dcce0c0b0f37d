package convbn

import (
	"math"
	"testing"

	"qpipe/internal/refvec"
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/ref"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/quant"
)

// serial runs tasks in the caller.
type serial struct{}

func (serial) Size() int { return 1 }
func (serial) Run(n int, f func(task, worker int)) {
	for i := range n {
		f(i, 0)
	}
}

// moving observes the batch's extremes.
type moving struct{ c float32 }

func (o moving) Range(_ []float32, lo, hi float32, _ quant.Spec) (float32, float32) { return lo, hi }
func (o moving) Averaging() float32                                                 { return o.c }
func (o moving) Fixed() bool                                                        { return false }

// fixed knows its scale.
type fixed struct{ scale float32 }

func (o fixed) Range(_ []float32, _, _ float32, s quant.Spec) (float32, float32) {
	_, hi := s.Limits()
	return -o.scale * float32(hi), o.scale * float32(hi)
}
func (o fixed) Averaging() float32 { return 0 }
func (o fixed) Fixed() bool        { return true }

// spec is the symmetric spec with the given codes, as the vectors scale it.
func spec(t testing.TB, lo, hi int, perChannel bool) quant.Spec {
	t.Helper()
	s := quant.Spec{DType: quant.Int8, Rule: quant.HalfRange, PerChannel: perChannel, Narrow: lo == -hi}
	if hi == 7 {
		s.DType = quant.Int4
	}
	if l, h := s.Limits(); int(l) != lo || int(h) != hi {
		t.Fatalf("no spec for the codes %d to %d", lo, hi)
	}
	return s
}

// geometry reads the convolution of a case.
func geometry(t testing.TB, c *refvec.Case, x, w *refvec.Array) kernel.Conv {
	k, s, p, d := c.Ints(t, "kernel"), c.Ints(t, "stride"), c.Ints(t, "padding"), c.Ints(t, "dilation")
	g := kernel.Conv{
		N: x.Shape[0], C: x.Shape[1], H: x.Shape[2], W: x.Shape[3], OutC: w.Shape[0], KH: k[0], KW: k[1],
		StrideH: s[0], StrideW: s[1], PadTop: p[0], PadLeft: p[1], DilationH: d[0], DilationW: d[1], Groups: c.Int(t, "groups", 1),
	}
	g.OH = (g.H+2*p[0]-d[0]*(k[0]-1)-1)/s[0] + 1
	g.OW = (g.W+2*p[1]-d[1]*(k[1]-1)-1)/s[1] + 1
	return g
}

func activation(s string) kernel.Act {
	switch s {
	case "relu", "add_relu":
		return kernel.ReLU
	case "relu6":
		return kernel.ReLU6
	}
	return kernel.None
}

// bench is a node with what it runs on.
type bench struct {
	n     *Node
	e     *Exec
	batch int
	x, z  *grid.Value
	dx    []float32
	dz    []float32
}

// nodeOf reads a node with its BN, the parameters named with the suffix.
func nodeOf(t testing.TB, c *refvec.Case, g kernel.Conv, suffix string) *Node {
	f := func(name string) []float32 { return c.Array(t, name+suffix).Float32s() }
	n := &Node{Geom: g, BN: &BN{C: g.OutC, Eps: refvec.Attr[float64](t, c, "eps"), Momentum: 0.1}}
	n.Geom.N = 0
	n.Bias = c.Has("bias" + suffix)
	n.Alloc()
	copy(n.W.Data, refvec.NHWC(f("weight"), g.OutC, g.C/g.Groups, g.KH, g.KW))
	if n.Bias {
		copy(n.B.Data, f("bias"))
	}
	copy(n.BN.Gamma.Data, f("gamma"))
	copy(n.BN.Beta.Data, f("beta"))
	copy(n.BN.Mean, f("running_mean"))
	copy(n.BN.Var, f("running_var"))
	return n
}

func modeOf(s string) Mode {
	return map[string]Mode{"fuse_bn": FuseBN, "with_bn": WithBN, "with_bn_reverse_fold": ReverseFold}[s]
}

// newBench runs n on its own.
func newBench(t testing.TB, n *Node, batch int) *bench {
	set, err := sets.ByName("")
	if err != nil {
		t.Fatal(err)
	}
	out, in := batch*n.Geom.OH*n.Geom.OW*n.Geom.OutC, batch*n.Geom.H*n.Geom.W*n.Geom.C
	sums := grid.Chunks() * 2 * n.Geom.OutC
	m := &grid.Machine{
		Set: set, Workers: serial{}, Parts: make([]float32, n.PartsSize(batch)), Sums: make([]float64, sums), Ends: make([]float32, sums),
		Values: make([]float32, out), Acc: make([]int32, out), Plain: make([]float32, in),
	}
	scratch, block := n.Rooms(set, batch, true)
	m.Scratch, m.Block = []*kernel.Scratch{scratch.Make()}, []*kernel.Scratch{block.Make()}
	b := &bench{n: n, e: NewExec(n, m, batch, true), batch: batch, dx: make([]float32, in), dz: make([]float32, out)}
	b.e.Acc, b.e.Out, b.e.Codes = make([]float32, out), make([]float32, out), make([]uint8, out)
	b.e.Mask = make([]uint8, (out+7)/8)
	return b
}

// forward returns the output's values, NCHW.
func (b *bench) forward(st grid.Step, q *quant.Node) []float32 {
	y := valuesOf(b.e.Forward(b.batch, st, b.x, b.z, q))
	g := b.n.Geom
	return refvec.NCHW(y, b.batch, g.OutC, g.OH, g.OW)
}

// valuesOf returns what a value stands for.
func valuesOf(v grid.Value) []float32 {
	if !v.OnGrid {
		return v.Data
	}
	y := make([]float32, len(v.Codes))
	ref.Values(v.Codes, v.Format.Zero, v.Format.Scale, y)
	return y
}

func TestConvBN(t *testing.T) {
	for _, c := range refvec.Load(t, "convbn") {
		t.Run(c.Name, func(t *testing.T) { convBNCase(t, c) })
	}
}

func convBNCase(t *testing.T, c *refvec.Case) {
	x, w := c.Array(t, "x"), c.Array(t, "weight")
	g := geometry(t, c, x, w)
	n := nodeOf(t, c, g, "")
	training := refvec.Attr[bool](t, c, "training")
	n.BN.Momentum, n.BN.Frozen = refvec.Attr[float64](t, c, "momentum"), !training
	act := refvec.Attr[string](t, c, "activation")
	n.Act, n.Add = activation(act), c.Has("residual")
	n.Mode = modeOf(refvec.Attr[string](t, c, "mode"))
	n.Weight = spec(t, c.Int(t, "w_quant_min", 0), c.Int(t, "w_quant_max", 0), true)
	if c.Has("weight_scale_in") {
		n.Frozen, n.WScale = true, c.Array(t, "weight_scale_in").Float32s()
	}
	if n.Mode == FuseBN {
		n.Fold()
	}
	q := quant.NewNode(quant.Spec{}, nil)
	st := grid.Step{Train: true, Quantize: true}
	if refvec.Attr[bool](t, c, "output_fq") {
		q = quant.NewNode(spec(t, c.Int(t, "a_quant_min", 0), c.Int(t, "a_quant_max", 0), false), moving{float32(refvec.Attr[float64](t, c, "averaging_constant"))})
		st.Observe = refvec.Attr[bool](t, c, "act_observer")
		if refvec.Attr[bool](t, c, "act_state_initialized") {
			q.Min, q.Max = c.Array(t, "act_min_in").Float32s()[0], c.Array(t, "act_max_in").Float32s()[0]
		}
	}
	run := func(n *Node, q quant.Node) (*bench, []float32, quant.Node) {
		b := newBench(t, n, g.N)
		b.x, b.z = operands(t, c, n)
		return b, b.forward(st, &q), q
	}
	if c.Has("y_pre_fq") {
		_, y, _ := run(n.Clone().(*Node), quant.NewNode(quant.Spec{}, nil))
		refvec.Check(t, c, "y_pre_fq", y)
	}
	if !training && !st.Observe {
		eval := q
		b := newBench(t, n.Clone().(*Node), g.N)
		b.x, b.z = operands(t, c, n)
		refvec.Check(t, c, "y", b.forward(grid.Step{Quantize: true}, &eval))
	}
	b, y, q := run(n, q)
	refvec.Check(t, c, "y", y)
	checkState(t, c, b, &q)
	if c.Has("grad_y") {
		checkGradients(t, c, b)
	}
}

// operands are a case's float32 inputs.
func operands(t *testing.T, c *refvec.Case, n *Node) (x, z *grid.Value) {
	g, batch := n.Geom, c.Array(t, "x").Shape[0]
	x = &grid.Value{Data: refvec.NHWC(c.Array(t, "x").Float32s(), batch, g.C, g.H, g.W)}
	if n.Add {
		z = &grid.Value{Data: refvec.NHWC(c.Array(t, "residual").Float32s(), batch, g.OutC, g.OH, g.OW)}
	}
	return x, z
}

func checkState(t *testing.T, c *refvec.Case, b *bench, q *quant.Node) {
	n, g := b.n, b.n.Geom
	oihw := func(w []float32) []float32 { return refvec.NCHW(w, g.OutC, g.C/g.Groups, g.KH, g.KW) }
	check := func(name string, got ...float32) {
		if c.Has(name) {
			refvec.Check(t, c, name, got)
		}
	}
	scale, _ := q.Scale()
	check("act_min", q.Min)
	check("act_max", q.Max)
	check("act_scale", scale)
	check("weight_scale", b.e.codes.Scale...)
	if codes := make([]float32, len(b.e.codes.Codes)); c.Has("weight_q") {
		for i, v := range b.e.codes.Codes {
			codes[i] = float32(v)
		}
		check("weight_q", oihw(codes)...)
	}
	check("fused_weight", oihw(n.W.Data)...)
	check("fused_bias", n.B.Data...)
	if n.BN != nil {
		check("new_running_mean", n.BN.Mean...)
		check("new_running_var", n.BN.Var...)
	}
}

func checkGradients(t *testing.T, c *refvec.Case, b *bench) {
	n, g := b.n, b.n.Geom
	dy := refvec.NHWC(c.Array(t, "grad_y").Float32s(), b.batch, g.OutC, g.OH, g.OW)
	b.e.Backward(dy, grid.Grad{Data: b.dx}, grid.Grad{Data: b.dz})
	check := func(name string, got []float32) {
		if c.Has(name) {
			refvec.Check(t, c, name, got)
		}
	}
	dw := refvec.NCHW(n.W.Grad, g.OutC, g.C/g.Groups, g.KH, g.KW)
	check("grad_x", refvec.NCHW(b.dx, b.batch, g.C, g.H, g.W))
	check("grad_residual", refvec.NCHW(b.dz, b.batch, g.OutC, g.OH, g.OW))
	check("grad_weight", dw)
	check("grad_fused_weight", dw)
	check("grad_bias", n.B.Grad)
	check("grad_fused_bias", n.B.Grad)
	if n.BN != nil {
		check("grad_gamma", n.BN.Gamma.Grad)
		check("grad_beta", n.BN.Beta.Grad)
	}
}

func TestAbsorb(t *testing.T) {
	cases := map[string]func(*testing.T, *refvec.Case){
		"absorb_fuse_bn":                   absorbFloat,
		"absorb_with_bn_mid_training":      absorbWithBN,
		"absorb_reverse_fold_mid_training": absorbReverseFold,
		"convert_to_int":                   convertCase,
		"absorb_net":                       absorbNet,
	}
	refvec.Run(t, "absorb", func(t *testing.T, c *refvec.Case) {
		f := cases[c.Op]
		if f == nil {
			t.Fatalf("no test for the operation %q", c.Op)
		}
		f(t, c)
	})
}

// single reads the one-node cases, whose input is not on a grid.
func single(t *testing.T, c *refvec.Case, perChannel bool) (*Node, *grid.Value, int) {
	x := c.Array(t, "x")
	g := geometry(t, c, x, c.Array(t, "weight"))
	n := nodeOf(t, c, g, "")
	n.Mode = modeOf(refvec.Attr[string](t, c, "mode"))
	n.Weight = spec(t, -127, 127, perChannel)
	return n, &grid.Value{Data: refvec.NHWC(x.Float32s(), g.N, g.C, g.H, g.W)}, g.N
}

func output(t *testing.T, n *Node, x *grid.Value, batch int, st grid.Step) []float32 {
	b := newBench(t, n, batch)
	b.x = x
	q := quant.NewNode(quant.Spec{}, nil)
	return b.forward(st, &q)
}

func checkParams(t *testing.T, c *refvec.Case, prefix string, n *Node) {
	g := n.Geom
	refvec.Check(t, c, prefix+"_weight", refvec.NCHW(n.W.Data, g.OutC, g.C/g.Groups, g.KH, g.KW))
	refvec.Check(t, c, prefix+"_bias", n.B.Data)
}

func absorbFloat(t *testing.T, c *refvec.Case) {
	n, x, batch := single(t, c, true)
	refvec.Check(t, c, "y_before", output(t, n, x, batch, grid.Step{}))
	n.Fold()
	checkParams(t, c, "fused", n)
	refvec.Check(t, c, "y_after", output(t, n, x, batch, grid.Step{}))
}

func absorbWithBN(t *testing.T, c *refvec.Case) {
	st := grid.Step{Quantize: true}
	for _, perChannel := range []bool{true, false} {
		n, x, batch := single(t, c, perChannel)
		keep, anew := n.Clone().(*Node), n.Clone().(*Node)
		keep.Absorb(false)
		anew.Absorb(true)
		y, again := output(t, n, x, batch, st), output(t, anew, x, batch, st)
		if !perChannel {
			refvec.Check(t, c, "y_before_per_tensor", y)
			refvec.Check(t, c, "y_after_per_tensor_recomputed", again)
			continue
		}
		checkParams(t, c, "absorbed", keep)
		refvec.Check(t, c, "weight_scale_before", keep.WScale)
		refvec.Check(t, c, "weight_scale_recomputed", anew.WScale)
		refvec.Check(t, c, "y_before", y)
		refvec.Check(t, c, "y_after_stale_scale", output(t, keep, x, batch, st))
		refvec.Check(t, c, "y_after_recomputed_scale", again)
	}
}

func absorbReverseFold(t *testing.T, c *refvec.Case) {
	st := grid.Step{Quantize: true}
	for _, frozen := range []bool{false, true} {
		n, x, batch := single(t, c, true)
		before, after, scale := "y_before_eval", "y_after", "weight_scale"
		if frozen {
			before, after, scale = "y_before_eval_frozen", "y_after_frozen", "frozen_scale"
			n.Frozen, n.WScale = true, c.Array(t, scale).Float32s()
		}
		refvec.Check(t, c, before, output(t, n, x, batch, st))
		if !frozen {
			refvec.Check(t, c, "y_before_train", output(t, n.Clone().(*Node), x, batch, grid.Step{Train: true, Quantize: true}))
		}
		n.Absorb(false)
		checkParams(t, c, "absorbed", n)
		refvec.Check(t, c, after, output(t, n, x, batch, st))
		if !frozen {
			refvec.Check(t, c, scale, n.WScale)
		}
	}
}

func convertCase(t *testing.T, c *refvec.Case) {
	x := c.Array(t, "x_q")
	g := geometry(t, c, x, c.Array(t, "weight"))
	n := nodeOf(t, c, g, "")
	n.Act, n.Add = activation(refvec.Attr[string](t, c, "activation")), c.Has("residual_q")
	n.Mode, n.Weight = modeOf(refvec.Attr[string](t, c, "mode")), spec(t, -127, 127, true)
	if n.Mode == FuseBN {
		n.Fold()
	}
	codes := func(name, scale string, ch, h, w int) *grid.Value {
		f := c.Array(t, scale).Float32s()[0]
		signed := refvec.NHWC(c.Array(t, name).Float32s(), g.N, ch, h, w)
		v := &grid.Value{Codes: make([]uint8, len(signed)), OnGrid: true, Format: grid.Stored(quant.Spec{DType: quant.Int8}, f, 0)}
		for i, q := range signed {
			v.Codes[i] = uint8(q + grid.Offset)
		}
		return v
	}
	q := quant.NewNode(quant.Spec{DType: quant.Int8}, fixed{c.Array(t, "y_scale").Float32s()[0]})
	b := newBench(t, n.Clone().(*Node), g.N)
	b.x = codes("x_q", "x_scale", g.C, g.H, g.W)
	if n.Add {
		b.z = codes("residual_q", "residual_scale", g.OutC, g.OH, g.OW)
	}
	checkQAT(t, c, b, b.forward(grid.Step{Quantize: true}, &q))
	sx := b.x.Format.Scale
	if err := n.Convert(sx); err != nil {
		t.Fatal(err)
	}
	refvec.Check(t, c, "weight_q", refvec.NCHW(n.Int8.W, g.OutC, g.C/g.Groups, g.KH, g.KW))
	refvec.Check(t, c, "weight_scale_absorbed", n.Int8.WScale)
	refvec.Check(t, c, "bias_q", n.Int8.Bias)
	y := intForward(t, c, n, b, &q)
	refvec.Check(t, c, "y_int_q", refvec.NCHW(y, g.N, g.OutC, g.OH, g.OW))
	for i, v := range b.e.Codes {
		if int(v)-grid.Offset != int(y[i]) {
			t.Fatalf("element %d: QAT gives %v, int8 %d", i, v, y[i])
		}
	}
}

// checkQAT holds the evaluation forward y against the vectors', whose bias is as it is
// where ours is on the grid scale_x·scale_w: a code may be the next one where rounding the
// bias, by half a unit of that grid at most, takes the exact value past a tie.
func checkQAT(t *testing.T, c *refvec.Case, b *bench, y []float32) {
	f := func(name string) []float32 { return c.Array(t, name).Float32s() }
	g := b.n.Geom
	codes := refvec.NCHW(signed(b.e.Codes), b.batch, g.OutC, g.OH, g.OW)
	acc, want, wantY, bias, sw := f("acc"), f("y_qat_q"), f("y_qat"), f("bias_absorbed"), f("weight_scale_absorbed")
	sx, sy := float64(f("x_scale")[0]), float64(f("y_scale")[0])
	for i, q := range codes {
		if float32(q) == want[i] {
			if d := math.Abs(float64(y[i] - wantY[i])); d > 1e-5*(1+math.Abs(float64(wantY[i]))) {
				t.Fatalf("y_qat[%d] is %g, want %g", i, y[i], wantY[i])
			}
			continue
		}
		o := i / (g.OH * g.OW) % g.OutC
		exact := float64(acc[i])*sx*float64(sw[o]) + float64(bias[o])
		if b.n.Add {
			exact += float64(f("residual_q")[i]) * float64(f("residual_scale")[0])
		}
		tie := math.Abs(exact/sy - math.Floor(exact/sy) - 0.5)
		if bound := sx*float64(sw[o])/2/sy + 1e-5; tie > bound || math.Abs(float64(q)-float64(want[i])) > 1 {
			t.Errorf("y_qat_q[%d] is %d, want %g: the exact value is %g from a tie, and the bias's grid moves it by at most %g", i, q, want[i], tie, bound)
		}
	}
}

// intForward is the int8 form with the reference kernels.
func intForward(t *testing.T, c *refvec.Case, n *Node, b *bench, q *quant.Node) []int8 {
	set, err := sets.ByName("ref")
	if err != nil {
		t.Fatal(err)
	}
	g := n.Geom
	g.N = b.batch
	packed, sums, bias := make([]int8, set.Conv(&g).Int8PackSize(&g)), make([]int32, g.OutC), make([]int32, g.OutC)
	set.Conv(&g).Int8Pack(&g, n.Int8.W, packed, sums, 0, g.OutC)
	for o, s := range sums {
		bias[o] = -grid.Offset * s
	}
	acc := make([]int32, len(b.e.Codes))
	room := set.Conv(&g).Int8Room(&g)
	set.Conv(&g).Int8(&g, b.x.Codes, grid.Offset, packed, bias, &kernel.Int8Out{Acc: acc}, room.Make(), 0, g.Rows(), 0, g.OutC)
	refvec.Check(t, c, "acc", refvec.NCHW(acc, g.N, g.OutC, g.OH, g.OW))
	f, _, _ := grid.Format(q)
	unit := make([]float32, g.OutC)
	for o, s := range n.Int8.WScale {
		unit[o] = b.x.Format.Scale * s
	}
	r := grid.Requant(unit, make([]float32, g.OutC), b.z, f, n.Act)
	var z []uint8
	if b.z != nil {
		z = b.z.Codes
	}
	y := make([]uint8, len(acc))
	set.Requantize(acc, n.Int8.Bias, z, y, nil, g.OutC, &r)
	return signed(y)
}

func signed(codes []uint8) []int8 {
	y := make([]int8, len(codes))
	for i, v := range codes {
		y[i] = int8(int(v) - grid.Offset)
	}
	return y
}

// absorbNet hands every layer's output on as values, not as codes: a bias then stays as it
// is, as in the vectors.
func absorbNet(t *testing.T, c *refvec.Case) {
	channels, strides := c.Ints(t, "channels"), c.Ints(t, "strides")
	x := c.Array(t, "x")
	var nodes []*Node
	var quants []quant.Node
	h := x.Shape[2]
	for l, s := range strides {
		o := (h+2-3)/s + 1
		g := kernel.Conv{H: h, W: h, C: channels[l], OutC: channels[l+1], OH: o, OW: o, KH: 3, KW: 3, StrideH: s, StrideW: s, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 1}
		n := nodeOf(t, c, g, string(rune('0'+l)))
		n.Act, n.Mode, n.Weight = kernel.ReLU, modeOf(refvec.Attr[string](t, c, "mode")), spec(t, -127, 127, true)
		nodes, h = append(nodes, n), o
		quants = append(quants, quant.NewNode(quant.Spec{DType: quant.Int8}, fixed{c.Array(t, "act_scale"+string(rune('0'+l))).Float32s()[0]}))
	}
	for absorbed := 0; ; absorbed++ {
		v := grid.Value{Data: refvec.NHWC(x.Float32s(), x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3])}
		for l, n := range nodes {
			b := newBench(t, n, x.Shape[0])
			v = grid.Value{Data: valuesOf(b.e.Forward(b.batch, grid.Step{Quantize: true}, &v, nil, &quants[l]))}
		}
		last := nodes[len(nodes)-1].Geom
		refvec.Check(t, c, "y_absorbed"+string(rune('0'+absorbed)), refvec.NCHW(valuesOf(v), x.Shape[0], last.OutC, last.OH, last.OW))
		if absorbed == len(nodes) {
			return
		}
		nodes[absorbed].Absorb(false)
	}
}
