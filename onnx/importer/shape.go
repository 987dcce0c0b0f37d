package importer

import (
	"fmt"
	"slices"

	"qpipe/ops/move"
	"qpipe/ops/nn"
	"qpipe/ops/op"
)

// shapeRows are the ops that move values, and those that combine the elements of an image.
func shapeRows() []row {
	return []row{
		{"", "Reshape", reshape},
		{"", "Flatten", flatten},
		{"", "Squeeze", squeeze},
		{"", "Unsqueeze", unsqueeze},
		{"", "Transpose", transpose},
		{"", "Expand", expand},
		{"", "Concat", concat},
		{"", "Split", split},
		{"", "Slice", slice},
		{"", "Gather", gather},
		{"", "Pad", pad},
		{"", "DepthToSpace", func(c *call) {
			c.set(0, c.depthToSpace(c.image(), c.int("blocksize", 0), c.text("mode", "DCR") == "DCR"))
		}},
		{"", "SpaceToDepth", func(c *call) { c.set(0, c.spaceToDepth(c.image(), c.int("blocksize", 0))) }},
		{"", "Resize", resize},
		{"", "Upsample", resize},
	}
}

// rows is the table of ops.
func rows() []row {
	return slices.Concat(convRows(), elementRows(), shapeRows(), reduceRows(), quantizedRows())
}

// free is operand 0, which may be pieces.
func (c *call) free() *value {
	v := c.in(0)
	if v.pieces == nil {
		return c.x(0)
	}
	return v
}

func reshape(c *call) {
	v := c.free()
	to, ok := c.list(1, "shape")
	if !ok || len(to) == 0 {
		c.fail("it makes a single number of the batch")
	}
	dims := v.dims()
	if c.int("allowzero", 0) == 0 {
		for i, d := range to {
			if d == 0 && i > 0 && i-1 < len(dims) {
				to[i] = dims[i-1]
			}
		}
	}
	if to[0] == -1 && slices.Contains(to[1:], -1) {
		c.fail("it has two sizes of -1")
	}
	c.set(0, c.reshaped(v, to[1:]))
}

func flatten(c *call) {
	v := c.x(0)
	axis := c.int("axis", 1)
	if axis < 0 {
		axis += v.rank()
	}
	if axis != 1 {
		c.fail("it flattens from axis %d on, and the batch must stay as it is", axis)
	}
	c.set(0, c.reshaped(v, []int{-1}))
}

func squeeze(c *call) {
	v := c.free()
	axes, ok := c.list(1, "axes")
	dims := v.dims()
	gone := map[int]bool{}
	if !ok {
		for i, d := range dims {
			gone[i] = d == 1
		}
	}
	for _, a := range axes {
		at := c.axis(v, a)
		if dims[at] != 1 {
			c.fail("its axis %d has an extent of %d", a, dims[at])
		}
		gone[at] = true
	}
	var to, left []int
	for i, d := range dims {
		if !gone[i] {
			to = append(to, d)
			if v.pieces == nil {
				left = append(left, v.axes[i])
			}
		}
	}
	if v.pieces != nil || len(left) == 0 {
		c.set(0, c.reshaped(v, to))
		return
	}
	c.set(0, &value{made: v.made, axes: left, flat: v.flat})
}

func unsqueeze(c *call) {
	v := c.free()
	list, _ := c.list(1, "axes")
	rank := v.rank() + len(list)
	added := map[int]bool{}
	for _, a := range list {
		if a < 0 {
			a += rank
		}
		if a < 1 || a >= rank {
			c.fail("it adds a dimension in front of the batch")
		}
		added[a-1] = true
	}
	dims := v.dims()
	if rank > 4 || v.pieces != nil {
		var to []int
		for i := range rank - 1 {
			if added[i] {
				to = append(to, 1)
				continue
			}
			to, dims = append(to, dims[0]), dims[1:]
		}
		c.set(0, c.reshaped(v, to))
		return
	}
	spare := slices.DeleteFunc([]int{rowAxis, colAxis, channelAxis}, func(a int) bool { return slices.Contains(v.axes, a) })
	axes, old := []int{}, v.axes
	for i := range rank - 1 {
		if added[i] {
			axes, spare = append(axes, spare[0]), spare[1:]
			continue
		}
		axes, old = append(axes, old[0]), old[1:]
	}
	c.set(0, &value{made: v.made, axes: axes, flat: v.flat})
}

