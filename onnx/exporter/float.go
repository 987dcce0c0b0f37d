package exporter

import (
	"fmt"
	"math"

	"qpipe/onnx/model"
	"qpipe/ops/layer"
)

// float writes the function that the node computes of real numbers, without its activation. With float32 operands it is exactly
// what the ops say; how they sum up is the runtime's.
func (s *step) float(x []array) array {
	switch s.Kind.Name {
	case "conv", "linear", "conv_transpose":
		return s.floatConv(x)
	case "bn":
		if bias, integers := s.tensorOf(s.Name+".bias"), s.tensorOf(s.Name+".multiplier") != nil; integers {
			var add []float32
			for _, b := range bias.Data.([]int32) {
				add = append(add, float32(b)*s.in[0].q.Scale)
			}
			y := s.like("Add", x[0], []string{s.floats(s.Name+".bias", s.perChannel(x[0]), add...)})
			return s.like("Mul", y, []string{s.own("multiplier", s.perChannel(x[0])...)})
		}
		return s.batchNorm(attrsOf[bnAttrs](s, "bn"), x[0])
	case "add", "sub", "mul", "max", "min":
		op := map[string]string{"add": "Add", "sub": "Sub", "mul": "Mul", "max": "Max", "min": "Min"}[s.Kind.Name]
		a, b := s.alike(x[0], x[1])
		return s.both(op, a, b)
	case "scale":
		return s.scaled(x[0], s.own("weight", s.perChannel(x[0])...), s.scaleBias(x[0], 1))
	case "dropout", "quant", "dequant":
		return x[0]
	case "act":
		return x[0]
	case "softmax", "log_softmax":
		axis := axisOf(attrsOf[struct{ Axis int }](s, s.Kind.Name).Axis, x[0]) + 1
		return s.like(map[bool]string{false: "Softmax", true: "LogSoftmax"}[s.Kind.Name == "log_softmax"], x[0], nil, attr("axis", axis))
	case "prelu":
		return s.like("PRelu", x[0], []string{s.slopes(x[0])})
	case "avg_pool", "global_avg_pool":
		return s.floatAverage(s.mapped(x[0]))
	case "reduce_mean", "adaptive_avg_pool":
		return s.floatMean(x[0])
	case "reduce_sum":
		return s.reduced("ReduceSum", x[0], s.axes(x[0])...)
	case "resize_bilinear":
		return s.bilinear(s.mapped(x[0]))
	case "group_norm":
		return s.floatGroupNorm(x[0])
	case "layer_norm":
		return s.floatLayerNorm(x[0])
	}
	if y, yes := s.moved(x, nil); yes {
		return y
	}
	return s.floatCurve(x[0])
}

// alike gives two operands the same number of dimensions.
func (s *step) alike(a, b array) (array, array) {
	if len(a.dims) != len(b.dims) {
		return s.mapped(a), s.mapped(b)
	}
	return a, b
}

// perChannel is the shape of a constant with a number for each channel of x.
func (s *step) perChannel(x array) []int {
	if x.flat() {
		return []int{s.Shape.C}
	}
	return []int{s.Shape.C, 1, 1}
}

// weight is the weight as float32, in the order of files: of codes what these stand for.
func (s *step) weight(dims ...int) string {
	t := s.tensorOf(s.Name + ".weight")
	codes, quantized := t.Data.([]int8)
	if !quantized {
		return s.own("weight", dims...)
	}
	scales, a := s.values32("weight_scale"), attrsOf[convAttrs](s, "conv")
	axis := 0
	if s.Kind.Name == "conv_transpose" {
		axis = 1
		if a.Group > 1 && len(scales) > 1 { // no axis of the weight has the scales along it
			values, each, size := make([]float32, len(codes)), dims[1], dims[2]*dims[3]
			for i, c := range codes {
				group := i / size / each / (dims[0] / a.Group)
				values[i] = float32(c) * scales[group*each+i/size%each]
			}
			return s.floats(s.Name+".weight", dims, values...)
		}
	}
	name, shape := s.ints(s.Name+".weight_quantized", model.Int8, dims, long(codes)), []int{len(scales)}
	if len(scales) == 1 {
		shape = nil
	}
	zero := s.ints(s.Name+".weight_zero_point", model.Int8, shape, make([]int64, len(scales)))
	y := s.op("DequantizeLinear", model.Float, nil, []string{name, s.floats(s.Name+".weight_scale", shape, scales...), zero}, attr("axis", axis))
	s.Values = s.Values[:len(s.Values)-1] // its shape has no batch
	return s.call(y, s.Name+".weight").name
}

