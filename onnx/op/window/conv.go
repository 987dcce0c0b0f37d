package window

import (
	"slices"

	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/op/product"
	"qpipe/onnx/value"
)

// Conv is a convolution: x is N × Channels × In, the weights are Maps × Channels/Groups × Kernel.
type Conv struct {
	Geometry
	N, Channels, Maps, Groups int
}

// Plan reads a convolution of two inputs.
func Plan(c *op.Call, x, w []int) Conv {
	if len(x) < 3 || len(w) != len(x) {
		c.Fail("weights of the shape %v do not fit an input of the shape %v", w, x)
	}
	kernel := w[2:]
	if given := c.AttrInts("kernel_shape"); len(given) > 0 && !slices.Equal(given, kernel) {
		c.Fail("kernel_shape is %v, and the weights have the shape %v", given, w)
	}
	v := Conv{Geometry: Of(c, x, kernel, false), N: x[0], Channels: x[1], Maps: w[0], Groups: c.Int("group")}
	if v.Groups < 1 || v.Maps%v.Groups != 0 || v.Channels != w[1]*v.Groups {
		c.Fail("weights of the shape %v do not fit an input of the shape %v in %d groups", w, x, v.Groups)
	}
	return v
}

// Dims is the shape of the output.
func (v Conv) Dims() []int { return slices.Concat([]int{v.N, v.Maps}, v.Out) }

// Run computes the convolution. Each element of the output is one sum, over channels and then the window, whatever the
// number of threads. Elements outside of the input count as 0.
func Run[T product.Number](c *op.Call, v Conv, out, x, w []T) {
	places, depth := value.Count(v.Out), v.Channels/v.Groups*v.Taps()
	c.Work(v.N, v.Maps, places, depth)
	if depth == 0 || v.Maps == 0 {
		return
	}
	width := min(max(1<<17/depth&^3, 4), 64)
	tiles := (places + width - 1) / width
	pieces := (v.Maps + 63) / 64 // a task has a part of the maps, or of the groups
	if v.Groups > 1 {
		pieces = (v.Groups + 15) / 16
	}
	c.Parallel(v.N*tiles*pieces, func(task int) {
		piece, p := task%pieces, task/pieces%tiles*width
		t := tile[T]{v: v, w: w, n: task / pieces / tiles, first: p, width: min(width, places-p), depth: depth}
		t.places = t.look()
		t.columns = make([]T, depth*t.width)
		if v.Groups == 1 {
			t.group(out, x, 0, piece*64, min(piece*64+64, v.Maps))
			return
		}
		for g := piece * 16; g < min(piece*16+16, v.Groups); g++ {
			t.group(out, x, g, 0, v.Maps/v.Groups)
		}
	})
}

// tile is a part of the output: some neighboring places of one image.
type tile[T product.Number] struct {
	v               Conv
	w               []T
	n, first, width int
	depth           int
	places          []int // by element of the window and place: where it lies in a channel, −1 outside
	columns         []T   // by channel, element of the window and place: the input
}

func (t *tile[T]) look() []int {
	places := make([]int, t.v.Taps()*t.width)
	for j := range t.width {
		t.v.window(t.first+j, func(tap, at int, _ bool) { places[tap*t.width+j] = at })
	}
	return places
}

// group computes maps of a group.
func (t *tile[T]) group(out, x []T, g, from, to int) {
	v := t.v
	channels, maps := v.Channels/v.Groups, v.Maps/v.Groups
	size := value.Count(v.In)
	for ch := range channels {
		plane := x[((t.n*v.Channels)+g*channels+ch)*size:][:size]
		row := t.columns[ch*len(t.places):][:len(t.places)]
		for i, at := range t.places {
			if at >= 0 {
				row[i] = plane[at]
			} else {
				row[i] = 0
			}
		}
	}
	part := make([]T, (to-from)*t.width)
	first := g*maps + from
	product.Multiply(part, t.w[first*t.depth:][:(to-from)*t.depth], t.columns, to-from, t.depth, t.width)
	places := value.Count(v.Out)
	for m := range to - from {
		copy(out[(t.n*v.Maps+first+m)*places+t.first:], part[m*t.width:][:t.width])
	}
}

// AddBias adds a number to each channel of N × C × … values.
func AddBias[T product.Number](out []T, n int, bias []T) {
	if len(bias) == 0 || n == 0 {
		return
	}
	size := len(out) / n / len(bias)
	for i := range out {
		out[i] += bias[i/size%len(bias)]
	}
}

func convRow() *op.Row {
	return &op.Row{
		Name: "Conv", Since: []int{1, 11, 22}, Least: 2, Most: 3, Outputs: 1, Attrs: Attrs(op.Int("group", 1)),
		Shape: func(c *op.Call) []op.Type {
			c.Same(0, 1)
			v := Plan(c, c.Arg(0).Dims, c.Arg(1).Dims)
			checkBias(c, 2, v.Maps)
			return []op.Type{{Elem: c.Arg(0).Type, Dims: v.Dims()}}
		},
		Eval: func(c *op.Call) {
			v, out := Plan(c, c.Arg(0).Dims, c.Arg(1).Dims), c.Out[0].F
			Run(c, v, out, c.Floats(0), c.Floats(1))
			if c.Has(2) {
				AddBias(out, v.N, c.Floats(2))
			}
		},
	}
}

