package move

import (
	"math"
	"slices"

	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/value"
)

func upsampleRow() *op.Row {
	return &op.Row{
		Name: "Upsample", Since: []int{7, 9, 10}, Least: 1, Most: 2, Outputs: 1,
		Attrs: []op.Attr{op.Text("mode", "nearest"), op.Floats("scales").Until(9)},
		Shape: resizedShape, Eval: resize,
	}
}

func resizeRow() *op.Row {
	return &op.Row{
		Name: "Resize", Since: []int{10, 11, 13, 18, 19}, Least: 1, Most: 4, Outputs: 1,
		Attrs: []op.Attr{
			op.Text("mode", "nearest"), op.Text("coordinate_transformation_mode", "half_pixel"), op.Text("nearest_mode", "round_prefer_floor"),
			op.Float("cubic_coeff_a", -0.75), op.Int("exclude_outside", 0), op.Float("extrapolation_value", 0),
			op.Int("antialias", 0), op.Ints("axes"), op.Text("keep_aspect_ratio_policy", "stretch"),
		},
		Shape: resizedShape, Eval: resize,
	}
}

// stretch is what happens along one dimension.
type stretch struct {
	in, out  int
	scale    float64
	from, to float64 // the region that is cut out, as parts of the extent
}

func (s stretch) still() bool { return s.in == s.out && s.scale == 1 && s.from == 0 && s.to == 1 }

func resizedShape(c *op.Call) []op.Type {
	var dims []int
	for _, s := range stretches(c) {
		dims = append(dims, s.out)
	}
	if t := c.Arg(0).Type; c.Text("mode") != "nearest" && !t.Float() && t.Bits() != 8 {
		c.Fail("input 0 is %s; it must be a float or have 8 bits", t)
	}
	return like(c, dims)
}

// stretches reads scales, sizes and region, which have other places in each version.
func stretches(c *op.Call) []stretch {
	all := make([]stretch, len(c.Arg(0).Dims))
	for i, d := range c.Arg(0).Dims {
		all[i] = stretch{in: d, out: d, scale: 1, to: 1}
	}
	axes := resizedAxes(c, len(all))
	scales, sizes := scalesOf(c)
	switch {
	case len(scales) == len(axes):
		for i, a := range axes {
			s := &all[a]
			out := float64(float32(scales[i]) * float32(s.in)) // in float32, as runtimes compute it: 0.7·10 is 7
			if !(scales[i] > 0) || out > 1<<40 {
				c.Fail("the scales %v have one that is not possible", scales)
			}
			s.scale, s.out = scales[i], int(out)
		}
	case len(scales) == 0 && len(sizes) == len(axes):
		resizeTo(c, all, axes, sizes)
	default:
		c.Fail("%d scales and %d sizes are given for %d dimensions", len(scales), len(sizes), len(axes))
	}
	if c.Row.Name == "Resize" && c.Text("coordinate_transformation_mode") == "tf_crop_and_resize" {
		roi := c.Known(1).Numbers()
		if len(roi) != 2*len(axes) {
			c.Fail("the region has %d numbers for %d dimensions", len(roi), len(axes))
		}
		for i, a := range axes {
			all[a].from, all[a].to = roi[i], roi[len(axes)+i]
			if !(math.Abs(roi[i]) < 1<<20 && math.Abs(roi[len(axes)+i]) < 1<<20) {
				c.Fail("the region %v is not possible", roi)
			}
		}
	}
	return all
}

// transformations of coordinates that place knows.
func transformations() []string {
	return []string{"half_pixel", "pytorch_half_pixel", "half_pixel_symmetric", "tf_half_pixel_for_nn", "align_corners", "tf_crop_and_resize", "asymmetric"}
}

func resizedAxes(c *op.Call, rank int) (axes []int) {
	if c.Given("axes") && c.Row.Name == "Resize" {
		axes = c.AttrInts("axes")
		c.Axes(axes, rank)
		for i, a := range axes {
			axes[i] = c.Axis(a, rank)
		}
		return axes
	}
	for i := range rank {
		axes = append(axes, i)
	}
	return axes
}

func scalesOf(c *op.Call) (scales []float64, sizes []int) {
	switch {
	case c.Given("scales"):
		for _, x := range c.AttrFloats("scales") {
			scales = append(scales, float64(x))
		}
	case c.Row.Name == "Upsample" || c.Since < 11:
		scales = c.Floats(1)
	default:
		if c.Has(2) && c.Arg(2).Len() > 0 {
			scales = c.Floats(2)
		}
		if c.Has(3) {
			sizes = listedIn(c, 3)
		}
	}
	return scales, sizes
}

