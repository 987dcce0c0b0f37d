package exporter

import (
	"math"
	"slices"

	"qpipe/onnx/model"
	"qpipe/ops/layer"
	"qpipe/ops/move"
)

// moved writes an op that only moves elements, or chooses the largest: of values and of codes alike. v is the operand of codes, nil
// of values. It is false for other ops.
func (s *step) moved(xs []array, v *value) (array, bool) {
	x := xs[0]
	switch s.Kind.Name {
	case "flatten":
		return s.flattened(x), true
	case "concat":
		return s.joined(xs), true
	case "max_pool", "global_max_pool":
		return s.maxPool(s.mapped(x)), true
	case "adaptive_max_pool":
		return s.largestBlocks(s.mapped(x)), true
	case "reduce_max":
		if axes := s.axes(x); len(axes) > 0 {
			return s.reduced("ReduceMax", x, axes...), true
		}
		return x, true
	case "slice":
		return s.sliced(s.mapped(x)), true
	case "pad":
		return s.padded(s.mapped(x), v), true
	case "reshape":
		return s.reshape(x, mapDims(s.Node)...), true
	case "transpose":
		order := attrsOf[struct{ Order [3]int }](s, "transpose").Order
		return s.transpose(s.mapped(x), axis3(order[2]), axis3(order[0]), axis3(order[1])), true
	case "channel_shuffle":
		x = s.mapped(x)
		g := attrsOf[struct{ Groups int }](s, "channel_shuffle").Groups
		y := s.reshape(x, g, x.dims[0]/g, x.dims[1], x.dims[2])
		return s.reshape(s.transpose(y, 1, 0, 2, 3), x.dims...), true
	case "pixel_shuffle":
		x = s.mapped(x)
		r := attrsOf[struct{ Factor int }](s, "pixel_shuffle").Factor
		y := s.reshape(x, s.Shape.C, r, r, x.dims[1], x.dims[2])
		return s.reshape(s.transpose(y, 0, 3, 1, 4, 2), mapDims(s.Node)...), true
	case "pixel_unshuffle":
		x = s.mapped(x)
		r := attrsOf[struct{ Factor int }](s, "pixel_unshuffle").Factor
		y := s.reshape(x, x.dims[0], s.Shape.H, r, s.Shape.W, r)
		return s.reshape(s.transpose(y, 0, 2, 4, 1, 3), mapDims(s.Node)...), true
	case "resize_nearest":
		return s.nearest(s.mapped(x)), true
	}
	return x, false
}

// axis3 is where an axis of the network is in a map of the model.
func axis3(k int) int { return [3]int{1, 2, 0}[k] }

// joined puts values behind one another along the channels.
func (s *step) joined(xs []array) array {
	if slices.ContainsFunc(xs, func(x array) bool { return x.flat() != xs[0].flat() }) {
		for i := range xs {
			xs[i] = s.mapped(xs[i])
		}
	}
	var names []string
	dims := slices.Clone(xs[0].dims)
	dims[0] = 0
	for _, x := range xs {
		names, dims[0] = append(names, x.name), dims[0]+x.dims[0]
	}
	return s.op("Concat", xs[0].elem, dims, names, attr("axis", 1))
}

func (s *step) maxPool(x array) array {
	a := attrsOf[poolAttrs](s, "pool")
	if s.Kind.Name == "global_max_pool" && x.elem == model.Float {
		return s.op("GlobalMaxPool", x.elem, mapDims(s.Node), []string{x.name})
	}
	if a.deep() {
		least := s.floats("least", nil, -math.MaxFloat32)
		if x.elem != model.Float {
			least = s.ints("least_code", s.elem, nil, []int64{s.code(0)})
		}
		x = s.padBy(x, a.Pads, least)
		a.Pads = [4]int{}
	}
	return s.op("MaxPool", x.elem, mapDims(s.Node), []string{x.name}, window(a.Window, a.Dilation)...)
}

// deep reports whether the padding is not smaller than the kernel, which ONNX Runtime wants of pools.
func (a *poolAttrs) deep() bool {
	return max(a.Pads[0], a.Pads[2]) >= a.Kernel[0] || max(a.Pads[1], a.Pads[3]) >= a.Kernel[1]
}

// padBy adds rows and columns: at the top, at the left, at the bottom, at the right; below 0 they are cut off.
func (s *step) padBy(x array, p [4]int, with string) array {
	dims := []int{x.dims[0], p[0] + x.dims[1] + p[2], p[1] + x.dims[2] + p[3]}
	return s.op("Pad", x.elem, dims, []string{x.name, s.list(0, 0, p[0], p[1], 0, 0, p[2], p[3]), with})
}

// largestBlocks is an adaptive pool: a pool where its blocks are windows, else block by block, rows first.
func (s *step) largestBlocks(x array) array {
	h, w := x.dims[1], x.dims[2]
	if h%s.Shape.H == 0 && w%s.Shape.W == 0 {
		k := []int{h / s.Shape.H, w / s.Shape.W}
		return s.op("MaxPool", x.elem, mapDims(s.Node), []string{x.name}, attr("kernel_shape", k), attr("strides", k))
	}
	x = s.largestAlong(x, 1, s.Shape.H)
	return s.largestAlong(x, 2, s.Shape.W)
}

func (s *step) largestAlong(x array, axis, out int) array {
	in, dims := x.dims[axis], slices.Clone(x.dims)
	dims[axis] = out
	var names []string
	for i := range out {
		part := s.cut(x, axis, i*in/out, ((i+1)*in+out-1)/out)
		names = append(names, s.reduced("ReduceMax", part, axis).name)
	}
	return s.op("Concat", x.elem, dims, names, attr("axis", axis+1))
}

