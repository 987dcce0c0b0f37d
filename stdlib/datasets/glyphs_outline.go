package datasets

import (
	"fmt"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/gomediumitalic"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/gofont/gomonobolditalic"
	"golang.org/x/image/font/gofont/gomonoitalic"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// typefaces are the fonts that glyphs are drawn from.
func typefaces() [][]byte {
	return [][]byte{
		goregular.TTF, goitalic.TTF, gomedium.TTF, gomediumitalic.TTF, gobold.TTF, gobolditalic.TTF,
		gomono.TTF, gomonoitalic.TTF, gomonobold.TTF, gomonobolditalic.TTF,
	}
}

// face is a font file.
type face []byte

// point is a place in font units, or in 1/256 pixels; y goes down.
type point struct{ x, y int64 }

// outline is the closed contours of a glyph as straight lines, around the middle
// of its bounding box, in font units of 1/2048 em.
type outline [][]point

// outline flattens the glyph of a character: a quadratic curve becomes four lines, which is finer than the pixels of
// the image. Outlines are loaded in the font's own units, so that no coordinate is rounded.
func (f face) outline(c rune) (outline, error) {
	font, err := sfnt.Parse(f)
	if err != nil {
		return nil, err
	}
	var buf sfnt.Buffer
	g, err := font.GlyphIndex(&buf, c)
	if err != nil {
		return nil, err
	}
	segments, err := font.LoadGlyph(&buf, g, fixed.Int26_6(font.UnitsPerEm()), nil)
	if err != nil {
		return nil, err
	}
	if g == 0 || len(segments) == 0 {
		return nil, fmt.Errorf("the fonts have no glyph for %q", c)
	}
	return flatten(segments).centred(), nil
}

func flatten(segments sfnt.Segments) outline {
	var o outline
	var at point
	for _, s := range segments {
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			at = units(s.Args[0])
			o = append(o, []point{at})
			continue
		case sfnt.SegmentOpLineTo:
			at = units(s.Args[0])
		case sfnt.SegmentOpQuadTo:
			mid, end := units(s.Args[0]), units(s.Args[1])
			for t := int64(1); t < 4; t++ {
				o[len(o)-1] = append(o[len(o)-1], quadratic(at, mid, end, t))
			}
			at = end
		}
		o[len(o)-1] = append(o[len(o)-1], at)
	}
	return o
}

func units(p fixed.Point26_6) point { return point{int64(p.X), int64(p.Y)} }

// quadratic is the curve's point at t/4.
func quadratic(a, b, c point, t int64) point {
	u := 4 - t
	return point{
		(a.x*u*u + 2*b.x*u*t + c.x*t*t) / 16,
		(a.y*u*u + 2*b.y*u*t + c.y*t*t) / 16,
	}
}

// centred moves the outline so that the middle of its bounding box is the origin.
func (o outline) centred() outline {
	lo, hi := o[0][0], o[0][0]
	for _, contour := range o {
		for _, p := range contour {
			lo = point{min(lo.x, p.x), min(lo.y, p.y)}
			hi = point{max(hi.x, p.x), max(hi.y, p.y)}
		}
	}
	for _, contour := range o {
		for i := range contour {
			contour[i].x -= (lo.x + hi.x) / 2
			contour[i].y -= (lo.y + hi.y) / 2
		}
	}
	return o
}

// affine maps font units to 1/256 pixels; the matrix is in Q16, before the
// nominal size of em, which is 26 pixels: a digit is then 18 to 19 pixels high.
type affine struct{ xx, xy, yx, yy, dx, dy int64 }

const em = 26 * 256

func (a affine) apply(p point) point {
	return point{
		(a.xx*p.x+a.xy*p.y)*em>>(16+11) + a.dx,
		(a.yx*p.x+a.yy*p.y)*em>>(16+11) + a.dy,
	}
}

const (
	pitch = side + 2 // a row of coverage, with room beyond its end
	sub   = 4        // scan lines per pixel
)

// coverage accumulates how much of every pixel lies inside an outline: each row
// holds the differences between neighbours, in units of 1/1024 pixel. The sum
// from the left is the coverage, up to the outline's direction.
type coverage [side * pitch]int32

// add draws the outline.
func (c *coverage) add(o outline, a affine) {
	for _, contour := range o {
		last := a.apply(contour[len(contour)-1])
		for _, p := range contour {
			q := a.apply(p)
			c.edge(last, q)
			last = q
		}
	}
}

// edge adds the area to the right of the line from p to q: exact horizontally,
// sampled at four scan lines per pixel vertically.
func (c *coverage) edge(p, q point) {
	dir := int32(1)
	if p.y > q.y {
		p, q, dir = q, p, -1
	}
	const step = 256 / sub
	from := max((p.y+step/2-1)/step, 0)
	if p.y < 0 {
		from = 0
	}
	to := min((q.y+step/2-1)/step, side*sub)
	if q.y <= 0 || from >= to {
		return
	}
	slope := (q.x - p.x) << 16 / (q.y - p.y)
	x := p.x<<16 + slope*(from*step+step/2-p.y)
	for line := from; line < to; line++ {
		c.cross(line/sub, x>>16, dir)
		x += slope * step
	}
}

// cross records that a line crosses a scan line of row y at x, in 1/256 pixel.
func (c *coverage) cross(y, x int64, dir int32) {
	row := c[y*pitch:][:pitch]
	if x < 0 {
		row[0] += dir * 256
		return
	}
	if i := x >> 8; i < side {
		frac := int32(x & 255)
		row[i] += dir * (256 - frac)
		row[i+1] += dir * frac
	}
}
