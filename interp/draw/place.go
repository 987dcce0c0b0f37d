package draw

import (
	"cmp"
	"slices"
	"unicode/utf8"
)

// Sizes in pixels.
const (
	letter    = 7.3 // of a monospaced letter of 12 pixels: 0.6 of its height, and a little
	line      = 15.0
	padding   = 8.0
	apart     = 18.0 // between boxes of a layer, and between a box and a lane
	lanesWide = 12.0 // between lanes
	between   = 34.0 // layers
)

// measure gives boxes their sizes, and layers their heights.
func (c *chart) measure() {
	for i, b := range c.Boxes {
		longest := 0
		for _, text := range b.Lines {
			longest = max(longest, utf8.RuneCountInString(text))
		}
		c.vertices[i].w, c.vertices[i].h = float64(float64(longest)*letter)+2*padding, float64(float64(len(b.Lines))*line)+padding
	}
	top := 0.0
	for _, l := range c.layers {
		h := 0.0
		for _, v := range l {
			h = max(h, c.vertices[v].h)
		}
		c.tops, c.heights = append(c.tops, top), append(c.heights, h)
		top += h + between
	}
}

// place finds the middle of each vertex from left to right. Vertices that an edge connects in a straight line are a block, with one
// middle. Blocks begin as far left as they can be. Then each moves, several times, to where the mean of its neighbours is, as far
// as those beside it let it: so nothing overlaps at any time.
func (c *chart) place() {
	c.align()
	left := c.beside()
	x := make([]float64, len(c.blocks))
	for _, b := range sorted(left) {
		for _, s := range left[b] {
			x[b] = max(x[b], x[s.block]+s.gap)
		}
	}
	right := make([][]side, len(left))
	for b, list := range left {
		for _, s := range list {
			right[s.block] = append(right[s.block], side{b, s.gap})
		}
	}
	order := sorted(left)
	const rounds = 40
	for range rounds {
		slices.Reverse(order)
		for _, b := range order {
			x[b] = c.wanted(b, x, left[b], right[b])
		}
	}
	for i := range c.vertices {
		c.vertices[i].x = x[c.vertices[i].block]
	}
}

// wanted is where block b is best: at the mean of its neighbours, between those beside it.
func (c *chart) wanted(b int, x []float64, left, right []side) float64 {
	sum, n := 0.0, 0.0
	for _, v := range c.blocks[b] {
		for _, u := range slices.Concat(c.vertices[v].up, c.vertices[v].down) {
			if o := c.vertices[u].block; o != b {
				sum, n = sum+x[o], n+1
			}
		}
	}
	want := x[b]
	if n > 0 {
		want = sum / n
	}
	for _, s := range right {
		want = min(want, x[s.block]-s.gap)
	}
	for _, s := range left {
		want = max(want, x[s.block]+s.gap)
	}
	return want
}

// segment is the part of an edge between two layers.
type segment struct{ up, down int }

// align makes the blocks: paths of segments that do not cross each other, each chosen before those that are less important.
func (c *chart) align() {
	below, above := map[int]int{}, map[int]int{}
	taken := make([][]segment, len(c.layers))
	for _, s := range c.segments() {
		_, usedUp := below[s.up]
		_, usedDown := above[s.down]
		l := c.vertices[s.up].layer
		if usedUp || usedDown || slices.ContainsFunc(taken[l], func(o segment) bool { return c.cross(s, o) }) {
			continue
		}
		below[s.up], above[s.down] = s.down, s.up
		taken[l] = append(taken[l], s)
	}
	for i := range c.vertices {
		if _, inner := above[i]; inner {
			continue
		}
		path := []int{i}
		for next, ok := below[i]; ok; next, ok = below[next] {
			path = append(path, next)
		}
		for _, v := range path {
			c.vertices[v].block = len(c.blocks)
		}
		c.blocks = append(c.blocks, path)
	}
}

// segments lists all segments, the most important first: those of lanes, so that long edges are straight; those between boxes, the
// longer the paths of boxes through them the sooner, so that the main line is; those between a box and a lane.
func (c *chart) segments() []segment {
	up, down := make([]int, len(c.vertices)), make([]int, len(c.vertices)) // how long the paths of boxes are that end and begin there
	var all []segment
	for _, l := range c.layers {
		for _, v := range l {
			for _, u := range c.vertices[v].up {
				all = append(all, segment{u, v})
			}
		}
	}
	boxes := func(s segment) bool { return c.vertices[s.up].box >= 0 && c.vertices[s.down].box >= 0 }
	for _, s := range all {
		if boxes(s) {
			up[s.down] = max(up[s.down], up[s.up]+1)
		}
	}
	for _, s := range slices.Backward(all) {
		if boxes(s) {
			down[s.up] = max(down[s.up], down[s.down]+1)
		}
	}
	rank := func(s segment) int {
		switch {
		case boxes(s):
			return -up[s.up] - down[s.down]
		case c.vertices[s.up].box < 0 && c.vertices[s.down].box < 0:
			return -len(c.vertices)
		}
		return 1
	}
	slices.SortStableFunc(all, func(s, o segment) int { return cmp.Compare(rank(s), rank(o)) })
	return all
}

// cross reports whether two segments between the same layers cross.
func (c *chart) cross(s, o segment) bool {
	return (c.vertices[s.up].at < c.vertices[o.up].at) != (c.vertices[s.down].at < c.vertices[o.down].at)
}

// side is a block beside another, and how far apart their middles are at least.
type side struct {
	block int
	gap   float64
}

// beside lists for each block those directly left of it. No block is left of itself, because aligned segments do not cross.
func (c *chart) beside() [][]side {
	left := make([][]side, len(c.blocks))
	for _, l := range c.layers {
		for i := 1; i < len(l); i++ {
			a, b := &c.vertices[l[i-1]], &c.vertices[l[i]]
			gap := apart
			if a.box < 0 && b.box < 0 {
				gap = lanesWide
			}
			left[b.block] = append(left[b.block], side{a.block, float64((a.w+b.w)/2) + gap})
		}
	}
	return left
}

// sorted is an order of the blocks in which those left of a block come before it.
func sorted(left [][]side) []int {
	var order []int
	done := make([]bool, len(left))
	var visit func(b int)
	visit = func(b int) {
		if done[b] {
			return
		}
		done[b] = true
		for _, s := range left[b] {
			visit(s.block)
		}
		order = append(order, b)
	}
	for b := range left {
		visit(b)
	}
	return order
}
