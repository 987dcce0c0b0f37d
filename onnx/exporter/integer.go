package exporter

import (
	"fmt"
	"math"
	"slices"

	"qpipe/onnx/model"
	"qpipe/ops/curve"
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/ref"
	"qpipe/ops/layer"
	"qpipe/ops/move"
)

// integer writes a node that reads codes, so that it computes the very integers of the int8 model:
//
//   - QLinearConv for convolutions, linear layers, BNs and averages over windows: by its definition it computes the same expression.
//   - ONNX Runtime's QLinearAdd, QLinearMul, QLinearConcat and QLinearGlobalAveragePool where they give the same integers. Their
//     roundings are in another order, so this is tried for every pair of codes, or every sum, that there can be.
//   - A Gather from a table of 256 codes for a function of one code.
//   - Else the expression itself, with each operation a float32 op of its own, and QuantizeLinear with a scale of 1 as the rounding.
func (s *step) integer() *value {
	x := s.in[0]
	switch s.Kind.Name {
	case "conv", "linear", "conv_transpose":
		return s.integerConv()
	case "bn":
		return s.integerBN()
	case "add":
		return s.sum("Add")
	case "sub":
		return s.sum("Sub")
	case "mul":
		return s.product()
	case "max", "min":
		return s.choice(map[string]string{"max": "Max", "min": "Min"}[s.Kind.Name])
	case "scale":
		t := s.centered(x)
		w := s.values32("weight")
		for i := range w {
			w[i] = float32(x.q.Scale*w[i]) / s.step()
		}
		return s.stepped(s.scaled(t, s.floats(s.Name+".weight", s.perChannel(t), w...), s.scaleBias(t, s.step())))
	case "concat", "quant":
		return s.concat()
	case "dropout":
		return x
	case "dequant":
		return s.floating(s.real(x))
	case "act":
		return s.integers(s.clipped(x.codes, s.Act))
	case "softmax", "log_softmax":
		return s.shares()
	case "prelu":
		t := s.like("Mul", s.centered(x), []string{x.scale})
		return s.divided(s.like("PRelu", t, []string{s.slopes(t)}))
	case "avg_pool", "global_avg_pool":
		return s.average()
	case "reduce_mean", "reduce_sum", "adaptive_avg_pool":
		return s.blockSums()
	case "resize_bilinear":
		a, t := layer.ArgumentsOf[move.ResizeBilinear](s.Node), s.mapped(s.centered(x))
		t = s.along(s.cast(t, model.Double), model.Double, a.Weights(0, t.dims[1], true), a.Weights(1, t.dims[2], true))
		unit := x.q.Scale / (a.One() * a.One()) / s.step()
		return s.stepped(s.like("Mul", s.cast(t, model.Float), []string{s.floats(s.Name+".unit", nil, unit)}))
	case "group_norm", "layer_norm":
		return s.normalized()
	}
	if y, yes := s.moved([]array{x.codes}, x); yes {
		return s.integers(y)
	}
	values := curve.Values(s.Node, ref.Set(), x.q)
	if !s.coded {
		return s.floating(s.gather(x.codes, s.floats(s.Name+".table", []int{256}, rotated(values, -s.low)...), model.Float))
	}
	return s.integers(s.looked(x.codes, s.Name+".table", func(code int32) float32 { return values[code] / s.out.q.Scale }))
}

// step is the scale of the output, 1 if it is float32.
func (s *step) step() float32 {
	if s.coded {
		return s.out.q.Scale
	}
	return 1
}

// centered is codes less their zero point as float32, which is exact.
func (s *step) centered(v *value) array {
	t := s.cast(v.codes, model.Float)
	if zero := s.code(v.q.Zero); zero != 0 {
		t = s.like("Sub", t, []string{s.floats(fmt.Sprint("number_", zero), nil, float32(zero))})
	}
	return t
}

// of is the code of a number of steps on a grid, within its smallest and largest code.
func of(q kernel.Quant, steps float32) int32 {
	v := float64(q.Round(steps)) + float64(q.Zero)
	return int32(min(max(v, float64(q.Min)), float64(q.Max)))
}