// bias is the bias as float32.
func (s *step) bias() string {
	codes, quantized := s.tensorOf(s.Name + ".bias").Data.([]int32)
	if !quantized {
		return s.own("bias", s.Shape.C)
	}
	scales := make([]float32, len(codes))
	for i := range scales {
		scales[i] = s.unit(i)
	}
	name := s.ints(s.Name+".bias_quantized", model.Int32, []int{len(codes)}, long(codes))
	zero := s.ints(s.Name+".bias_zero_point", model.Int32, []int{len(codes)}, make([]int64, len(codes)))
	y := s.op("DequantizeLinear", model.Float, nil, []string{name, s.floats(s.Name+".bias_scale", []int{len(codes)}, scales...), zero}, attr("axis", 0))
	s.Values = s.Values[:len(s.Values)-1]
	return s.call(y, s.Name+".bias").name
}

// unit is what 1 in the sum of a convolution's channel stands for.
func (s *step) unit(channel int) float32 {
	scales := s.values32("weight_scale")
	return s.in[0].q.Scale * scales[channel%len(scales)]
}

// window are the attributes of a window.
func window(w layer.Window, dilations [2]int) []model.Attribute {
	if dilations == [2]int{} {
		dilations = [2]int{1, 1}
	}
	return []model.Attribute{
		attr("kernel_shape", w.Kernel[:]), attr("strides", w.Stride[:]), attr("pads", w.Pads[:]), attr("dilations", dilations[:]),
	}
}

// floatConv is a convolution or a linear layer, with its BN and what it adds.
func (s *step) floatConv(x []array) array {
	a, y := attrsOf[convAttrs](s, "conv"), x[0]
	switch {
	case s.Kind.Name == "linear" && s.flatLinear(a):
		y = s.flattened(y)
		in := []string{y.name, s.weight(s.Shape.C, y.dims[0])}
		if a.Bias {
			in = append(in, s.bias())
		}
		y = s.op("Gemm", model.Float, []int{s.Shape.C}, in, attr("transB", 1))
	default:
		y = s.mapped(y)
		dims, op, attrs := []int{s.Shape.C, y.dims[0] / a.Group, a.Kernel[0], a.Kernel[1]}, "Conv", append(window(a.Window, a.Dilation), attr("group", a.Group))
		if s.Kind.Name == "conv_transpose" {
			dims, op, attrs = []int{y.dims[0], s.Shape.C / a.Group, a.Kernel[0], a.Kernel[1]}, "ConvTranspose", append(attrs, attr("output_padding", a.OutputPadding[:]))
		}
		in := []string{y.name, s.weight(dims...)}
		if a.Bias {
			in = append(in, s.bias())
		}
		y = s.op(op, model.Float, mapDims(s.Node), in, attrs...)
	}
	if bn := attrsOf[bnAttrs](s, "bn"); bn.Name != "" {
		y = s.batchNorm(bn, y)
	}
	if a.Add {
		p, q := s.alike(y, x[1])
		y = s.both("Add", p, q)
	}
	return y
}

// flatLinear reports whether a linear layer reads all of its operand at once, and does not compute pixels by themselves.
func (s *step) flatLinear(a convAttrs) bool {
	return s.Shape.H*s.Shape.W == 1 && a.Kernel == [2]int{a.Input.Height, a.Input.Width}
}

