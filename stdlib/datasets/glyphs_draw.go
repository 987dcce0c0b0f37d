package datasets

import "qpipe/interp/part"

// side is the height and width of the images in pixels.
const side = 28

// within returns a number between -most and most.
func within(r *part.Rand, most int64) int64 { return between(r, -most, most) }

// between returns a number from lo to hi.
func between(r *part.Rand, lo, hi int64) int64 { return lo + int64(r.Intn(int(max(hi-lo, 0)+1))) }

// draw paints one image: a sloping background, strokes over it, the glyph over
// both, noise over all. It returns which pixels the glyph covers, at least by half.
func (l limits) draw(shape outline, r *part.Rand, pix *[side * side]uint8) (covered [side * side]bool) {
	var c canvas
	ground, ink := l.levels(r)
	c.slope(r, ground)
	var cover coverage
	for range between(r, 0, l.clutter) {
		stroke(r, &cover)
		c.blend(&cover, between(r, 0, 255), between(r, 40, 160))
	}
	cover.add(shape, l.place(r))
	covered = cover.half()
	c.blend(&cover, ink, 256)
	c.noise(r, between(r, 0, l.noise))
	for i, v := range c {
		pix[i] = uint8(min(max(v>>8, 0), 255))
	}
	return covered
}

// levels picks the brightness of background and glyph, at least contrast apart.
func (l limits) levels(r *part.Rand) (ground, ink int64) {
	apart := between(r, l.contrast, 255)
	ground = between(r, 0, 255-apart)
	ink = ground + apart
	if between(r, 0, 999) < l.invert {
		ground, ink = ink, ground
	}
	return ground, ink
}

// place picks the position and the shape of the glyph: rotation·shear·scale, then the shift.
func (l limits) place(r *part.Rand) affine {
	sx, sy := 65536+within(r, l.scale), 65536+within(r, l.scale)
	shear := within(r, l.shear)
	sin, cos := sincos(within(r, l.rotation))
	a := affine{
		xx: cos * sx >> 16,
		xy: (cos*shear>>16 - sin) * sy >> 16,
		yx: sin * sx >> 16,
		yy: (sin*shear>>16 + cos) * sy >> 16,
	}
	a.dx, a.dy = side*128+within(r, l.shift), side*128+within(r, l.shift)
	return a
}

// sincos returns sine and cosine of an angle in Q16 radians, in Q16: Taylor's
// series to the 9th power, after reduction to a quarter turn, which is exact to 2 units.
func sincos(a int64) (sin, cos int64) {
	const half = 102944 // π/2
	turns := 0
	for ; a > half/2; a -= half {
		turns++
	}
	for ; a < -half/2; a += half {
		turns--
	}
	sq := a * a >> 16
	sin = a - a*sq>>16/6 + (a*sq>>16)*sq>>16/120 - ((a*sq>>16)*sq>>16)*sq>>16/5040
	cos = 65536 - sq/2 + sq*sq>>16/24 - (sq*sq>>16)*sq>>16/720
	for range (turns%4 + 4) % 4 {
		sin, cos = cos, -sin
	}
	return sin, cos
}

// canvas holds brightness in Q8, before clamping.
type canvas [side * side]int32

// slope fills the canvas with a plane around the given brightness.
func (c *canvas) slope(r *part.Rand, ground int64) {
	gx, gy := within(r, 512), within(r, 512) // Q8 brightness per pixel: up to ±28 at an edge
	for y := range int64(side) {
		for x := range int64(side) {
			c[y*side+x] = int32(ground<<8 + gx*(x-side/2) + gy*(y-side/2))
		}
	}
}

// blend paints the covered pixels with the given brightness and opacity (in 256ths), and clears the coverage.
func (c *canvas) blend(cover *coverage, ink, opacity int64) {
	for y := range side {
		row, sum := cover[y*pitch:][:pitch], int32(0)
		for x := range side {
			sum += row[x]
			if alpha := min(max(sum, -sum)>>2, 256) * int32(opacity) >> 8; alpha > 0 {
				c[y*side+x] += (int32(ink)<<8 - c[y*side+x]) * alpha >> 8
			}
		}
		clear(row)
	}
}

// half tells which pixels are covered at least by half.
func (c *coverage) half() (pixels [side * side]bool) {
	for y := range side {
		sum := int32(0)
		for x, v := range c[y*pitch:][:side] {
			sum += v
			pixels[y*side+x] = min(max(sum, -sum)>>2, 256) >= 128
		}
	}
	return pixels
}

// noise adds to every pixel a value of triangular distribution, up to ±amplitude.
func (c *canvas) noise(r *part.Rand, amplitude int64) {
	if amplitude == 0 {
		return
	}
	for i := 0; i < len(c); i += 4 {
		bits := r.Uint64()
		for j := range 4 {
			d := int32(bits&255) + int32(bits>>8&255) - 255
			c[i+j] += d * int32(amplitude)
			bits >>= 16
		}
	}
}

// stroke covers a straight or bent bar across the image.
func stroke(r *part.Rand, cover *coverage) {
	x0, y0 := between(r, -3*256, (side+3)*256), between(r, -3*256, (side+3)*256)
	x1, y1 := between(r, -3*256, (side+3)*256), between(r, -3*256, (side+3)*256)
	width := between(r, 128, 512)
	dx, dy := x1-x0, y1-y0
	length := max(max(dx, -dx), max(dy, -dy), 1)
	nx, ny := -dy*width/length/2, dx*width/length/2
	p := [4]point{{x0 + nx, y0 + ny}, {x1 + nx, y1 + ny}, {x1 - nx, y1 - ny}, {x0 - nx, y0 - ny}}
	for i := range p {
		cover.edge(p[i], p[(i+1)%4])
	}
}