func transpose(c *call) {
	v := c.free()
	perm, ok := c.ints("perm")
	if !ok || len(perm) != v.rank() || perm[0] != 0 {
		c.fail("it moves the batch from the front")
	}
	take := func(list []int) []int {
		out := make([]int, len(list))
		for i, p := range perm[1:] {
			if p < 1 || p > len(list) {
				c.fail("its perm is %v for %d dimensions", perm, v.rank())
			}
			out[i] = list[p-1]
		}
		return out
	}
	if p := v.pieces; p != nil {
		c.set(0, &value{made: v.made, axes: v.axes, pieces: &pieces{of: p.of, dims: take(p.dims), order: take(p.order)}})
		return
	}
	if v.flat {
		c.fail("it transposes a flattened map")
	}
	c.set(0, &value{made: v.made, axes: take(v.axes)})
}

// expand repeats a map along axes where it has an extent of 1.
func expand(c *call) {
	v := c.x(0)
	to, _ := c.list(1, "shape")
	if len(to) > v.rank() {
		c.fail("it expands %d dimensions to %v", v.rank(), to)
	}
	size := [3]int{v.made.Shape().H, v.made.Shape().W, v.made.Shape().C}
	was := size
	for i, d := range to {
		at := i + v.rank() - len(to) - 1
		switch {
		case at < 0 || d == 1:
			continue
		case size[v.axes[at]] != 1 && size[v.axes[at]] != d:
			c.fail("it expands %v to %v", v.dims(), to)
		}
		size[v.axes[at]] = d
	}
	y := v
	if size[rowAxis] != was[rowAxis] || size[colAxis] != was[colAxis] {
		y = c.put(move.ResizeNearest{Sampling: move.Sampling{Size: [2]int{size[rowAxis], size[colAxis]}}}, v)
	}
	if size[channelAxis] != was[channelAxis] {
		if size[channelAxis] > mostCopies {
			c.fail("it repeats a channel %d times; %d are possible", size[channelAxis], mostCopies)
		}
		parts := make([]nn.Value, size[channelAxis])
		for i := range parts {
			parts[i] = y.made
		}
		y = &value{made: c.apply(c.names.Unique(c.name+".channels"), op.Concat{}, parts...), axes: v.axes}
	}
	c.set(0, y)
}

// mostCopies is how often a channel is repeated.
const mostCopies = 64

func concat(c *call) {
	first := c.x(0)
	at := c.axis(first, c.int("axis", 1))
	axes := channelsAt(first.axes, at) // a network joins channels, whatever they are in the model
	var parts []nn.Value
	for i := range c.Inputs {
		v := c.x(i)
		if v.rank() != first.rank() {
			c.fail("its operands have %d and %d dimensions", first.rank(), v.rank())
		}
		if !slices.Equal(v.axes, axes) {
			v = c.reordered(v, axes, c.name+".order")
		}
		parts = append(parts, v.made)
	}
	if len(parts) == 1 {
		c.set(0, &value{made: parts[0], axes: axes})
		return
	}
	c.set(0, &value{made: c.apply(c.name, op.Concat{}, parts...), axes: axes})
}

// cutOut is the part of a value along a dimension, from start on to before end.
func (c *call) cutOut(name string, v *value, at, start, end, step int) *value {
	var a move.Slice
	axis := v.axes[at]
	a.Start[axis], a.End[axis], a.Step[axis] = start, end, step
	return &value{made: c.apply(name, a, v.made), axes: v.axes}
}