func (s *step) flattened(x array) array {
	if x.flat() {
		return x
	}
	return s.op("Flatten", x.elem, []int{x.dims[0] * x.dims[1] * x.dims[2]}, []string{x.name}, attr("axis", 1))
}

func (s *step) batchNorm(a bnAttrs, x array) array {
	var more []string
	for _, t := range []string{"weight", "bias", "running_mean", "running_var"} {
		more = append(more, s.floats(a.Name+"."+t, []int{s.Shape.C}, s.tensorOf(a.Name+"."+t).Data.([]float32)...))
	}
	return s.like("BatchNormalization", x, more, attr("epsilon", a.Eps))
}

// scaled multiplies each channel, and adds something unless bias is "".
func (s *step) scaled(x array, weight, bias string) array {
	y := s.like("Mul", x, []string{weight})
	if bias != "" {
		y = s.like("Add", y, []string{bias})
	}
	return y
}

// scaleBias is what a scale adds, in the given unit.
func (s *step) scaleBias(x array, unit float32) string {
	if !attrsOf[struct{ Bias bool }](s, "scale").Bias {
		return ""
	}
	b := s.values32("bias")
	for i := range b {
		b[i] /= unit
	}
	return s.floats(s.Name+".bias", s.perChannel(x), b...)
}

func (s *step) slopes(x array) string {
	if len(s.values32("weight")) == 1 {
		return s.own("weight", 1)
	}
	return s.own("weight", s.perChannel(x)...)
}

// floatAverage is an average over windows, or over the whole map.
func (s *step) floatAverage(x array) array {
	if s.Kind.Name == "global_avg_pool" {
		return s.op("GlobalAveragePool", model.Float, mapDims(s.Node), []string{x.name})
	}
	a := attrsOf[poolAttrs](s, "pool")
	attrs := []model.Attribute{attr("kernel_shape", a.Kernel[:]), attr("strides", a.Stride[:])}
	if a.Overhang == [2]int{} && !a.deep() {
		attrs = append(attrs, attr("pads", a.Pads[:]), attr("count_include_pad", a.CountPad))
		return s.op("AveragePool", model.Float, mapDims(s.Node), []string{x.name}, attrs...)
	}
	x = s.padBy(x, a.Pads, s.floats("zero", nil, 0))
	y := s.op("AveragePool", model.Float, mapDims(s.Node), []string{x.name}, attrs...)
	size, more := float32(a.Kernel[0]*a.Kernel[1]), []float32{}
	for _, n := range s.counts() {
		more = append(more, size/float32(n))
	}
	return s.like("Mul", y, []string{s.floats(s.Name+".windows", []int{1, s.Shape.H, s.Shape.W}, more...)})
}

// axes are the axes over which a reduction goes, in shapes of the model without the batch.
func (s *step) axes(x array) (list []int) {
	a := attrsOf[blockAttrs](s, s.Kind.Name)
	for k, all := range a.Axes {
		if all && (!x.flat() || k == 2) {
			list = append(list, axisOf(k, x))
		}
	}
	return list
}

// floatMean is a mean along axes, or over blocks of rows and columns.
func (s *step) floatMean(x array) array {
	if s.Kind.Name == "reduce_mean" {
		if axes := s.axes(x); len(axes) > 0 {
			return s.reduced("ReduceMean", x, axes...)
		}
		return x
	}
	x = s.mapped(x)
	h, w := x.dims[1], x.dims[2]
	switch kh, kw := h/s.Shape.H, w/s.Shape.W; {
	case s.Shape.H*s.Shape.W == 1:
		return s.op("GlobalAveragePool", model.Float, mapDims(s.Node), []string{x.name})
	case h%s.Shape.H == 0 && w%s.Shape.W == 0:
		return s.op("AveragePool", model.Float, mapDims(s.Node), []string{x.name}, attr("kernel_shape", []int{kh, kw}), attr("strides", []int{kh, kw}))
	}
	mean := func(in, out int) [][]float64 {
		rows := blockRows(in, out)
		for _, r := range rows {
			n := 0.0
			for _, v := range r {
				n += v
			}
			for k := range r {
				r[k] /= n
			}
		}
		return rows
	}
	return s.along(x, model.Float, mean(h, s.Shape.H), mean(w, s.Shape.W))
}