// cut takes elements of an axis: from a start on to before an end.
func (s *step) cut(x array, axis, from, to int) array {
	dims := slices.Clone(x.dims)
	dims[axis] = to - from
	return s.op("Slice", x.elem, dims, []string{x.name, s.list(from), s.list(to), s.list(axis + 1)})
}

func (s *step) sliced(x array) array {
	a := attrsOf[struct{ Starts, Ends, Steps [3]int }](s, "slice")
	var at [4][]int
	dims := slices.Clone(x.dims)
	for k := range 3 {
		axis := axis3(k)
		if a.Starts[k] == 0 && a.Ends[k] == x.dims[axis] && a.Steps[k] == 1 {
			continue
		}
		for i, n := range []int{a.Starts[k], a.Ends[k], axis + 1, a.Steps[k]} {
			at[i] = append(at[i], n)
		}
		dims[axis] = (a.Ends[k] - a.Starts[k] + a.Steps[k] - 1) / a.Steps[k]
	}
	if len(at[0]) == 0 {
		return x
	}
	return s.op("Slice", x.elem, dims, []string{x.name, s.list(at[0]...), s.list(at[1]...), s.list(at[2]...), s.list(at[3]...)})
}

func (s *step) padded(x array, v *value) array {
	a := attrsOf[struct {
		Begins, Ends [3]int
		Mode         string
		Value        float32
	}](s, "pad")
	in := []string{x.name, s.list(0, a.Begins[2], a.Begins[0], a.Begins[1], 0, a.Ends[2], a.Ends[0], a.Ends[1])}
	switch {
	case a.Mode != "constant":
	case v == nil:
		in = append(in, s.floats(s.Name+".value", nil, a.Value))
	default:
		code := v.q.Round(a.Value/v.q.Scale) + float32(v.q.Zero)
		stored := int32(min(max(code, float32(v.q.Min)), float32(v.q.Max)))
		in = append(in, s.ints(s.Name+".value", s.elem, nil, []int64{s.code(stored)}))
	}
	return s.op("Pad", x.elem, mapDims(s.Node), in, attr("mode", a.Mode))
}

// nearest is a Resize, or where its sizes cannot be said by factors a choice of rows and columns.
func (s *step) nearest(x array) array {
	a := layer.ArgumentsOf[move.ResizeNearest](s.Node)
	if y, yes := s.resized(x, a.Sampling, attr("mode", "nearest"), attr("nearest_mode", a.Nearest)); yes {
		return y
	}
	for k := range 2 {
		picks, dims := a.Picks(k, x.dims[k+1]), slices.Clone(x.dims)
		dims[k+1] = len(picks)
		x = s.op("Gather", x.elem, dims, []string{x.name, s.list(picks...)}, attr("axis", k+2))
	}
	return x
}

// bilinear is a Resize, or where its sizes cannot be said by factors a product with the weights of rows and columns.
func (s *step) bilinear(x array) array {
	a := layer.ArgumentsOf[move.ResizeBilinear](s.Node)
	if y, yes := s.resized(x, a.Sampling, attr("mode", "linear")); yes {
		return y
	}
	return s.along(x, model.Float, a.Weights(0, x.dims[1], false), a.Weights(1, x.dims[2], false))
}

// resized is a Resize, by factors or by sizes. It is false where factors do not give the sizes, or ONNX has dropped the coordinates'
// mode.
func (s *step) resized(x array, a move.Sampling, attrs ...model.Attribute) (array, bool) {
	factors, exact := a.Scale, true
	for k, n := range x.dims[1:] {
		if factors[k] == 0 {
			factors[k] = float32(a.Size[k]) / float32(n)
		}
		size := [2]int{int(float32(n) * factors[k]), int(float64(n) * float64(factors[k]))} // runtimes multiply in either type
		exact = exact && size == [2]int{a.Size[k], a.Size[k]}
	}
	attrs = append(attrs, attr("coordinate_transformation_mode", a.Coordinates))
	switch {
	case a.Coordinates == "tf_half_pixel_for_nn":
		return x, false
	case exact:
		in := []string{x.name, "", s.floats(s.Name+".scales", []int{4}, 1, 1, factors[0], factors[1])}
		return s.op("Resize", x.elem, mapDims(s.Node), in, attrs...), true
	case s.opset >= 18 && a.Scale == [2]float32{}:
		in := []string{x.name, "", "", s.list(a.Size[0], a.Size[1])}
		return s.op("Resize", x.elem, mapDims(s.Node), in, append(attrs, attr("axes", []int{2, 3}))...), true
	case a.Scale == [2]float32{}:
		return s.op("Resize", x.elem, mapDims(s.Node), []string{x.name, "", "", s.sizes(x)}, attrs...), true
	}
	return x, false
}

// sizes are the output's sizes, with the batch that the operand has at the time.
func (s *step) sizes(x array) string {
	if s.batch.Size > 0 {
		return s.list(append([]int{s.batch.Size}, mapDims(s.Node)...)...)
	}
	all := s.op("Shape", model.Int64, nil, []string{x.name})
	batch := s.op("Slice", model.Int64, nil, []string{all.name, s.list(0), s.list(1)})
	sizes := s.op("Concat", model.Int64, nil, []string{batch.name, s.list(mapDims(s.Node)...)}, attr("axis", 0))
	s.Values = s.Values[:len(s.Values)-3] // they have no batch
	return sizes.name
}