// looked is a function of single codes: f gives the number of the output's steps for a code as a byte.
func (s *step) looked(x array, name string, f func(code int32) float32) array {
	table := make([]int64, 256)
	for i := range table {
		table[i] = s.code(of(s.out.q, f(int32(i))))
	}
	return s.gather(x, s.ints(name, s.elem, []int{256}, rotated(table, -s.low)), s.elem)
}

// rotated is a table by codes as bytes in the order of the model's: a negative index counts from the end.
func rotated[T any](table []T, by int) []T { return slices.Concat(table[by:], table[:by]) }

func (s *step) gather(x array, table string, elem model.Type) array {
	return s.op("Gather", elem, x.dims, []string{table, s.cast(x, model.Int32).name}, attr("axis", 0))
}

// products is a convolution of codes, however the node describes it.
type products struct {
	x      array
	zero   string // of x
	dims   []int  // the weight's
	weight []int64
	scales []float32
	bias   []int64 // nil for none
	group  int
	attrs  []model.Attribute
	out    []int
}

// conv is a QLinearConv of the products, on the node's grid.
func (s *step) conv(p products) array {
	scaleDims := []int{len(p.scales)}
	if len(p.scales) == 1 {
		scaleDims = nil
	}
	x := s.in[0]
	in := []string{
		p.x.name, x.scale, p.zero, s.ints(s.Name+".weight", model.Int8, p.dims, p.weight),
		s.floats(s.Name+".weight_scale", scaleDims, p.scales...), s.ints(s.Name+".weight_zero_point", model.Int8, scaleDims, make([]int64, len(p.scales))),
		s.out.scale, s.out.zero,
	}
	if p.bias != nil {
		in = append(in, s.ints(s.Name+".bias", model.Int32, []int{len(p.bias)}, p.bias))
	}
	return s.op("QLinearConv", s.elem, p.out, in, append(p.attrs, attr("group", p.group))...)
}

// sums are the products' sums as float32, each rounded once.
func (s *step) sums(p products) array {
	y := s.op("ConvInteger", model.Int32, p.out, []string{p.x.name, s.ints(s.Name+".weight", model.Int8, p.dims, p.weight), p.zero}, append(p.attrs, attr("group", p.group))...)
	if p.bias != nil {
		y = s.like("Add", y, []string{s.ints(s.Name+".bias", model.Int32, []int{len(p.bias), 1, 1}, p.bias)})
	}
	return s.cast(y, model.Float)
}

// integerConv is a convolution or a linear layer.
func (s *step) integerConv() *value {
	a, x := attrsOf[convAttrs](s, "conv"), s.in[0]
	flat := s.Kind.Name == "linear" && s.flatLinear(a)
	p := products{x: s.mapped(x.codes), zero: x.zero, scales: s.values32("weight_scale"), group: a.Group, attrs: window(a.Window, a.Dilation), out: mapDims(s.Node)}
	p.weight = long(s.tensorOf(s.Name + ".weight").Data.([]int8))
	if a.Bias {
		p.bias = long(s.tensorOf(s.Name + ".bias").Data.([]int32))
	}
	switch {
	case flat && !s.coded:
		return s.floating(s.activated(s.logits(p)))
	case flat:
		p.x = s.flattened(x.codes)
		p.x = s.reshape(p.x, p.x.dims[0], 1, 1)
		p.attrs = []model.Attribute{attr("kernel_shape", []int{1, 1})}
		p.dims = []int{s.Shape.C, p.x.dims[0], 1, 1}
	case s.Kind.Name == "conv_transpose":
		s.spread(&p, a)
	default:
		p.dims = []int{s.Shape.C, p.x.dims[0] / a.Group, a.Kernel[0], a.Kernel[1]}
	}
	if s.coded && !a.Add {
		y := s.clipped(s.conv(p), s.Act)
		if flat {
			y = s.reshape(y, s.Shape.C)
		}
		return s.integers(y)
	}
	y := s.like("Mul", s.sums(p), []string{s.units(p.scales)})
	if a.Add {
		z := s.in[1]
		other := s.like("Mul", s.centered(z), []string{s.floats(s.Name+".other", nil, z.q.Scale/s.step())})
		y = s.both("Add", y, s.mapped(other))
	}
	return s.stepped(y)
}

