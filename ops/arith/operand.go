package arith

import (
	"encoding/binary"
	"fmt"

	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// broadcast is the shape of an output for two operands, which are repeated along an extent of 1.
func broadcast(_ *layer.Node, in []tensor.Shape) (tensor.Shape, error) {
	x, y := in[0], in[1]
	fits := func(a, b int) bool { return a == b || a == 1 || b == 1 }
	if !fits(x.H, y.H) || !fits(x.W, y.W) || !fits(x.C, y.C) {
		return x, fmt.Errorf("%v and %v differ in an extent that is not 1", x, y)
	}
	return tensor.Shape{H: max(x.H, y.H), W: max(x.W, y.W), C: max(x.C, y.C)}, nil
}

// operand is an operand, and how its elements lie beside the output's.
type operand struct {
	*layer.Operand
	out                        tensor.Shape
	image, row, pixel, channel int  // steps to the next of each; 0 where it is repeated
	lined                      bool // a row of it lies as one of the output does
	whole                      bool // all of it does
}

func newOperand(x *layer.Operand, out tensor.Shape) operand {
	s := x.Shape
	step := func(extent, size int) int {
		if extent == 1 {
			return 0
		}
		return size
	}
	return operand{
		x, out, s.WithN(1).Len(), step(s.H, s.W*s.C), step(s.W, s.C), step(s.C, 1),
		s.W == out.W && s.C == out.C, s == out,
	}
}

// at is the place of the first element beside an output row. Rows count on from image to image.
func (o *operand) at(row int) int { return row/o.out.H*o.image + row%o.out.H*o.row }

// again reports whether the elements beside an output row are those beside the row before.
func (o *operand) again(row int) bool { return o.at(row) == o.at(row-1) }

// beside are the elements beside output rows r0 to r1, as they lie in x or written to buf. Fill sets elements to a value.
func beside[T float32 | uint8](o *operand, x []T, r0, r1 int, buf []T, fill func([]T, T)) []T {
	width := o.out.W * o.out.C
	if o.whole {
		return x[r0*width : r1*width]
	}
	if o.lined && r1 == r0+1 {
		return x[o.at(r0):][:width]
	}
	buf = buf[:(r1-r0)*width]
	for row := r0; row < r1; row++ {
		to := buf[(row-r0)*width:][:width]
		if row > r0 && o.again(row) {
			copy(to, buf[(row-r0-1)*width:])
		} else {
			repeat(o, x[o.at(row):], to, fill)
		}
	}
	return buf
}

// repeat writes the elements beside an output row, of which x has the first.
func repeat[T float32 | uint8](o *operand, x, to []T, fill func([]T, T)) {
	c := o.out.C
	switch {
	case o.lined:
		copy(to, x)
	case o.channel > 0 || c == 1: // of one pixel
		for n := copy(to, x[:c]); n < len(to); n *= 2 {
			copy(to[n:], to[:n])
		}
	default: // of one channel
		for at := 0; at < len(to); at += c {
			fill(to[at:at+c], x[at/c*o.pixel])
		}
	}
}

// fillBytes sets all elements to a value.
func fillBytes(to []uint8, v uint8) {
	for eight := uint64(v) * 0x0101010101010101; len(to) >= 8; to = to[8:] {
		binary.LittleEndian.PutUint64(to, eight)
	}
	layer.Fill(to, v)
}

// codes are the codes beside output rows r0 to r1, as they lie in the operand or written to buf.
func (o *operand) codes(r0, r1 int, buf []uint8) []uint8 {
	return beside(o, o.Codes, r0, r1, buf, fillBytes)
}

// values are the values beside output rows r0 to r1, as they lie in the operand or written to buf. Codes has room for as many codes.
func (o *operand) values(set *kernel.Set, r0, r1 int, codes []uint8, buf []float32) []float32 {
	if !o.OnGrid {
		return beside(o, o.Data, r0, r1, buf, layer.Fill[float32])
	}
	x := o.codes(r0, r1, codes)
	buf = buf[:len(x)]
	set.Values(x, o.Format.Zero, o.Format.Scale, buf)
	return buf
}

// give adds g, which belongs to an output row, to the operand's gradient dx; elements that are repeated get the sum, in order.
func (o *operand) give(row int, g, dx []float32) {
	dx = dx[o.at(row):]
	c := o.out.C
	for at := 0; at < len(g); at += c {
		to := dx[at/c*o.pixel:]
		if o.channel == 0 {
			for _, v := range g[at : at+c] {
				to[0] += v
			}
			continue
		}
		to = to[:c]
		for i, v := range g[at : at+c] {
			to[i] += v
		}
	}
}
