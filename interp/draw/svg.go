package draw

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// Colours that can be read on white and on black. There is no background.
const (
	ink    = "#777"
	stroke = "#999"
)

// SVG is the diagram as an image, from top to bottom. It fails with ErrLarge.
func (d *Diagram) SVG() (string, error) {
	c, err := newChart(d)
	if err != nil {
		return "", err
	}
	c.order()
	c.measure()
	c.place()
	left, right, bottom := c.bounds()
	const margin = 12.0
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="%s %s %s %s" font-family="monospace" font-size="12" fill="%s">`+"\n",
		num(right-left+2*margin), num(bottom+2*margin), num(left-margin), num(-margin), num(right-left+2*margin), num(bottom+2*margin), ink)
	fmt.Fprintf(&b, "<title>%s</title>\n", xmlText(d.Name))
	fmt.Fprintf(&b, `<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="%s"/></marker></defs>`+"\n", stroke)
	fmt.Fprintf(&b, `<g fill="none" stroke="%s">`+"\n", stroke)
	for i, e := range d.Edges {
		if e.From == e.To {
			continue
		}
		end := "end"
		if e.From > e.To {
			end = "start"
		}
		fmt.Fprintf(&b, `<path d="%s" marker-%s="url(#tip)"/>`+"\n", c.path(c.routes[i]), end)
	}
	b.WriteString("</g>\n")
	for i := range d.Boxes {
		c.box(&b, i)
	}
	c.labels(&b)
	b.WriteString("</svg>\n")
	return b.String(), nil
}

// bounds are the outer borders; the upper one is 0.
func (c *chart) bounds() (left, right, bottom float64) {
	left, right = math.Inf(1), math.Inf(-1)
	for i := range c.vertices {
		v := &c.vertices[i]
		left, right, bottom = min(left, v.x-float64(v.w/2)), max(right, v.x+float64(v.w/2)), max(bottom, c.tops[v.layer]+v.h)
	}
	if len(c.vertices) == 0 {
		return 0, 0, 0
	}
	for i, e := range c.Edges { // room for the labels beside the lines
		if e.Label != "" {
			x, _ := c.labelAt(i)
			right = max(right, x+float64(float64(len(e.Label))*letter))
		}
	}
	return left, right, bottom
}

// path goes from the lower side of the first vertex to the upper side of the last: straight through layers, in curves between.
func (c *chart) path(route []int) string {
	var b strings.Builder
	first := &c.vertices[route[0]]
	x, y := first.x, c.tops[first.layer]+first.h
	fmt.Fprintf(&b, "M%s %s", num(x), num(y))
	for k, i := range route[1:] {
		v := &c.vertices[i]
		above := c.tops[v.layer] - between
		if y < above {
			fmt.Fprintf(&b, "V%s", num(above))
		}
		x2, y2 := v.x, c.tops[v.layer]
		if num(x) == num(x2) {
			fmt.Fprintf(&b, "V%s", num(y2))
		} else {
			mid := num((above + y2) / 2)
			fmt.Fprintf(&b, "C%s %s %s %s %s %s", num(x), mid, num(x2), mid, num(x2), num(y2))
		}
		x, y = x2, y2
		if k < len(route)-2 {
			y = c.tops[v.layer] + c.heights[v.layer]
			fmt.Fprintf(&b, "V%s", num(y))
		}
	}
	return b.String()
}

// box draws a box; the first line is bold.
func (c *chart) box(b *strings.Builder, i int) {
	v := &c.vertices[i]
	top := c.tops[v.layer]
	fmt.Fprintf(b, "<g><title>%s</title>", xmlText(c.Boxes[i].Name))
	fmt.Fprintf(b, `<rect x="%s" y="%s" width="%s" height="%s" rx="4" fill="%s" fill-opacity="0.1" stroke="%[5]s"/>`, num(v.x-float64(v.w/2)), num(top), num(v.w), num(v.h), stroke)
	weight := ` font-weight="bold"`
	for k, text := range c.Boxes[i].Lines {
		fmt.Fprintf(b, `<text x="%s" y="%s" text-anchor="middle"%s>%s</text>`, num(v.x), num(top+float64(float64(k+1)*line)), weight, xmlText(text))
		weight = ""
	}
	b.WriteString("</g>\n")
}

// labels writes what edges are called.
func (c *chart) labels(b *strings.Builder) {
	for i, e := range c.Edges {
		if e.Label != "" {
			x, y := c.labelAt(i)
			fmt.Fprintf(b, `<text x="%s" y="%s">%s</text>`+"\n", num(x), num(y), xmlText(e.Label))
		}
	}
}

// labelAt is where the label of an edge begins: beside its end.
func (c *chart) labelAt(i int) (x, y float64) {
	v := &c.vertices[c.routes[i][len(c.routes[i])-1]]
	return v.x + 6, c.tops[v.layer] - 5
}

// num is a number with at most one decimal.
func num(v float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", math.Round(v*10)/10+0), ".0")
}

func xmlText(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}