// units is what 1 in the sums of each channel is in steps of the output.
func (s *step) units(scales []float32) string {
	var m []float32
	for _, w := range scales {
		m = append(m, float32(s.in[0].q.Scale*w)/s.step())
	}
	if len(m) == 1 {
		return s.floats(s.Name+".unit", nil, m[0])
	}
	return s.floats(s.Name+".unit", []int{len(m), 1, 1}, m...)
}

// logits is a linear layer with float32 outputs.
func (s *step) logits(p products) array {
	x := s.flattened(s.in[0].codes)
	k := x.dims[0]
	turned := make([]int64, len(p.weight))
	for o := range s.Shape.C {
		for i := range k {
			turned[i*s.Shape.C+o] = p.weight[o*k+i]
		}
	}
	y := s.op("MatMulInteger", model.Int32, []int{s.Shape.C}, []string{x.name, s.ints(s.Name+".weight", model.Int8, []int{k, s.Shape.C}, turned), p.zero})
	if p.bias != nil {
		y = s.like("Add", y, []string{s.ints(s.Name+".bias", model.Int32, []int{s.Shape.C}, p.bias)})
	}
	var m []float32
	for _, w := range p.scales {
		m = append(m, s.in[0].q.Scale*w)
	}
	dims := []int{len(m)}
	if len(m) == 1 {
		dims = nil
	}
	return s.like("Mul", s.cast(y, model.Float), []string{s.floats(s.Name+".unit", dims, m...)})
}

// spread makes a convolution of a transposed one: of its operand with zeros between the elements, by the kernel turned by half a turn.
func (s *step) spread(p *products, a convAttrs) {
	c, h, w := p.x.dims[0], p.x.dims[1], p.x.dims[2]
	kh, kw := a.Kernel[0], a.Kernel[1]
	zero := p.zero
	if sh, sw := a.Stride[0], a.Stride[1]; sh*sw > 1 {
		y := s.reshape(p.x, c, h, 1, w, 1)
		pads := s.list(0, 0, 0, 0, 0, 0, 0, 0, 0, sh-1, 0, sw-1)
		y = s.op("Pad", y.elem, []int{c, h, sh, w, sw}, []string{y.name, pads, zero})
		p.x = s.reshape(y, c, h*sh, w*sw)
	}
	var before, after [2]int
	for k := range 2 {
		reach := (a.Kernel[k] - 1) * a.Dilation[k]
		before[k] = reach - a.Pads[k]
		after[k] = reach - a.Pads[k+2] + a.OutputPadding[k] - (a.Stride[k] - 1)
	}
	if pads := [4]int{before[0], before[1], after[0], after[1]}; pads != [4]int{} {
		p.x = s.padBy(p.x, pads, zero)
	}
	in, out := c/a.Group, s.Shape.C/a.Group
	turned := make([]int64, len(p.weight))
	for i := range c {
		for o := range out {
			for k := range kh * kw {
				to := (i/in*out+o)*in + i%in
				turned[to*kh*kw+kh*kw-1-k] = p.weight[(i*out+o)*kh*kw+k]
			}
		}
	}
	p.weight, p.dims = turned, []int{s.Shape.C, in, kh, kw}
	p.attrs = []model.Attribute{attr("kernel_shape", a.Kernel[:]), attr("dilations", a.Dilation[:])}
}

// integerBN is a BN of its own: a convolution of every channel by itself, with the weight 1 or −1.
func (s *step) integerBN() *value {
	x := s.mapped(s.in[0].codes)
	p := products{
		x: x, zero: s.in[0].zero, dims: []int{s.Shape.C, 1, 1, 1}, group: s.Shape.C, out: x.dims,
		attrs: []model.Attribute{attr("kernel_shape", []int{1, 1})},
	}
	for i, m := range s.values32("multiplier") {
		w, b := int64(1), int64(s.tensorOf(s.Name + ".bias").Data.([]int32)[i])
		switch {
		case m < 0:
			m, w, b = -m, -1, -b
		case m == 0:
			m, w, b = 1, 0, 0
		}
		p.weight, p.scales, p.bias = append(p.weight, w), append(p.scales, m), append(p.bias, b)
	}
	if s.coded {
		return s.integers(s.reshape(s.clipped(s.conv(p), s.Act), s.in[0].codes.dims...))
	}
	return s.stepped(s.reshape(s.like("Mul", s.sums(p), []string{s.units(p.scales)}), s.in[0].codes.dims...))
}