func resizeTo(c *op.Call, all []stretch, axes, sizes []int) {
	common := 0.0
	for i, a := range axes {
		s := &all[a]
		if sizes[i] < 0 || s.in == 0 && sizes[i] > 0 {
			c.Fail("%d cannot become %d", s.in, sizes[i])
		}
		s.out, s.scale = sizes[i], float64(sizes[i])/float64(max(s.in, 1))
		switch policy := c.Text("keep_aspect_ratio_policy"); {
		case policy == "not_larger" && (i == 0 || s.scale < common), policy == "not_smaller" && s.scale > common:
			common = s.scale
		}
	}
	if c.Text("keep_aspect_ratio_policy") == "stretch" {
		return
	}
	for _, a := range axes {
		all[a].scale = common
		all[a].out = int(math.Floor(float64(common*float64(all[a].in)) + 0.5))
	}
}

// place is where an element of the output lies in the input, by the coordinates' transformation. outside is true where
// it gets a value of its own. The lengths are those of the tensors, as in runtimes; the standard multiplies by the scale.
func (s stretch) place(mode string, i int) (x float64, outside bool) {
	x = float64(i)
	length, last := float64(s.in), float64(s.out-1)
	switch mode {
	case "half_pixel":
		return (x+0.5)/s.scale - 0.5, false
	case "pytorch_half_pixel":
		if s.out == 1 {
			return 0, false
		}
		return (x+0.5)/s.scale - 0.5, false
	case "half_pixel_symmetric":
		adjust := float64(s.out) / (s.scale * length)
		return float64(length/2*(1-adjust)) + (x+0.5)/s.scale - 0.5, false
	case "tf_half_pixel_for_nn":
		return (x + 0.5) / s.scale, false
	case "align_corners":
		if s.out == 1 {
			return 0, false
		}
		return x * (length - 1) / last, false
	case "tf_crop_and_resize":
		x = float64(s.from*(length-1)) + x*(s.to-s.from)*(length-1)/last
		if s.out == 1 {
			x = (s.from + s.to) * (length - 1) / 2
		}
		return x, x < 0 || x > length-1
	}
	return x / s.scale, false // asymmetric
}

// tap is an element of the input with its weight.
type tap struct {
	at     int
	weight float64
}

func resize(c *op.Call) {
	in, out := c.Known(0), c.Out[0]
	mode, coordinates, nearest := c.Text("mode"), "asymmetric", "simple"
	if c.Row.Name == "Resize" && c.Since >= 11 {
		coordinates, nearest = c.Text("coordinate_transformation_mode"), c.Text("nearest_mode")
	}
	if !slices.Contains(transformations(), coordinates) {
		c.Fail("the coordinate_transformation_mode %q is not supported", coordinates)
	}
	all := stretches(c)
	if out.Len() == 0 {
		return
	}
	c.Work(out.Len(), len(all)+1)
	if mode == "nearest" {
		at := make([][]int, len(all))
		for d, s := range all {
			at[d] = s.nearest(c, coordinates, nearest)
		}
		gather(in, out, at)
	} else {
		interpolate(c, all, coordinates)
	}
	if coordinates == "tf_crop_and_resize" {
		extrapolate(c, all)
	}
}

// nearest is the element of the input for each of the output.
func (s stretch) nearest(c *op.Call, coordinates, mode string) []int {
	at := make([]int, s.out)
	for i := range at {
		x, _ := s.place(coordinates, i)
		x = float64(float32(x)) // runtimes compute in float32; without it, values beside a half would fall to the other side
		switch floor := math.Floor(x); mode {
		case "simple":
			if s.scale < 1 {
				floor = math.Ceil(x)
			}
			x = floor
		case "floor":
			x = floor
		case "ceil":
			x = math.Ceil(x)
		case "round_prefer_floor":
			x = math.Ceil(x - 0.5)
		case "round_prefer_ceil":
			x = math.Floor(x + 0.5)
		default:
			c.Fail("the nearest_mode %q is not supported", mode)
		}
		at[i] = int(min(max(x, 0), float64(s.in-1)))
	}
	return at
}

