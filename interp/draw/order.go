package draw

import (
	"cmp"
	"slices"
)

// sweeps is how often the layers are put in order, down and up.
const sweeps = 12

// order finds an order of each layer in which few edges cross: in turns down and up, each vertex is put where the mean of its
// neighbours in the layer before it is. Of all turns the first with the fewest crossings counts.
func (c *chart) order() {
	best, fewest := c.layers, c.crossings()
	for turn := 0; turn < sweeps && fewest > 0; turn++ {
		c.layers = cloned(c.layers)
		for k := range c.layers {
			l := k
			if turn%2 == 1 {
				l = len(c.layers) - 1 - k
			}
			c.sort(l, turn%2 == 0)
		}
		if n := c.crossings(); n < fewest {
			best, fewest = c.layers, n
		}
	}
	c.layers = best
	for l := range c.layers {
		c.number(l)
	}
}

func cloned(layers [][]int) [][]int {
	out := make([][]int, len(layers))
	for i, l := range layers {
		out[i] = slices.Clone(l)
	}
	return out
}

// sort puts a layer in the order of the means of the places of the vertices above, or below. One without such neighbours keeps
// its place.
func (c *chart) sort(l int, down bool) {
	mean := map[int]float64{}
	for _, v := range c.layers[l] {
		near := c.vertices[v].down
		if down {
			near = c.vertices[v].up
		}
		mean[v] = float64(c.vertices[v].at)
		if len(near) > 0 {
			sum := 0
			for _, u := range near {
				sum += c.vertices[u].at
			}
			mean[v] = float64(sum) / float64(len(near))
		}
	}
	slices.SortStableFunc(c.layers[l], func(a, b int) int { return cmp.Compare(mean[a], mean[b]) })
	c.number(l)
}

// number notes the places of a layer's vertices.
func (c *chart) number(l int) {
	for i, v := range c.layers[l] {
		c.vertices[v].at = i
	}
}

// crossings counts the pairs of edges that cross between layers.
func (c *chart) crossings() int {
	n := 0
	for l := range c.layers[:max(len(c.layers)-1, 0)] {
		seen := make([]int, len(c.layers[l+1])+1) // a Fenwick tree: how many edges so far end at a place
		edges := 0
		for _, v := range c.layers[l] {
			for _, u := range c.vertices[v].down {
				n += edges - count(seen, c.vertices[u].at+1)
			}
			for _, u := range c.vertices[v].down {
				edges++
				for i := c.vertices[u].at + 1; i < len(seen); i += i & -i {
					seen[i]++
				}
			}
		}
	}
	return n
}

// count is the sum of the first n counts in a Fenwick tree.
func count(tree []int, n int) int {
	sum := 0
	for ; n > 0; n -= n & -n {
		sum += tree[n]
	}
	return sum
}