// sum is an addition or a subtraction.
func (s *step) sum(op string) *value {
	a, b := s.in[0], s.in[1]
	if op == "Add" && s.coded && s.runtimeAdds(a.q, b.q) {
		return s.runtime("QLinearAdd")
	}
	part := func(v *value) array {
		return s.like("Mul", s.centered(v), []string{s.floats(s.Name+"."+v.name+"_unit", nil, v.q.Scale/s.step())})
	}
	x, y := s.alike(part(a), part(b))
	return s.stepped(s.both(op, x, y))
}

// runtime is one of ONNX Runtime's ops of two operands.
func (s *step) runtime(op string) *value {
	a, b := s.in[0], s.in[1]
	x, y := s.alike(a.codes, b.codes)
	both := s.both(micro+op, x, y)
	s.Nodes[len(s.Nodes)-1].Inputs = []string{x.name, a.scale, a.zero, y.name, b.scale, b.zero, s.out.scale, s.out.zero}
	return s.integers(s.clipped(both, s.Act))
}

// product is a multiplication.
func (s *step) product() *value {
	a, b := s.in[0], s.in[1]
	if s.coded && s.runtimeMultiplies(a.q, b.q) {
		return s.runtime("QLinearMul")
	}
	x, y := s.alike(s.centered(a), s.centered(b))
	unit := float32(a.q.Scale*b.q.Scale) / s.step()
	return s.stepped(s.like("Mul", s.both("Mul", x, y), []string{s.floats(s.Name+".unit", nil, unit)}))
}

// choice is the larger or the smaller: of float32 values, or of the codes that these would have, which rounding keeps in order.
func (s *step) choice(op string) *value {
	a, b := s.in[0], s.in[1]
	if !s.coded {
		x, y := s.alike(s.real(a), s.real(b))
		return s.floating(s.activated(s.both(op, x, y)))
	}
	part := func(v *value) array {
		codes := v.codes
		if v.q != s.out.q {
			codes = s.looked(codes, s.Name+"."+v.name+"_table", func(code int32) float32 {
				return float32(float32(code-v.q.Zero)*v.q.Scale) / s.out.q.Scale
			})
		}
		return s.cast(codes, model.Int32)
	}
	x, y := s.alike(part(a), part(b))
	return s.integers(s.clipped(s.cast(s.both(op, x, y), s.elem), s.Act))
}

// concat puts operands behind one another, each on the output's grid.
func (s *step) concat() *value {
	if !s.coded {
		var xs []array
		for _, v := range s.in {
			xs = append(xs, s.real(v))
		}
		return s.floating(s.joined(xs))
	}
	var xs []array
	own, moves := true, false
	for _, v := range s.in {
		moves = moves || v.q != s.out.q
		own = own && s.runtimeMoves(v.q)
		xs = append(xs, v.codes)
	}
	if moves && own && len(xs) > 1 {
		y := s.joined(xs)
		n := s.Nodes[len(s.Nodes)-1]
		names := n.Inputs
		n.Op, n.Domain, n.Inputs, s.extra = "QLinearConcat", "com.microsoft", []string{s.out.scale, s.out.zero}, true
		for k, v := range s.in {
			n.Inputs = append(n.Inputs, names[k], v.scale, v.zero)
		}
		return s.integers(s.clipped(y, s.Act))
	}
	for k, v := range s.in {
		if v.q != s.out.q {
			unit := v.q.Scale / s.out.q.Scale
			xs[k] = s.looked(v.codes, s.Name+"."+v.name+"_table", func(code int32) float32 { return float32(code-v.q.Zero) * unit })
		}
	}
	if len(xs) == 1 {
		return s.integers(xs[0])
	}
	return s.integers(s.joined(xs))
}

