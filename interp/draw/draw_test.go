package draw

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// drawn makes a diagram: boxes of several widths, and edges of all lengths, some of them backwards or from a box to itself.
func drawn(r *rand.Rand) *Diagram {
	d := &Diagram{Name: "a <diagram> & \"more\"", ID: "n"}
	for i := range 1 + r.IntN(40) {
		name := fmt.Sprintf("b%d.%s", i, strings.Repeat("x", r.IntN(20)))
		d.Boxes = append(d.Boxes, Box{Name: name, Lines: make([]string, 1+r.IntN(3))})
		d.Boxes[i].Lines[0] = name
		for range r.IntN(4) {
			from, to := i, i
			if from > 0 && r.IntN(20) > 0 {
				from = max(i-1-int(r.ExpFloat64()*4), 0)
			}
			if r.IntN(20) == 0 {
				from, to = to, from
			}
			d.Edges = append(d.Edges, Edge{From: from, To: to})
		}
	}
	return d
}

// TestChart: whatever the diagram is, no two boxes of its image overlap, every edge leads from its one box to its other, down in
// straight lines and curves between layers, and no edge passes through a box. Its order has no more crossings than the order in
// which the boxes came. The image is XML, with each box once, and has the same bytes each time.
func TestChart(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 150 {
		d := drawn(r)
		c, err := newChart(d)
		if err != nil {
			t.Fatal(err)
		}
		before := crossed(c)
		if c.crossings() != before {
			t.Fatalf("%d crossings were counted, there are %d", c.crossings(), before)
		}
		c.order()
		if now := crossed(c); now > before || now != c.crossings() {
			t.Errorf("%d crossings, counted as %d, and %d before", now, c.crossings(), before)
		}
		c.measure()
		c.place()
		apartFrom(t, c)
		routes(t, c)
		one, err := d.SVG()
		if err != nil {
			t.Fatal(err)
		}
		if two, _ := d.SVG(); one != two {
			t.Fatal("two images of the same diagram differ")
		}
		titles(t, d, one)
	}
}

// crossed counts crossings pair by pair.
func crossed(c *chart) (n int) {
	var all [][]segment
	for range c.layers {
		all = append(all, nil)
	}
	for i := range c.vertices {
		for _, j := range c.vertices[i].down {
			l := c.vertices[i].layer
			for _, o := range all[l] {
				a, b := c.vertices[i].at-c.vertices[o.up].at, c.vertices[j].at-c.vertices[o.down].at
				if a*b < 0 {
					n++
				}
			}
			all[l] = append(all[l], segment{i, j})
		}
	}
	return n
}

// apartFrom: in a layer neighbours, boxes and lanes, keep their distance. Layers lie below each other.
func apartFrom(t *testing.T, c *chart) {
	t.Helper()
	for l, layer := range c.layers {
		if l > 0 && c.tops[l] < c.tops[l-1]+c.heights[l-1]+between {
			t.Errorf("layer %d begins at %g, the one above ends at %g", l, c.tops[l], c.tops[l-1]+c.heights[l-1])
		}
		for i := 1; i < len(layer); i++ {
			a, b := &c.vertices[layer[i-1]], &c.vertices[layer[i]]
			if gap := b.x - b.w/2 - a.x - a.w/2; gap < lanesWide-1e-6 {
				t.Errorf("in layer %d there are %g between two neighbours", l, gap)
			}
		}
	}
}

// routes: an edge passes each layer between its ends once, in a lane.
func routes(t *testing.T, c *chart) {
	t.Helper()
	for i, e := range c.Edges {
		r := c.routes[i]
		from, to := downwards(e)
		if r[0] != from || r[len(r)-1] != to {
			t.Errorf("the edge %v has the route %v", e, r)
		}
		for k := 1; k < len(r) && from != to; k++ {
			if c.vertices[r[k]].layer != c.vertices[r[k-1]].layer+1 || k < len(r)-1 && c.vertices[r[k]].box >= 0 {
				t.Errorf("the edge %v has the route %v", e, r)
			}
		}
	}
}