func checkBias(c *op.Call, i, maps int) {
	if c.Has(i) && !slices.Equal(c.Arg(i).Dims, []int{maps}) {
		c.Fail("the bias has the shape %v, and there are %d maps", c.Arg(i).Dims, maps)
	}
}

func convIntegerRow() *op.Row {
	return &op.Row{
		Name: "ConvInteger", Since: []int{10}, Least: 2, Most: 4, Outputs: 1, Attrs: Attrs(op.Int("group", 1)),
		Shape: func(c *op.Call) []op.Type {
			return []op.Type{{Elem: model.Int32, Dims: Plan(c, c.Arg(0).Dims, c.Arg(1).Dims).Dims()}}
		},
		Eval: func(c *op.Call) {
			w := c.Arg(1).Dims
			Run(c, Plan(c, c.Arg(0).Dims, w), c.Out[0].I, product.Centered(c, 0, 2, 0), product.Centered(c, 1, 3, -len(w)))
		},
	}
}

func convTransposeRow() *op.Row {
	return &op.Row{
		Name: "ConvTranspose", Since: []int{1, 11, 22}, Least: 2, Most: 3, Outputs: 1,
		Attrs: Attrs(op.Int("group", 1), op.Ints("output_padding"), op.Ints("output_shape")),
		Shape: func(c *op.Call) []op.Type {
			c.Same(0, 1)
			v := planTransposed(c)
			checkBias(c, 2, v.Maps)
			return []op.Type{{Elem: c.Arg(0).Type, Dims: v.Dims()}}
		},
		Eval: func(c *op.Call) {
			v, out := planTransposed(c), c.Out[0].F
			// The weights are channels × maps of a group × window; a convolution has maps × channels of a group × window.
			w, taps := c.Floats(1), v.Taps()
			own := []int{v.Channels / v.Groups * (v.Maps / v.Groups) * taps, taps, v.Maps / v.Groups * taps, 1}
			turned := value.New(model.Double, []int{v.Groups, v.Maps / v.Groups, v.Channels / v.Groups, taps})
			turned.Walk(&value.Value{Type: model.Double, F: w}, 0, own)
			Run(c, v, out, c.Floats(0), turned.F)
			if c.Has(2) {
				AddBias(out, v.N, c.Floats(2))
			}
		},
	}
}

func planTransposed(c *op.Call) Conv {
	x, w := c.Arg(0).Dims, c.Arg(1).Dims
	if len(x) < 3 || len(w) != len(x) {
		c.Fail("weights of the shape %v do not fit an input of the shape %v", w, x)
	}
	if given := c.AttrInts("kernel_shape"); len(given) > 0 && !slices.Equal(given, w[2:]) {
		c.Fail("kernel_shape is %v, and the weights have the shape %v", given, w)
	}
	v := Conv{Geometry: basic(c, x, w[2:]), N: x[0], Channels: x[1], Groups: c.Int("group")}
	if v.Groups < 1 || w[0] != v.Channels || v.Channels%v.Groups != 0 {
		c.Fail("weights of the shape %v do not fit an input of the shape %v in %d groups", w, x, v.Groups)
	}
	v.Maps, v.turned = w[1]*v.Groups, true
	v.spread(c)
	if _, err := model.Elements(v.Dims()); err != nil {
		c.Check(err)
	}
	return v
}

// spread computes the output's extents of a transposed convolution, or the padding that a given extent asks for.
func (v *Conv) spread(c *op.Call) {
	n := len(v.In)
	extra := list(c, "output_padding", n, 0, 0)
	shape := c.AttrInts("output_shape")
	if len(shape) == n+2 {
		shape = shape[2:]
	}
	if len(shape) != 0 && len(shape) != n {
		c.Fail("output_shape is %v, and there are %d spatial dimensions", shape, n)
	}
	auto := c.Text("auto_pad")
	for d, in := range v.In {
		full := v.Stride[d]*(in-1) + extra[d] + v.reach(d)
		want := -1
		switch {
		case len(shape) > 0:
			want = shape[d]
		case auto == "SAME_UPPER" || auto == "SAME_LOWER":
			want = in * v.Stride[d]
		case auto == "VALID":
			want = full
		}
		if want >= 0 {
			total := max(full-want, 0)
			v.Before[d], v.After[d] = total/2, total-total/2
			if auto != "SAME_UPPER" {
				v.Before[d], v.After[d] = total-total/2, total/2
			}
			v.Out[d] = want
			continue
		}
		v.Out[d] = full - v.Before[d] - v.After[d]
		if in == 0 || v.Out[d] < 0 {
			c.Fail("pads of %d and %d leave nothing of %d", v.Before[d], v.After[d], full)
		}
	}
}