// counts are how many elements each window of an average has.
func (s *step) counts() []int {
	a := attrsOf[poolAttrs](s, "pool")
	along := func(out, in, k int) []int {
		list := make([]int, out)
		for i := range list {
			from := i*a.Stride[k] - a.Pads[k]
			to := from + a.Kernel[k]
			switch {
			case !a.CountPad:
				from, to = max(from, 0), min(to, in)
			case i == out-1:
				to -= a.Overhang[k]
			}
			list[i] = to - from
		}
		return list
	}
	var list []int
	columns := along(s.Shape.W, a.Input.Width, 1)
	for _, h := range along(s.Shape.H, a.Input.Height, 0) {
		for _, w := range columns {
			list = append(list, h*w)
		}
	}
	return list
}

// average is an average over windows.
func (s *step) average() *value {
	a, x := attrsOf[poolAttrs](s, "pool"), s.in[0]
	c := x.codes.dims[0]
	counts, t := s.counts(), s.mapped(x.codes)
	if s.coded && s.Kind.Name == "global_avg_pool" && s.runtimeAverages(x.q, counts[0]) {
		y := s.op(micro+"QLinearGlobalAveragePool", s.elem, mapDims(s.Node), []string{t.name, x.scale, x.zero, s.out.scale, s.out.zero})
		return s.integers(s.clipped(y, s.Act))
	}
	p := products{x: t, zero: x.zero, dims: []int{c, 1, a.Kernel[0], a.Kernel[1]}, group: c, attrs: window(a.Window, [2]int{}), out: mapDims(s.Node)}
	p.weight = make([]int64, c*a.Kernel[0]*a.Kernel[1])
	for i := range p.weight {
		p.weight[i] = 1
	}
	unit := func(n int) float32 { return x.q.Scale / float32(n) / s.step() }
	if same := slices.Min(counts) == slices.Max(counts); same && s.coded {
		if w, found := factor(x.q.Scale, s.step(), unit(counts[0]), counts[0]); found {
			p.scales = []float32{w}
			return s.integers(s.clipped(s.conv(p), s.Act))
		}
	}
	var m []float32
	for _, n := range counts {
		m = append(m, unit(n))
	}
	return s.stepped(s.like("Mul", s.sums(p), []string{s.floats(s.Name+".unit", []int{1, s.Shape.H, s.Shape.W}, m...)}))
}

// factor finds the scale of a weight with which QLinearConv multiplies its sums by unit: near 1/n.
func factor(x, y, unit float32, n int) (w float32, found bool) {
	bits := math.Float32bits(1 / float32(n))
	for d := range uint32(16) {
		for _, b := range []uint32{bits + d, bits - d} {
			if w = math.Float32frombits(b); float32(x*w)/y == unit {
				return w, true
			}
		}
	}
	return 0, false
}

// blockSums is the sum or the mean along axes, or over the blocks of an adaptive pool. Sums of integers are exact.
func (s *step) blockSums() *value {
	x := s.in[0]
	if s.Kind.Name != "adaptive_avg_pool" {
		t, n := s.cast(x.codes, model.Int32), 1
		if zero := s.code(x.q.Zero); zero != 0 {
			t = s.like("Sub", t, []string{s.ints(fmt.Sprint("int_", zero), model.Int32, nil, []int64{zero})})
		}
		axes := s.axes(t)
		for _, k := range axes {
			n *= t.dims[k]
		}
		if len(axes) > 0 {
			t = s.reduced("ReduceSum", t, axes...)
		}
		if s.Kind.Name == "reduce_sum" {
			n = 1
		}
		unit := x.q.Scale / float32(n) / s.step()
		return s.stepped(s.like("Mul", s.cast(t, model.Float), []string{s.floats(s.Name+".unit", nil, unit)}))
	}
	t := s.cast(s.mapped(s.centered(x)), model.Double)
	rows, columns := blockRows(t.dims[1], s.Shape.H), blockRows(t.dims[2], s.Shape.W)
	var units []float32
	for _, r := range rows {
		for _, c := range columns {
			units = append(units, x.q.Scale/float32(ones(r)*ones(c))/s.step())
		}
	}
	t = s.cast(s.along(t, model.Double, rows, columns), model.Float)
	return s.stepped(s.like("Mul", t, []string{s.floats(s.Name+".unit", []int{1, s.Shape.H, s.Shape.W}, units...)}))
}

func ones(row []float64) (n int) {
	for _, v := range row {
		n += int(v)
	}
	return n
}