func split(c *call) {
	v := c.x(0)
	at := c.axis(v, c.int("axis", 0))
	whole := v.dims()[at]
	sizes, ok := c.list(1, "split")
	if !ok {
		n := c.int("num_outputs", len(c.Outputs))
		each := (whole + n - 1) / n
		for left := whole; left > 0; left -= each {
			sizes = append(sizes, min(each, left))
		}
	}
	if len(sizes) != len(c.Outputs) {
		c.fail("it has %d outputs and %d sizes", len(c.Outputs), len(sizes))
	}
	from := 0
	for i, n := range sizes {
		if n < 1 || from+n > whole {
			c.fail("it splits %d into %v", whole, sizes)
		}
		if c.Outputs[i] != "" && c.uses[c.Outputs[i]] > 0 {
			c.set(i, c.cutOut(c.names.Unique(fmt.Sprintf("%s.%d", c.name, i)), v, at, from, from+n, 1))
		}
		from += n
	}
}

func slice(c *call) {
	v := c.x(0)
	starts, _ := c.list(1, "starts")
	ends, _ := c.list(2, "ends")
	axes, given := c.list(3, "axes")
	steps, stepped := c.list(4, "steps")
	if !given {
		for i := range starts {
			axes = append(axes, i)
		}
	}
	if len(starts) != len(ends) || len(axes) != len(starts) || stepped && len(steps) != len(starts) {
		c.fail("it has %d starts, %d ends and %d axes", len(starts), len(ends), len(axes))
	}
	var a move.Slice
	dims := v.dims()
	for i, axis := range axes {
		step := 1
		if stepped {
			step = steps[i]
		}
		if axis == 0 || axis == -v.rank() {
			if starts[i] == 0 && ends[i] > 1<<30 && step == 1 {
				continue // the whole batch
			}
		}
		at := c.axis(v, axis)
		n := dims[at]
		limit := func(k int) int {
			if k < 0 {
				k += n
			}
			return min(max(k, 0), n)
		}
		from, to := limit(starts[i]), limit(ends[i])
		if step < 1 || from >= to {
			c.fail("it takes the elements from %d to %d of %d in steps of %d", starts[i], ends[i], n, step)
		}
		k := v.axes[at]
		a.Start[k], a.End[k], a.Step[k] = from, to, step
	}
	c.set(0, c.put(a, v))
}

// gather takes elements along an axis, by constant places.
func gather(c *call) {
	v := c.x(0)
	at := c.axis(v, c.int("axis", 0))
	t := c.constant(1)
	n := v.dims()[at]
	places := c.fit(t.Ints())
	for i, p := range places {
		if p < 0 {
			p += n
		}
		if p < 0 || p >= n {
			c.fail("it takes the element %d of %d", places[i], n)
		}
		places[i] = p
	}
	switch {
	case len(t.Dims) == 0:
		y := c.cutOut(c.name, v, at, places[0], places[0]+1, 1)
		y.axes = slices.Delete(slices.Clone(y.axes), at, at+1)
		if len(y.axes) == 0 {
			c.fail("a single number of each image is left")
		}
		c.set(0, y)
	case len(t.Dims) == 1 && len(places) > 0:
		step := 1
		if len(places) > 1 {
			step = places[1] - places[0]
		}
		for i, p := range places {
			if step < 1 || p != places[0]+i*step {
				c.fail("it takes the elements %v, which are no row with equal steps", places)
			}
		}
		c.set(0, c.cutOut(c.name, v, at, places[0], places[len(places)-1]+1, step))
	default:
		c.fail("its places have %d dimensions", len(t.Dims))
	}
}