// titles: the image is well-formed, and has the boxes' names, each once.
func titles(t *testing.T, d *Diagram, image string) {
	t.Helper()
	left := map[string]bool{d.Name: true}
	for _, b := range d.Boxes {
		left[b.Name] = true
	}
	dec := xml.NewDecoder(strings.NewReader(image))
	in := ""
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			in = x.Name.Local
		case xml.EndElement:
			in = ""
		case xml.CharData:
			if in == "title" && !left[string(x)] {
				t.Errorf("%q is no box, or there twice", x)
			}
			if in == "title" {
				delete(left, string(x))
			}
		}
	}
	if len(left) > 0 {
		t.Errorf("the image lacks %v", left)
	}
}

// TestStraight: a lane of an edge over many layers is one straight line, and so is the line of boxes beside it.
func TestStraight(t *testing.T) {
	d := &Diagram{}
	for i := range 10 {
		d.Boxes = append(d.Boxes, Box{Name: fmt.Sprint(i), Lines: []string{strings.Repeat("x", 1+i%4*7)}})
		if i > 0 {
			d.Edges = append(d.Edges, Edge{From: i - 1, To: i})
		}
	}
	d.Edges = append(d.Edges, Edge{From: 0, To: 9}, Edge{From: 2, To: 6})
	c, err := newChart(d)
	if err != nil {
		t.Fatal(err)
	}
	c.order()
	c.measure()
	c.place()
	for i := range d.Boxes {
		if c.vertices[i].x != c.vertices[0].x {
			t.Errorf("box %d is at %g, box 0 at %g", i, c.vertices[i].x, c.vertices[0].x)
		}
	}
	for _, r := range c.routes[9:] {
		for _, v := range r[1 : len(r)-1] {
			if c.vertices[v].x != c.vertices[r[1]].x {
				t.Error("a lane is not straight")
			}
		}
	}
}

// TestLarge: a diagram whose lanes are too many is refused at once.
func TestLarge(t *testing.T) {
	d := &Diagram{}
	for i := range 3000 {
		d.Boxes = append(d.Boxes, Box{Name: fmt.Sprint(i)})
		if i > 0 {
			d.Edges = append(d.Edges, Edge{From: i - 1, To: i})
		}
	}
	for i := range 2998 {
		d.Edges = append(d.Edges, Edge{From: i, To: 2999})
	}
	if _, err := d.SVG(); !errors.Is(err, ErrLarge) {
		t.Errorf("the error is %v", err)
	}
}

// TestQuoted: what a box or an edge says cannot end its text, in no language; a group of one box has no frame, and of
// two right around each other the inner one.
func TestQuoted(t *testing.T) {
	wild := "a\"]; b -->|x| c <script>&#35;\\ `d`\nend"
	d := &Diagram{
		Name: "of " + wild, ID: "n", Boxes: []Box{
			{Name: wild, Lines: []string{wild}, Groups: []string{"g", "g.all", "g.all.one"}}, {Name: "y", Lines: []string{"y"}, Groups: []string{"g", "g.all"}}, {Name: "z", Lines: []string{"z"}},
		}, Edges: []Edge{{0, 1, wild}, {1, 2, ""}},
	}
	dot := `"a\"]; b -->|x| c <script>&#35;\\ ` + "`d`" + `\nend"`
	if want := "digraph " + `"of ` + dot[1:] + ` {
  node [shape = box, style = rounded]
  "z" [label = "z"]
  subgraph "cluster_g" {
    label = "g"
    ` + dot + ` [label = ` + dot + `]
    "y" [label = "y"]
  }
  ` + dot + ` -> "y" [label = ` + dot + `]
  "y" -> "z"
}
`; d.DOT() != want {
		t.Errorf("DOT is\n%s, not\n%s", d.DOT(), want)
	}
	mermaid := "a#quot;]; b --#gt;#124;x#124; c #lt;script#gt;#amp;#35;35;#92; #96;d#96;<br/>end"
	if want := `flowchart TD
  n2["z"]
  subgraph g0 ["g"]
    n0["` + mermaid + `"]
    n1["y"]
  end
  n0 -->|` + mermaid + `| n1
  n1 --> n2
`; d.Mermaid() != want {
		t.Errorf("Mermaid is\n%s, not\n%s", d.Mermaid(), want)
	}
	image, err := d.SVG()
	if err != nil {
		t.Fatal(err)
	}
	titles(t, d, image)
}
