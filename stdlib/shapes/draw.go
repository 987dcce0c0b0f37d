package shapes

import (
	"math/bits"

	"qpipe/interp/part"
)

// fine is how many parts a pixel has in each direction: a shape covers some of its fine² parts.
const fine = 4

// kind tells whether a point lies in a shape of radius r around 0. Coordinates are in 1/1024 of r, which is at most 1024·√2.
type kind func(x, y int) bool

// kindOf returns the shape of a name, nil if there is none.
func kindOf(name string) kind {
	switch name {
	case "circle":
		return func(x, y int) bool { return x*x+y*y <= 1024*1024 }
	case "ring":
		return func(x, y int) bool { d := x*x + y*y; return d <= 1024*1024 && d >= 560*560 }
	case "square":
		return func(x, y int) bool { return max(x, -x, y, -y) <= 860 }
	case "cross":
		return func(x, y int) bool { return max(x, -x, y, -y) <= 1024 && min(max(x, -x), max(y, -y)) <= 330 }
	case "triangle": // its corners have the distance 1.2·r from the middle
		return func(x, y int) bool { return y >= -614 && 1774*max(x, -x) <= 1024*(1229-y) }
	}
	return nil
}

// drawn is the opened data set.
type drawn struct {
	shapes
	kinds           []kind
	contrast, noise int // of 255
}

// canvas is what a goroutine draws on: brightness in Q8, before clamping.
type canvas struct{ values []int32 }

// Len implements part.Samples.
func (d *drawn) Len() int { return d.NumSamples }

// Sample implements part.Samples.
func (d *drawn) Sample(i int, s *part.Sample) error {
	r := part.NewRand(0x736861706573, uint64(d.Seed), d.stream(), uint64(d.Offset+i))
	m, t, c := &s.Images[0], &s.Targets[0], part.Kept[canvas](s.Room)
	n := d.Size * d.Size
	if len(c.values) != n*d.Channels {
		c.values = make([]int32, n*d.Channels)
	}
	t.H, t.W, t.Labels = d.Size, d.Size, append(t.Labels[:0], make([]int32, n)...)
	ground := d.ground(r, c.values)
	for range 1 + r.Intn(d.MaxShapes) {
		label := r.Intn(len(d.kinds))
		d.put(r, c.values, t.Labels, int32(label)+1, d.ink(r, ground))
	}
	d.grain(r, c.values)
	m.H, m.W, m.C, m.Pix = d.Size, d.Size, d.Channels, m.Pix[:0]
	for _, v := range c.values {
		m.Pix = append(m.Pix, uint8(min(max(v>>8, 0), 255)))
	}
	return nil
}

// between returns a number from lo to hi.
func between(r *part.Rand, lo, hi int) int { return lo + r.Intn(max(hi-lo, 0)+1) }

// ground fills the canvas with a plane for each channel, and returns their brightness in the middle.
func (d *drawn) ground(r *part.Rand, values []int32) (levels [3]int) {
	for c := range d.Channels {
		levels[c] = between(r, 0, 255)
		dx, dy := between(r, -64, 64), between(r, -64, 64) // from edge to edge
		for y := range d.Size {
			for x := range d.Size {
				slope := 256 * (dx*(2*x-d.Size) + dy*(2*y-d.Size)) / (2 * d.Size)
				values[(y*d.Size+x)*d.Channels+c] = int32(levels[c]<<8 + slope)
			}
		}
	}
	return levels
}

// ink picks the colour of a shape: in one channel, chosen at random, at least contrast from the ground, in the others anything.
func (d *drawn) ink(r *part.Rand, ground [3]int) (ink [3]int) {
	for c := range d.Channels {
		ink[c] = between(r, 0, 255)
	}
	c := r.Intn(d.Channels)
	below, above := max(ground[c]-d.contrast+1, 0), max(255-ground[c]-d.contrast+1, 0) // how many levels there are
	switch k := r.Intn(max(below+above, 1)); {
	case below+above == 0 && ground[c] < 128:
		ink[c] = 255
	case below+above == 0:
		ink[c] = 0
	case k < below:
		ink[c] = k
	default:
		ink[c] = ground[c] + d.contrast + k - below
	}
	return ink
}

// put draws a shape of the label's kind at a random place, and marks its pixels.
func (d *drawn) put(r *part.Rand, values []int32, labels []int32, label int32, ink [3]int) {
	unit := 2 * fine // coordinates are in half parts of a pixel, so that the middle of a part is a whole number
	span := d.Size * unit
	radius := between(r, span/9, span/3)
	cx, cy := between(r, span/8, span-span/8), between(r, span/8, span-span/8)
	ux, uy := direction(r)
	reach := radius*3/2/unit + 1
	within := d.kinds[label-1]
	for y := max(cy/unit-reach, 0); y <= min(cy/unit+reach, d.Size-1); y++ {
		for x := max(cx/unit-reach, 0); x <= min(cx/unit+reach, d.Size-1); x++ {
			covered := 0
			for k := range fine * fine {
				dx, dy := x*unit+k%fine*2+1-cx, y*unit+k/fine*2+1-cy
				if max(dx, -dx, dy, -dy) > radius*3/2 {
					continue
				}
				if within((dx*ux+dy*uy)/radius, (dy*ux-dx*uy)/radius) {
					covered++
				}
			}
			d.paint(values, labels, y*d.Size+x, covered, label, ink)
		}
	}
}

// paint gives a pixel the ink, as far as it is covered, and its label.
func (d *drawn) paint(values, labels []int32, at, covered int, label int32, ink [3]int) {
	for c := range d.Channels {
		v := &values[at*d.Channels+c]
		*v += (int32(ink[c])<<8 - *v) * int32(covered) / (fine * fine)
	}
	switch {
	case covered == 0:
	case d.Border && covered < fine*fine:
		labels[at] = part.Ignored
	case 2*covered >= fine*fine:
		labels[at] = label
	}
}

// direction returns a vector of the length 1024, up to rounding, in a random direction.
func direction(r *part.Rand) (x, y int) {
	for {
		x, y := between(r, -1<<15, 1<<15), between(r, -1<<15, 1<<15)
		if l := root(x*x + y*y); l >= 1<<12 && l <= 1<<15 {
			return x * 1024 / l, y * 1024 / l
		}
	}
}

// root is the whole part of a square root.
func root(n int) int {
	x := 1 << ((bits.Len(uint(n)) + 1) / 2)
	for x > 0 {
		next := (x + n/x) / 2
		if next >= x {
			return x
		}
		x = next
	}
	return 0
}

// grain adds noise of a triangular distribution to every value.
func (d *drawn) grain(r *part.Rand, values []int32) {
	amplitude := int32(between(r, 0, d.noise))
	var drawn uint64
	for i := range values {
		if i%4 == 0 {
			drawn = r.Uint64()
		}
		values[i] += (int32(drawn&255) + int32(drawn>>8&255) - 255) * amplitude
		drawn >>= 16
	}
}
