package importer

import (
	"math"
	"slices"

	"qpipe/lang/diag"
	"qpipe/onnx/model"
	"qpipe/ops/convbn"
)

// convRows are the ops that multiply by weights.
func convRows() []row {
	return []row{
		{"", "Conv", conv}, {"", "ConvTranspose", convTranspose}, {"", "Gemm", gemm}, {"", "MatMul", matMul}, {"", "BatchNormalization", batchNorm},
	}
}

// weighted are the ops of which the last one may be replaced.
func weightedOps() []string { return []string{"Conv", "ConvTranspose", "Gemm", "MatMul"} }

// lastWeighted is the last node with weights that give the classes; nil if there is none.
func (c *build) lastWeighted() *model.Node {
	for _, n := range slices.Backward(c.nodes) {
		if slices.Contains(weightedOps(), n.Op) && n.Domain == "" {
			return n
		}
	}
	return nil
}

// classes is how many outputs a node of out gets, and whether its weights are the model's.
func (c *call) classes(out int) (int, bool) {
	if n := c.options.Classes; n > 0 && n != out && c.Node == c.last {
		return n, false
	}
	return out, true
}

// window is that of a convolution or pool, for maps and rows.
type window struct {
	kernel, stride, dilation [2]int
	pads                     [4]int
	auto                     string
}

// window reads a node's; size is the kernel's, if no attribute says it.
func (c *call) window(size []int, spatial int) window {
	pair := func(name string) [2]int {
		list, ok := c.ints(name)
		switch {
		case !ok:
			return [2]int{1, 1}
		case len(list) != spatial:
			c.fail("its attribute %q has %d numbers for %d dimensions", name, len(list), spatial)
		case spatial == 1:
			return [2]int{1, list[0]}
		}
		return [2]int(list)
	}
	w := window{stride: pair("strides"), dilation: pair("dilations")}
	if _, ok := c.ints("kernel_shape"); ok || size == nil {
		w.kernel = pair("kernel_shape")
	} else if spatial == 1 {
		w.kernel = [2]int{1, size[0]}
	} else {
		w.kernel = [2]int(size)
	}
	if pads, ok := c.ints("pads"); ok {
		switch {
		case len(pads) != 2*spatial:
			c.fail("its attribute \"pads\" has %d numbers for %d dimensions", len(pads), spatial)
		case spatial == 1:
			w.pads = [4]int{0, pads[0], 0, pads[1]}
		default:
			w.pads = [4]int(pads)
		}
	}
	switch auto := c.text("auto_pad", "NOTSET"); auto {
	case "NOTSET":
	case "SAME_UPPER":
		w.auto = "same_upper"
	case "SAME_LOWER":
		w.auto = "same_lower"
	case "VALID":
		w.auto = "valid"
	default:
		c.fail("its auto_pad is %q, which ONNX does not have", auto)
	}
	if w.auto != "" {
		w.pads = [4]int{}
	}
	return w
}

// weights4 is a kernel as four dimensions.
func weights4(dims []int) []int {
	if len(dims) == 3 {
		return []int{dims[0], dims[1], 1, dims[2]}
	}
	return dims
}

func conv(c *call) {
	x, t := c.image(), c.constant(1)
	spatial := x.rank() - 2
	if len(t.Dims) != x.rank() {
		c.fail("its weight has %d dimensions, and its operand %d", len(t.Dims), x.rank())
	}
	w := c.window(t.Dims[2:], spatial)
	groups := c.int("group", 1)
	out, own := c.classes(t.Dims[0])
	a := convbn.Conv{
		OutC: out, Kernel: w.kernel, Stride: w.stride, Pads: w.pads, Auto: w.auto, Dilation: w.dilation, Groups: groups,
		Bias: c.has(2) || !own,
	}
	y := c.put(a, x)
	c.checkWeight(t, []int{t.Dims[0], x.made.Shape().C / max(groups, 1)})
	if own {
		c.weight(c.name+".weight", weights4(t.Dims), c.floats(1))
		c.bias(2, out)
	}
	c.set(0, y)
}

// checkWeight compares the weight's first dimensions with what the operand needs.
func (c *call) checkWeight(t *model.Tensor, want []int) {
	if got := t.Dims[:len(want)]; !slices.Equal(got, want) {
		c.fail("its weight has %v output and input channels, and its operand needs %v", got, want)
	}
}

// bias adds the bias, operand i, if there is one.
func (c *call) bias(i, out int) {
	if !c.has(i) {
		return
	}
	b := c.floats(i)
	if len(b) != out {
		c.fail("its bias has %s for %s", diag.Count(len(b), "number"), diag.Count(out, "channel"))
	}
	c.weight(c.name+".bias", []int{out}, b)
}

func convTranspose(c *call) {
	x, t := c.image(), c.constant(1)
	spatial := x.rank() - 2
	if len(t.Dims) != x.rank() {
		c.fail("its weight has %d dimensions, and its operand %d", len(t.Dims), x.rank())
	}
	w := c.window(t.Dims[2:], spatial)
	groups := max(c.int("group", 1), 1)
	extra := [2]int{}
	if list, ok := c.ints("output_padding"); ok && len(list) == spatial {
		copy(extra[2-spatial:], list)
	}
	shape := x.made.Shape()
	c.outputShape(&w, &extra, [2]int{shape.H, shape.W}, spatial)
	out, own := c.classes(t.Dims[1] * groups)
	y := c.put(convbn.ConvTranspose{
		OutC: out, Kernel: w.kernel, Stride: w.stride, Pads: w.pads, OutputPadding: extra, Dilation: w.dilation, Groups: groups, Bias: c.has(2) || !own,
	}, x)
	c.checkWeight(t, []int{shape.C})
	if own {
		c.weight(c.name+".weight", weights4(t.Dims), c.floats(1))
		c.bias(2, out)
	}
	c.set(0, y)
}

