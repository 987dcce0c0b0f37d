package picture

import "image"

// chroma turns brightness and two colour differences, as JPEG stores them, into red, green and blue. Where there are
// fewer colour differences than pixels, those between are weighted by their distance, 3 to 1 (libjpeg calls that fancy
// upsampling). WebP stores brightness from 16 to 235 only, and colour differences from 16 to 240.
type chroma struct {
	img    *image.YCbCr
	studio bool
	h, w   int // of the colour differences
	dx, dy int // pixels for one of them
	cb, cr []uint8
	sum    []int32
}

func (c *chroma) begin(img *image.YCbCr, studio bool) {
	c.img, c.studio = img, studio
	switch img.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		c.dx, c.dy = 2, 1
	case image.YCbCrSubsampleRatio420:
		c.dx, c.dy = 2, 2
	case image.YCbCrSubsampleRatio440:
		c.dx, c.dy = 1, 2
	case image.YCbCrSubsampleRatio411:
		c.dx, c.dy = 4, 1
	case image.YCbCrSubsampleRatio410:
		c.dx, c.dy = 4, 2
	default:
		c.dx, c.dy = 1, 1
	}
	w, h := img.Rect.Dx(), img.Rect.Dy()
	c.w, c.h = (w+c.dx-1)/c.dx, (h+c.dy-1)/c.dy
	if n := 4 * (c.w + 1); cap(c.cb) < n {
		c.cb, c.cr, c.sum = make([]uint8, n), make([]uint8, n), make([]int32, n/4)
	}
}

// line writes line y as red, green and blue.
func (c *chroma) line(y int, to []uint8) {
	w := len(to) / 3
	luma := c.img.Y[y*c.img.YStride:][:w]
	cb, cr := c.differences(c.img.Cb, y, c.cb)[:w], c.differences(c.img.Cr, y, c.cr)[:w]
	if c.studio {
		studio(luma, cb, cr, to)
		return
	}
	for x, l := range luma {
		b, r := int32(cb[x])-128, int32(cr[x])-128
		v := int32(l)
		i := 3 * x
		to[i] = clamp(v + (91881*r+1<<15)>>16)
		to[i+1] = clamp(v + (-22554*b-46802*r+1<<15)>>16)
		to[i+2] = clamp(v + (116130*b+1<<15)>>16)
	}
}

// studio converts a line of WebP, by the numbers of ITU-R BT.601 with 14 bits behind the point.
func studio(luma, cb, cr, to []uint8) {
	for x, l := range luma {
		v, b, r := int32(l)*19077>>8, int32(cb[x]), int32(cr[x])
		i := 3 * x
		to[i] = clamp((v + r*26149>>8 - 14234) >> 6)
		to[i+1] = clamp((v - b*6419>>8 - r*13320>>8 + 8708) >> 6)
		to[i+2] = clamp((v + b*33050>>8 - 17685) >> 6)
	}
}

func clamp(v int32) uint8 {
	if uint32(v) > 255 {
		return uint8(^(v >> 31)) // 0 below, 255 above
	}
	return uint8(v)
}

// differences returns a colour difference for each pixel of line y, in room where they are not there already.
func (c *chroma) differences(plane []uint8, y int, room []uint8) []uint8 {
	own := plane[y/c.dy*c.img.CStride:][:c.w]
	switch {
	case c.dx == 1 && c.dy == 1:
		return own
	case c.dx == 2 && c.w <= 2: // libjpeg repeats those of narrow images
	case c.dx == 2 && c.dy == 1:
		return between(own, room)
	case c.dy == 2 && c.dx <= 2:
		near := y/2 - 1 + y%2*2
		next := plane[min(max(near, 0), c.h-1)*c.img.CStride:][:c.w]
		if c.dx == 1 {
			for x, v := range own {
				room[x] = uint8((3*uint32(v) + uint32(next[x]) + 1 + uint32(y%2)) >> 2)
			}
			return room
		}
		return c.betweenFour(own, next, room)
	}
	for x := range c.w * c.dx {
		room[x] = own[x/c.dx]
	}
	return room
}

// between doubles a line: each value gets a neighbour nearer to the one before, and one nearer to the one behind.
func between(in, to []uint8) []uint8 {
	n := len(in)
	for i, v := range in {
		last, next := in[max(i-1, 0)], in[min(i+1, n-1)]
		to[2*i] = uint8((3*uint32(v) + uint32(last) + 1) >> 2)
		to[2*i+1] = uint8((3*uint32(v) + uint32(next) + 2) >> 2)
	}
	return to
}

// betweenFour does the same for values between two lines, of which own is the nearer one.
func (c *chroma) betweenFour(own, next, to []uint8) []uint8 {
	sum := c.sum[:len(own)]
	for x := range sum {
		sum[x] = 3*int32(own[x]) + int32(next[x])
	}
	last, n := sum[0], len(sum)
	for i, v := range sum {
		after := sum[min(i+1, n-1)]
		to[2*i] = uint8((3*v + last + 8) >> 4)
		to[2*i+1] = uint8((3*v + after + 7) >> 4)
		last = v
	}
	return to
}