// blockRows are the blocks of an adaptive pool along an axis: a row for each, with 1 where an element is in it.
func blockRows(in, out int) [][]float64 {
	rows := make([][]float64, out)
	for i := range rows {
		rows[i] = make([]float64, in)
		for k := i * in / out; k < ((i+1)*in+out-1)/out; k++ {
			rows[i][k] = 1
		}
	}
	return rows
}

// along multiplies rows and columns of a map with matrices: element (i, j) of the result is the sum of rows[i][p]·columns[j][q]·x[p][q].
func (s *step) along(x array, elem model.Type, rows, columns [][]float64) array {
	var left, right []float64
	for _, r := range rows {
		left = append(left, r...)
	}
	for q := range columns[0] {
		for _, r := range columns {
			right = append(right, r[q])
		}
	}
	c, h, w := x.dims[0], x.dims[1], x.dims[2]
	m := s.constant(model.OfFloats(s.Name+".columns", elem, []int{w, len(columns)}, right))
	y := s.op("MatMul", elem, []int{c, h, len(columns)}, []string{x.name, m})
	m = s.constant(model.OfFloats(s.Name+".rows", elem, []int{len(rows), h}, left))
	return s.op("MatMul", elem, []int{c, len(rows), len(columns)}, []string{m, y.name})
}

// floatGroupNorm: an instance norm of groups as channels.
func (s *step) floatGroupNorm(x array) array {
	a := attrsOf[normAttrs](s, "group_norm")
	x = s.mapped(x)
	ones, zeros := make([]float32, a.Groups), make([]float32, a.Groups)
	for i := range ones {
		ones[i] = 1
	}
	y := s.op("Reshape", x.elem, []int{a.Groups, x.dims[0] / a.Groups * x.dims[1] * x.dims[2]}, []string{x.name, s.list(0, a.Groups, -1)})
	y = s.like("InstanceNormalization", y, []string{s.floats("ones", []int{a.Groups}, ones...), s.floats("zeros", []int{a.Groups}, zeros...)}, attr("epsilon", a.Eps))
	y = s.reshape(y, x.dims...)
	if a.Affine {
		y = s.scaled(y, s.own("weight", s.perChannel(y)...), s.own("bias", s.perChannel(y)...))
	}
	return y
}

// floatLayerNorm normalizes the channels of each pixel, which are put last meanwhile, or the whole map.
func (s *step) floatLayerNorm(x array) array {
	a := attrsOf[normAttrs](s, "layer_norm")
	last, first := !a.Whole && !x.flat(), 1
	if last {
		x, first = s.transpose(x, 1, 2, 0), 3
	}
	dims := x.dims[first-1:]
	weight, bias := "", ""
	if a.Affine {
		weight, bias = s.own("weight", dims...), s.own("bias", dims...)
	}
	var y array
	if s.opset >= 17 {
		if !a.Affine {
			weight = s.floats(s.Name+".ones", dims, repeated(1, dims)...)
		}
		in := []string{weight}
		if a.Affine {
			in = append(in, bias)
		}
		y = s.like("LayerNormalization", x, in, attr("axis", first), attr("epsilon", a.Eps))
	} else {
		var axes []int
		for k := range dims {
			axes = append(axes, first-1+k)
		}
		d := s.both("Sub", x, s.reduced("ReduceMean", x, axes...))
		v := s.reduced("ReduceMean", s.both("Mul", d, d), axes...)
		v = s.like("Sqrt", s.like("Add", v, []string{s.floats(s.Name+".eps", nil, float32(a.Eps))}), nil)
		y = s.both("Div", d, v)
		if a.Affine {
			y = s.scaled(y, weight, bias)
		}
	}
	if last {
		y = s.transpose(y, 2, 0, 1)
	}
	return y
}