// outputShape sets the padding of a transposed convolution that names the size of its output, or pads by itself (ONNX, ConvTranspose).
func (c *call) outputShape(w *window, extra *[2]int, in [2]int, spatial int) {
	size, given := c.ints("output_shape")
	if !given && (w.auto == "" || w.auto == "valid") {
		w.auto = ""
		return
	}
	for k := 2 - spatial; k < 2; k++ {
		want := in[k] * w.stride[k]
		if given {
			want = size[len(size)-2+k]
		}
		total := w.stride[k]*(in[k]-1) + extra[k] + (w.kernel[k]-1)*w.dilation[k] + 1 - want
		if total < 0 {
			extra[k], total = extra[k]-total, 0
		}
		front := total / 2
		if w.auto == "same_lower" || given && w.auto == "" {
			front = total - total/2
		}
		w.pads[k], w.pads[k+2] = front, total-front
	}
	w.auto = ""
}

// gemm is a linear layer: its second operand is the weight.
func gemm(c *call) {
	x := c.x(0)
	if c.int("transA", 0) != 0 {
		c.fail("it transposes its first operand, the batch")
	}
	t := c.constant(1)
	if len(t.Dims) != 2 || x.rank() != 2 {
		c.fail("it multiplies %v by %v; a vector and a matrix are needed", x.dims(), t.Dims)
	}
	w := c.floats(1)
	out, in := t.Dims[0], t.Dims[1]
	if c.int("transB", 0) == 0 {
		w, out, in = transposed(w, t.Dims[0], t.Dims[1]), in, out
	}
	scale(w, c.float("alpha", 1))
	var bias []float32
	if c.has(2) {
		if bias = slices.Clone(c.floats(2)); len(bias) == 1 {
			bias = slices.Repeat(bias, out)
		}
		scale(bias, c.float("beta", 1))
	}
	c.linear(x, w, bias, out, in, false)
}

// matMul multiplies by a constant matrix: features, or the channels of each pixel.
func matMul(c *call) {
	x, t := c.x(0), c.constant(1)
	if len(t.Dims) != 2 {
		c.fail("it multiplies by a constant of the shape %v; a matrix is needed", t.Dims)
	}
	w := transposed(c.floats(1), t.Dims[0], t.Dims[1])
	var bias []float32
	if c.has(2) { // of a recognized MatMul with an addition behind it
		bias = c.floats(2)
	}
	if x.rank() > 2 {
		x = c.withChannels(x, len(x.axes)-1)
	}
	c.linear(x, w, bias, t.Dims[1], t.Dims[0], x.rank() > 2)
}

// linear adds a linear layer with the weight [out][in].
func (c *call) linear(x *value, w, bias []float32, out, in int, perPixel bool) {
	have := extent(x.made.Shape(), channelAxis)
	if !perPixel {
		have = x.made.Shape().WithN(1).Len()
	}
	if in != have {
		c.fail("its weight is for %d features, and its operand has %d", in, have)
	}
	if bias != nil && len(bias) != out {
		c.fail("its bias has %d numbers for %d outputs", len(bias), out)
	}
	made, own := c.classes(out)
	y := c.put(convbn.Linear{Out: made, Bias: bias != nil || !own, PerPixel: perPixel}, x)
	y.flat = false
	if own {
		c.weight(c.name+".weight", []int{out, in}, w)
		if bias != nil {
			c.weight(c.name+".bias", []int{out}, bias)
		}
	}
	c.set(0, y)
}

// transposed is the matrix with columns as rows.
func transposed(w []float32, rows, columns int) []float32 {
	out := make([]float32, len(w))
	for i := range rows {
		for j := range columns {
			out[j*rows+i] = w[i*columns+j]
		}
	}
	return out
}

// scale multiplies numbers by a factor.
func scale(w []float32, by float64) {
	if by != 1 {
		for i := range w {
			w[i] = float32(float64(w[i]) * by)
		}
	}
}

// batchNorm keeps its statistics. Of older versions it may be spatial, per channel, alone.
func batchNorm(c *call) {
	x := c.x(0)
	if c.int("spatial", 1) == 0 || c.int("training_mode", 0) != 0 {
		c.fail("it is in training, or has statistics for every pixel: export the model in evaluation")
	}
	if x.rank() > 2 {
		x = c.inOrder(x, c.name+".order")
	}
	n := x.made.Shape().C
	y := c.put(convbn.BatchNorm{Eps: c.float("epsilon", 1e-5), Momentum: math.Round(1e6*(1-c.float("momentum", 0.9))) / 1e6}, x)
	for i, name := range []string{".weight", ".bias", ".running_mean", ".running_var"} {
		data := c.floats(i + 1)
		if len(data) != n {
			c.fail("its operand %d has %s for %s", i+1, diag.Count(len(data), "number"), diag.Count(n, "channel"))
		}
		if i == 3 && slices.Min(data) < 0 {
			c.fail("it has a variance below 0")
		}
		c.weight(c.name+name, []int{n}, data)
	}
	y.bn = c.name
	c.set(0, y)
}
