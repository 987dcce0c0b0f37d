package draw

import "errors"

// ErrLarge is the error of a diagram in which too many edges run beside each other.
var ErrLarge = errors.New("it is too large to be drawn")

// mostVertices is how many boxes and lanes of edges are drawn.
const mostVertices = 200_000

// vertex is a box, or the lane of an edge that passes a layer.
type vertex struct {
	box      int // -1 for a lane
	layer    int
	at       int   // its place in the layer
	up, down []int // the vertices above and below that it is connected with
	x        float64
	w, h     float64
	block    int // see place.go
}

// chart is a diagram with its layout.
type chart struct {
	*Diagram
	vertices []vertex // first the boxes
	layers   [][]int  // the vertices of each layer, in their order
	routes   [][]int  // the vertices that each edge passes, from top to bottom
	blocks   [][]int
	tops     []float64 // of the layers
	heights  []float64
}

// newChart puts the boxes into layers: each below the lowest of those with an edge to it. All edges of a box that pass a layer
// share a lane in it.
func newChart(d *Diagram) (*chart, error) {
	c := &chart{Diagram: d}
	above := make([][]int, len(d.Boxes))
	for _, e := range d.Edges {
		if from, to := downwards(e); from != to {
			above[to] = append(above[to], from)
		}
	}
	for i := range d.Boxes {
		v := vertex{box: i}
		for _, j := range above[i] {
			v.layer = max(v.layer, c.vertices[j].layer+1)
		}
		c.vertices = append(c.vertices, v)
		c.enter(i)
	}
	lanes := map[[2]int]int{} // box and layer → vertex
	for _, e := range d.Edges {
		from, to := downwards(e)
		route := []int{from}
		for l := c.vertices[from].layer + 1; l < c.vertices[to].layer; l++ {
			lane, known := lanes[[2]int{from, l}]
			if !known {
				if lane = len(c.vertices); lane >= mostVertices {
					return nil, ErrLarge
				}
				lanes[[2]int{from, l}] = lane
				c.vertices = append(c.vertices, vertex{box: -1, layer: l})
				c.enter(lane)
				c.connect(route[len(route)-1], lane)
			}
			route = append(route, lane)
		}
		if from != to {
			c.connect(route[len(route)-1], to)
		}
		c.routes = append(c.routes, append(route, to))
	}
	return c, nil
}

// downwards are the ends of an edge, the upper one first. One that leads back to an earlier box is drawn upwards.
func downwards(e Edge) (from, to int) { return min(e.From, e.To), max(e.From, e.To) }

// enter puts a vertex at the end of its layer.
func (c *chart) enter(v int) {
	l := c.vertices[v].layer
	for l >= len(c.layers) {
		c.layers = append(c.layers, nil)
	}
	c.vertices[v].at = len(c.layers[l])
	c.layers[l] = append(c.layers[l], v)
}

func (c *chart) connect(up, down int) {
	c.vertices[up].down = append(c.vertices[up].down, down)
	c.vertices[down].up = append(c.vertices[down].up, up)
}