// gather fills the output with elements of the input, by their places along each dimension.
func gather(in, out *value.Value, at [][]int) {
	own, places := value.Strides(in.Dims), value.Strides(out.Dims)
	out.Pick(in, func(i int) int {
		from := 0
		for d, s := range places {
			from += at[d][i/s%out.Dims[d]] * own[d]
		}
		return from
	})
}

// interpolate computes one dimension after the other.
func interpolate(c *op.Call, all []stretch, coordinates string) {
	now, dims := c.Known(0).Numbers(), slices.Clone(c.Arg(0).Dims)
	for d, s := range all {
		if s.still() {
			continue
		}
		taps := s.taps(c, coordinates)
		outer, inner := value.Count(dims[:d]), value.Count(dims[d+1:])
		n, err := model.Elements([]int{outer, s.out, inner})
		c.Check(err)
		c.Work(n, len(taps[0]))
		next := make([]float64, n)
		for o := range outer {
			for i, list := range taps {
				row := next[(o*s.out+i)*inner:][:inner]
				for _, t := range list {
					for k, x := range now[(o*s.in+t.at)*inner:][:inner] {
						row[k] += float64(t.weight * x)
					}
				}
			}
		}
		now, dims[d] = next, s.out
	}
	if out := c.Out[0]; out.F != nil {
		copy(out.F, now)
	} else {
		least, most := value.Limits(out.Type)
		for i, x := range now {
			out.I[i] = min(max(int64(x), least), most)
		}
	}
}

// taps are the elements of the input, with weights, that make each element of the output.
func (s stretch) taps(c *op.Call, coordinates string) [][]tap {
	list := make([][]tap, s.out)
	for i := range list {
		x, _ := s.place(coordinates, i)
		base := math.Ceil(x) - 1 // so that the share of the next element is in (0, 1]
		first, weights := s.weights(c, x-base)
		sum := 0.0
		for k, w := range weights {
			at := base + float64(first+k)
			if outside := at < 0 || at >= float64(s.in); outside && c.Row.Name == "Resize" && c.Flag("exclude_outside") {
				continue
			}
			sum += w
			list[i] = append(list[i], tap{int(min(max(at, 0), float64(s.in-1))), w})
		}
		for k := range list[i] {
			list[i][k].weight /= sum
		}
	}
	return list
}

// weights are those of the elements from first on, counted from the one before the place; share is its distance to the
// place.
func (s stretch) weights(c *op.Call, share float64) (first int, w []float64) {
	reach, f := 1.0, func(x float64) float64 { return max(1-math.Abs(x), 0) }
	switch mode := c.Text("mode"); mode {
	case "linear", "bilinear":
	case "cubic":
		a := c.Float("cubic_coeff_a")
		reach, f = 2, func(x float64) float64 { return cubic(a, math.Abs(x)) }
	default:
		c.Fail("the mode %q is not supported", mode)
	}
	scale := 1.0
	if c.Row.Name == "Resize" && c.Flag("antialias") {
		scale = min(s.scale, 1)
	}
	first = int(math.Floor(-reach/scale)) + 1
	for i := first; i < 2-first; i++ {
		w = append(w, f((float64(i)-share)*scale))
	}
	return first, w
}

// cubic is the kernel of Keys, "Cubic convolution interpolation for digital image processing", 1981.
func cubic(a, x float64) float64 {
	switch {
	case x <= 1:
		return float64((float64((a+2)*x)-(a+3))*x*x) + 1
	case x < 2:
		return float64((float64((float64(a*x)-float64(5*a))*x)+float64(8*a))*x) - float64(4*a)
	}
	return 0
}

// extrapolate sets what lies outside of the input.
func extrapolate(c *op.Call, all []stretch) {
	out := c.Out[0]
	at := make([][]bool, len(all))
	for d, s := range all {
		at[d] = make([]bool, s.out)
		for i := range at[d] {
			_, at[d][i] = s.place("tf_crop_and_resize", i)
		}
	}
	places := value.Strides(out.Dims)
	x := value.New(out.Type, []int{1})
	if x.F != nil {
		x.F[0] = c.Float("extrapolation_value")
	} else {
		x.I[0] = int64(c.Float("extrapolation_value"))
	}
	out.Pick(x, func(i int) int {
		for d, s := range places {
			if at[d][i/s%out.Dims[d]] {
				return 0
			}
		}
		return -1
	})
}