func repeated(v float32, dims []int) []float32 {
	n := 1
	for _, d := range dims {
		n *= d
	}
	list := make([]float32, n)
	for i := range list {
		list[i] = v
	}
	return list
}

// floatCurve is a curve as ops.
func (s *step) floatCurve(x array) array {
	number := func(v float64) string { return s.floats(fmt.Sprintf("number_%g", v), nil, float32(v)) }
	a := map[string]float64{}
	if s.Body != nil {
		s.read("curve", &a)
	}
	do := func(op string, x array, attrs ...model.Attribute) array { return s.like(op, x, nil, attrs...) }
	switch s.Kind.Name {
	case "sigmoid":
		return do("Sigmoid", x)
	case "tanh":
		return do("Tanh", x)
	case "softplus":
		return do("Softplus", x)
	case "leaky_relu":
		return do("LeakyRelu", x, attr("alpha", a["negative_slope"]))
	case "elu":
		return do("Elu", x, attr("alpha", a["alpha"]))
	case "hard_sigmoid":
		return do("HardSigmoid", x, attr("alpha", a["alpha"]), attr("beta", a["beta"]))
	case "hard_swish":
		if s.opset >= 14 {
			return do("HardSwish", x)
		}
		return s.both("Mul", x, do("HardSigmoid", x, attr("alpha", 1.0/6), attr("beta", 0.5)))
	case "silu":
		return s.both("Mul", x, do("Sigmoid", x))
	case "mish":
		if s.opset >= 18 {
			return do("Mish", x)
		}
		return s.both("Mul", x, do("Tanh", do("Softplus", x)))
	case "gelu":
		if s.opset >= 20 {
			return do("Gelu", x)
		}
		e := do("Erf", s.like("Div", x, []string{number(math.Sqrt2)}))
		return s.like("Mul", s.both("Mul", x, s.like("Add", e, []string{number(1)})), []string{number(0.5)})
	case "gelu_tanh":
		if s.opset >= 20 {
			return do("Gelu", x, attr("approximate", "tanh"))
		}
		cube := s.like("Mul", s.both("Mul", s.both("Mul", x, x), x), []string{number(0.044715)})
		t := do("Tanh", s.like("Mul", s.both("Add", x, cube), []string{number(math.Sqrt(2 / math.Pi))}))
		return s.like("Mul", s.both("Mul", x, s.like("Add", t, []string{number(1)})), []string{number(0.5)})
	case "abs", "neg", "erf":
		return do(map[string]string{"abs": "Abs", "neg": "Neg", "erf": "Erf"}[s.Kind.Name], x)
	case "exp", "log", "sqrt", "reciprocal", "power":
		return s.floatPower(x, a["exponent"])
	case "clip":
		in := []string{"", ""}
		for k, limit := range []string{"min", "max"} {
			if v, is := a[limit]; is {
				in[k] = number(v)
			}
		}
		return s.like("Clip", x, in)
	}
	panic("exporter: no form of " + s.Kind.Name) // Check has refused it
}

// floatPower is a curve that ends where float32 does: ONNX's are infinite there, or not a number.
func (s *step) floatPower(x array, exponent float64) array {
	number := func(v float64) string { return s.floats(fmt.Sprintf("number_%g", v), nil, float32(v)) }
	most := []string{number(-math.MaxFloat32), number(math.MaxFloat32)}
	switch s.Kind.Name {
	case "exp":
		return s.like("Clip", s.like("Exp", x, nil), most)
	case "log":
		return s.like("Log", s.like("Clip", x, []string{number(0x1p-126), ""}), nil)
	case "sqrt":
		return s.like("Sqrt", s.like("Relu", x, nil), nil)
	case "reciprocal":
		return s.like("Clip", s.like("Reciprocal", x, nil), most)
	}
	if exponent != math.Trunc(exponent) {
		x = s.like("Relu", x, nil)
	}
	return s.like("Clip", s.like("Pow", x, []string{number(exponent)}), most)
}
