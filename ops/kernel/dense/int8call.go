package dense

import "qpipe/ops/kernel"

// int8Piece is how many pixels are computed at a time if Gemm8 does not write the output.
const int8Piece = 64

// int8Call is one call of Int8.Conv.
type int8Call struct {
	kernels *Int8
	view    int8View
	x       []uint8
	pad     uint8
	packed  []int8
	bias    []int32
	out     *kernel.Int8Out
	o0, o1  int

	bytes     []uint8             // the strip
	tab       []int32             // offsets of pixels: into the strip, and into the output
	mine, acc []int32             // tab and the sums of a few pixels
	wide      []int32             // bias of whole panels
	padded    []int32             // bias with the padding's part
	absent    []int32             // taps beyond the edges
	ones      []float32           // multipliers to use if there are none
	key       [2]int              // the shape of the strip that tab is for
	parts     [int8Parts]int8Part // of the strip
	nparts    int

	next, last int // what is prefetched, in packed

	mode    int
	lo, hi  int32
	requant kernel.Requant // the parameters, zero if there are none
	slow    bool           // Gemm8 cannot write the output
}

// int8Part is a part of a strip: the pixels tab[2·from : 2·to], whose windows have
// the taps [h0, h1) × [w0, w1) in the image.
type int8Part struct{ from, to, h0, h1, w0, w1 int }

// prepare lays out the scratch and finds out what Gemm8 has to write.
func (c *int8Call) prepare(s *kernel.Scratch) {
	room, block := s.I32, c.kernels.Block
	take := func(n int) []int32 {
		t := room[:n]
		room = room[n:]
		return t
	}
	c.tab, c.mine, c.acc = take(2*c.view.pixels), take(2*int8Piece), take(int8Piece*block)
	c.wide, c.padded = take(block), take(block)
	if c.view.sums {
		c.absent = take(c.view.KH * c.view.KW)
	}
	c.key = [2]int{-1, -1}
	out := c.out
	if out.Q != nil {
		c.requant = *out.Q
	}
	switch {
	case out.Acc != nil:
		c.mode = int8Acc
	case out.F != nil:
		c.mode = int8Float
		if out.Q == nil {
			c.ones = s.F32[:block]
			for i := range c.ones {
				c.ones[i] = 1
			}
		}
	default:
		c.mode = int8Code
		if out.Z != nil {
			c.mode = int8Add
		}
		c.lo, c.hi = c.requant.Bounds()
		c.slow = c.requant.HalfUp || !isCode(c.lo) || !isCode(c.hi) || !isCode(c.requant.Zero) ||
			out.Z != nil && !(isCode(c.requant.ZZero) && c.requant.MZ <= 1<<20 && c.requant.MZ >= -1<<20)
	}
}

func isCode(v int32) bool { return v >= 0 && v <= 255 }

// panels computes n pixels, whose windows lie in a, for the channels of the call in group g; at is where the output of
// the first pixel begins, and pitch the distance between two runs of a window.
func (c *int8Call) panels(g int, a []uint8, n, pitch, at int) {
	v, k := &c.view, c.kernels
	o0, o1 := max(c.o0-g*v.og, 0), min(c.o1-g*v.og, v.og)
	for o := o0; o < o1; o += k.Block {
		cols := min(o1-o, k.Block)
		start := g*v.groupSize() + o/k.Block*v.fullSize(k.Block)
		size := v.fullSize(k.width(cols))
		panel := c.packed[start:][:size]
		c.next, c.last = start+size, start+size
		if o+k.Block < o1 {
			c.last += v.panelSize(k.width(min(o1-o-k.Block, k.Block)))
		}
		bias := c.bias[g*v.og+o:][:cols]
		if v.skipH {
			for i := range c.parts[:c.nparts] {
				c.part(&c.parts[i], a, pitch, panel, bias, o, at+o)
			}
			continue
		}
		c.run(c.tab[:2*n], &a[0], v.taps, v.quads, pitch-v.quads*4, &panel[0], 0, bias, g*v.og+o, at+o)
	}
}

// part computes the pixels of a part of the strip for one panel. The part of the padding is added to the bias.
func (c *int8Call) part(t *int8Part, a []uint8, pitch int, panel []int8, bias []int32, o, at int) {
	v, width := &c.view, c.kernels.width(len(bias))
	if (t.h1-t.h0)*(t.w1-t.w0) < v.KH*v.KW && c.pad != 0 {
		n := 0
		for tap := range v.KH * v.KW {
			if h, w := tap/v.KW, tap%v.KW; h < t.h0 || h >= t.h1 || w < t.w0 || w >= t.w1 {
				c.absent[n] = int32(tap)
				n++
			}
		}
		clear(c.padded[copy(c.padded, bias):])
		c.kernels.PadBias(n, &c.absent[0], &panel[v.panelSize(width)], int32(c.pad), &c.padded[0], width)
		bias = c.padded[:len(bias)]
	}
	tap := v.cg * v.unit / 4 // steps of a tap
	quads := (t.w1 - t.w0) * tap
	if t.h0 == t.h1 {
		quads = 0
	}
	b := panel[min((t.h0*v.quads+t.w0*tap)*width*4, len(panel)-1):]
	c.run(c.tab[2*t.from:2*t.to], &a[0], max(t.h1-t.h0, 1), quads, pitch-quads*4, &b[0], (v.quads-quads)*width*4, bias, o, at)
}

// run computes the pixels of tab for one panel, of len(bias) channels from channel o on.
func (c *int8Call) run(tab []int32, a *uint8, taps, quads, jump int, b *int8, bjump int, bias []int32, o, at int) {
	k, n, cols := c.kernels, len(tab)/2, len(bias)
	gemm := k.Gemm
	if cols <= k.Block/2 {
		gemm = k.Half
	}
	if c.slow || !k.AnyCols && cols != k.Block && cols != k.Block/2 {
		c.pieces(gemm, tab, a, taps, quads, jump, b, bjump, bias, o, at)
		return
	}
	var (
		m    *float32
		acc  *int32
		f    *float32
		y, z *uint8
	)
	switch c.mode {
	case int8Acc:
		acc = &c.out.Acc[at]
	case int8Float:
		f = &c.out.F[at]
		if c.ones != nil {
			m = &c.ones[0]
		} else {
			m = &c.requant.M[o : o+cols][0]
		}
	default:
		m, y = &c.requant.M[o : o+cols][0], &c.out.Y[at]
		if c.mode == int8Add {
			z = &c.out.Z[at]
		}
	}
	next, last := &c.packed[min(c.next, len(c.packed)-1)], &c.packed[min(c.last, len(c.packed))-1]
	c.next = min(c.next+(n+7)/8*taps*(quads/4)*128, c.last)
	if !gemm(n, &tab[0], a, taps, quads, jump, b, bjump, next, last, cols, &bias[0], c.mode, m, acc, f, y, z, c.requant.Zero, c.lo, c.hi, c.requant.ZZero, c.requant.MZ) {
		c.pieces(gemm, tab, a, taps, quads, jump, b, bjump, bias, o, at)
	}
}