func pad(c *call) {
	v := c.x(0)
	pads, ok := c.list(1, "pads")
	if axes, some := c.list(3, ""); ok && some {
		pads = c.spread(v, pads, axes)
	}
	if !ok || len(pads) != 2*v.rank() {
		c.fail("its pads are %v for %d dimensions", pads, v.rank())
	}
	a := move.Pad{Mode: c.text("mode", "constant"), Value: float32(c.float("value", 0))}
	if c.has(2) {
		a.Value = float32(c.scalar(2, 0))
	}
	if pads[0] != 0 || pads[v.rank()] != 0 {
		c.fail("it pads the batch")
	}
	for i, axis := range v.axes {
		a.Before[axis], a.After[axis] = pads[i+1], pads[v.rank()+i+1]
	}
	if a.Before == [3]int{} && a.After == [3]int{} {
		c.set(0, v)
		return
	}
	c.set(0, c.put(a, v))
}

// spread are the pads of all dimensions, where those of some are given.
func (c *call) spread(v *value, pads, axes []int) []int {
	all := make([]int, 2*v.rank())
	if len(pads) != 2*len(axes) {
		c.fail("it has %d pads for %d axes", len(pads), len(axes))
	}
	for i, a := range axes {
		at := c.axis(v, a) + 1
		all[at], all[at+v.rank()] = pads[i], pads[len(axes)+i]
	}
	return all
}

func resize(c *call) {
	v := c.image()
	old := c.Op == "Upsample" || c.opset() < 11
	scales, sizes := 1, 3
	if !old {
		scales = 2
	}
	s := move.Sampling{Coordinates: c.text("coordinate_transformation_mode", "half_pixel")}
	if old {
		s.Coordinates = "asymmetric"
	}
	s.Size, s.Scale = c.enlarged(v, scales, sizes, old)
	switch mode := c.text("mode", "nearest"); mode {
	case "nearest":
		nearest := c.text("nearest_mode", "round_prefer_floor")
		if old { // as ONNX Runtime has it
			nearest = "floor"
			if s.Scale[0] < 1 || s.Scale[1] < 1 {
				nearest = "ceil"
			}
			if min(s.Scale[0], s.Scale[1]) < 1 && max(s.Scale[0], s.Scale[1]) > 1 {
				c.fail("it makes one direction larger and the other smaller: export with a newer version of the operator set")
			}
		}
		c.set(0, c.put(move.ResizeNearest{Sampling: s, Nearest: nearest}, v))
	case "linear", "bilinear":
		if c.int("antialias", 0) != 0 {
			c.fail("it filters what it makes smaller (antialias), which a network's resize does not")
		}
		c.set(0, c.put(move.ResizeBilinear{Sampling: s}, v))
	default:
		c.fail("its mode is %q; a network resizes by nearest and linear", mode)
	}
}

// enlarged is the size that a resize gives a map, and by how much it grows.
func (c *call) enlarged(v *value, scales, sizes int, old bool) (size [2]int, by [2]float32) {
	s := v.made.Shape()
	was := [2]int{s.H, s.W}
	axes, some := c.ints("axes")
	place := func(i int) int { // which of rows and columns number i is for; -1: of others, which must stay
		if some {
			i = axes[i]
			if i < 0 {
				i += v.rank()
			}
		}
		return i - (v.rank() - 2)
	}
	if !old && c.has(sizes) {
		list, _ := c.list(sizes, "")
		size = was
		for i, n := range list {
			if k := place(i); k >= 0 {
				size[k] = n
			}
		}
		if c.text("keep_aspect_ratio_policy", "stretch") != "stretch" {
			c.fail("it keeps the aspect ratio; write the sizes that it leads to")
		}
		return size, by
	}
	var list []float32
	if c.has(scales) {
		list = c.floats(scales)
	} else if a, ok := c.attr("scales").([]float32); ok {
		list = a
	}
	if len(list) == 0 {
		c.fail("it has neither sizes nor scales")
	}
	by = [2]float32{1, 1}
	for i, f := range list {
		switch k := place(i); {
		case k >= 0:
			by[k] = f
		case f != 1:
			c.fail("it resizes the batch or the channels, by %v", list)
		}
	}
	for k := range size {
		size[k] = int(float64(float32(was[k]) * by[k]))
	}
	return size, by
}
