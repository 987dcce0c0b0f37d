package picture

import (
	"fmt"
	"image"
	"image/color"
)

// lines takes the pixels out of a decoded image, line by line.
type lines struct {
	rgba    []uint8 // a line of red, green, blue, opacity
	chroma  chroma
	palette [256][4]uint8
}

// unpack writes an image to dst with so many channels. If its brightness is stored as WebP does, studio is set.
func (l *lines) unpack(img image.Image, channels int, studio bool, dst *Map) error {
	b := img.Bounds()
	dst.resize(b.Dy(), b.Dx(), channels)
	if g, ok := img.(*image.Gray); ok && channels == 1 {
		for y := range dst.H {
			copy(dst.Pix[y*dst.W:][:dst.W], g.Pix[y*g.Stride:])
		}
		return nil
	}
	if ycc, ok := img.(*image.YCbCr); ok {
		l.chroma.begin(ycc, studio)
		if channels == 3 {
			for y := range dst.H {
				l.chroma.line(y, dst.Pix[y*dst.W*3:][:dst.W*3])
			}
			return nil
		}
	}
	line, err := l.reader(img)
	if err != nil {
		return err
	}
	if n := 4 * dst.W; cap(l.rgba) < n {
		l.rgba = make([]uint8, n)
	}
	l.rgba = l.rgba[:4*dst.W]
	for y := range dst.H {
		line(y, l.rgba)
		pack(l.rgba, channels, dst.Pix[y*dst.W*channels:][:dst.W*channels])
	}
	return nil
}

// reader returns the function that writes line y of an image as red, green, blue and opacity.
func (l *lines) reader(img image.Image) (func(y int, to []uint8), error) {
	switch m := img.(type) {
	case *image.Gray:
		return func(y int, to []uint8) { spread(m.Pix[y*m.Stride:], 1, 0, 0, to) }, nil
	case *image.Gray16:
		return func(y int, to []uint8) { spread(m.Pix[y*m.Stride:], 2, 0, 0, to) }, nil
	case *image.RGBA:
		return func(y int, to []uint8) { spread(m.Pix[y*m.Stride:], 4, 1, 2, to) }, nil
	case *image.RGBA64:
		return func(y int, to []uint8) { spread(m.Pix[y*m.Stride:], 8, 2, 4, to) }, nil
	case *image.NRGBA:
		return func(y int, to []uint8) { copy(to, m.Pix[y*m.Stride:]) }, nil
	case *image.NRGBA64:
		return func(y int, to []uint8) { upper(m.Pix[y*m.Stride:], to) }, nil
	case *image.CMYK:
		return func(y int, to []uint8) { fromCMYK(m.Pix[y*m.Stride:], to) }, nil
	case *image.Paletted:
		l.colours(m.Palette)
		return func(y int, to []uint8) {
			for x, p := range m.Pix[y*m.Stride:][:len(to)/4] {
				copy(to[4*x:4*x+4], l.palette[p][:])
			}
		}, nil
	case *image.YCbCr:
		return func(y int, to []uint8) {
			l.chroma.line(y, to[:len(to)/4*3])
			widen(to)
		}, nil
	case *image.NYCbCrA:
		l.chroma.begin(&m.YCbCr, true)
		return func(y int, to []uint8) {
			l.chroma.line(y, to[:len(to)/4*3])
			widen(to)
			for x, a := range m.A[y*m.AStride:][:len(to)/4] {
				to[4*x+3] = a
			}
		}, nil
	}
	return nil, fmt.Errorf("its colours are of an unknown kind (%T)", img)
}

// colours prepares a palette. An index beyond it is black.
func (l *lines) colours(p color.Palette) {
	l.palette = [256][4]uint8{}
	for i, c := range p[:min(len(p), 256)] {
		n, _ := color.NRGBAModel.Convert(c).(color.NRGBA)
		if rgba, ok := c.(color.RGBA); ok && rgba.A == 255 {
			n = color.NRGBA(rgba)
		}
		l.palette[i] = [4]uint8{n.R, n.G, n.B, n.A}
	}
}

// spread writes opaque pixels: of those of size bytes, red is in front, green and blue are at g and b.
func spread(from []uint8, size, g, b int, to []uint8) {
	for x := 0; x < len(to); x += 4 {
		p := from[x/4*size:]
		to[x], to[x+1], to[x+2], to[x+3] = p[0], p[g], p[b], 255
	}
}

// upper takes the upper bytes of pixels with 16 bits for a channel.
func upper(from, to []uint8) {
	for i := range to {
		to[i] = from[2*i]
	}
}

// fromCMYK multiplies what the inks leave of white.
func fromCMYK(from, to []uint8) {
	for x := 0; x < len(to); x += 4 {
		left := 255 - int(from[x+3])
		for c := range 3 {
			to[x+c] = uint8(max(left-by255(int(from[x+c])*left), 0))
		}
		to[x+3] = 255
	}
}

// by255 is v/255, rounded.
func by255(v int) int {
	v += 128
	return (v>>8 + v) >> 8
}

// widen makes pixels of four bytes from those of three at the beginning of a line.
func widen(line []uint8) {
	for x := len(line)/4 - 1; x >= 0; x-- {
		r, g, b := line[3*x], line[3*x+1], line[3*x+2]
		line[4*x], line[4*x+1], line[4*x+2], line[4*x+3] = r, g, b, 255
	}
}

// pack writes a line with so many channels.
func pack(rgba []uint8, channels int, to []uint8) {
	switch channels {
	case 1:
		for x := range to {
			to[x] = Luma(rgba[4*x], rgba[4*x+1], rgba[4*x+2])
		}
	case 3:
		for x := range len(to) / 3 {
			to[3*x], to[3*x+1], to[3*x+2] = rgba[4*x], rgba[4*x+1], rgba[4*x+2]
		}
	default:
		copy(to, rgba)
	}
}

// Luma is the grey of a colour, by the weights of ITU-R BT.601.
func Luma(r, g, b uint8) uint8 {
	return uint8((19595*uint32(r) + 38470*uint32(g) + 7471*uint32(b) + 1<<15) >> 16)
}
