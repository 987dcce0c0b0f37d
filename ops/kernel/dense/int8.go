package dense

import "qpipe/ops/kernel"

// Gemm8 is the inner loop of the integer convolution: for n pixels i and the
// channels o < cols it computes
//
//	acc[i][o] = bias[o] + Σ_{t < taps} Σ_{k < 4·quads} a[tab[2i] + t·(4·quads + jump) + k] · b[…]
//
// where b goes through a panel of packed weights and skips bjump bytes after each run of quads. Meanwhile it prefetches
// the bytes from next to last into the second level of cache, 128 bytes every four quads. It writes the results, as
// mode says, at the offsets tab[2i+1] + o of the output. It does nothing and returns false if a multiplier is so large
// (over 1/2) or so unusual that the conversion to integers could overflow.
type Gemm8 func(n int, tab *int32, a *uint8, taps, quads, jump int, b *int8, bjump int,
	next, last *int8, cols int, bias *int32, mode int, m *float32, acc *int32, f *float32, y, z *uint8, zero, lo, hi, zzero int32, mz float32) bool

// The modes of a Gemm8.
const (
	int8Acc   = iota // acc
	int8Float        // f = float32(acc)·m
	int8Code         // y = clamp(sat(rint(float32(acc)·m) + zero), lo, hi)
	int8Add          // the same with float32(z - zzero)·mz added before rint
)

// Int8 is the dense integer convolution of a set.
type Int8 struct {
	Block      int // the channels of Gemm; Half is for half of them
	Gemm, Half Gemm8
	AnyCols    bool // cols may be any number; otherwise it is Block, or half of it
	PadBias    PadBias8
	Widen      func(dst, src *uint8, n int) // the copy of activations, if they are multiplied as 16-bit values
}

// PadBias8 computes bias[o] += pad·Σ_{i < n} sums[taps[i]·width + o] for width
// channels, where sums are 32-bit values.
type PadBias8 func(n int, taps *int32, sums *int8, pad int32, bias *int32, width int)

// bytes is the size of an activation and of a weight as Gemm reads them.
func (k *Int8) bytes() int {
	if k.Widen != nil {
		return 2
	}
	return 1
}

// width is the number of channels in the panel of a group's last n channels.
func (k *Int8) width(n int) int {
	if n <= k.Block/2 {
		return k.Block / 2
	}
	return k.Block
}

// PackSize is the size of all panels.
func (k *Int8) PackSize(p *kernel.Conv) int {
	v := k.view(p)
	return v.groupSize() * p.Groups
}

// Pack writes panels of Block channels: [group][panel][tap][step][channel][4 bytes], the last panel of a group is half
// as wide if that is enough. The rest of the last channels and of the last step of a run is zero.
func (k *Int8) Pack(p *kernel.Conv, w, packed []int8, sums []int32, o0, o1 int) {
	v := k.view(p)
	kk := p.K()
	for g := range p.Groups {
		for o := max(o0-g*v.og, 0); o < min(v.og, o1-g*v.og); o += k.Block {
			n := min(v.og-o, k.Block)
			width, c := k.width(n), g*v.og+o
			panel := packed[g*v.groupSize()+o/k.Block*v.fullSize(k.Block):][:v.fullSize(width)]
			if n < width {
				clear(panel)
			}
			k.packPanel(&v, w[c*kk:(c+n)*kk], panel, width)
			for i := range n {
				ws := w[(c+i)*kk:][:kk]
				if v.sums {
					sums[c+i] = tapSums(ws, panel[v.panelSize(width)+i*4:], v.cg, width*4)
				} else {
					sums[c+i] = sum8(ws)
				}
			}
		}
	}
}

// packPanel writes the runs of all the channels in w, a piece of each at a time: the
// lines of the panel that it fills stay in the cache.
func (k *Int8) packPanel(v *int8View, w, panel []int8, width int) {
	const piece = 256
	kk, step := v.taps*v.run, width*4
	for t := range v.taps {
		for at := 0; at < v.run; at += piece {
			n := min(piece, v.run-at)
			to := panel[(t*v.quads+at*v.unit/4)*step:]
			for i := range len(w) / kk {
				from := w[i*kk+t*v.run+at:][:n]
				if v.unit == 2 {
					packWide(from, to[i*4:], step)
				} else {
					packBytes(from, to[i*4:], step)
				}
			}
		}
	}
}

// packBytes writes w to out four at a time, step bytes apart.
func packBytes(w, out []int8, step int) {
	for len(w) >= 4 {
		*(*[4]int8)(out) = [4]int8(w)
		w = w[4:]
		if len(w) > 0 {
			out = out[step:]
		}
	}
	if len(w) > 0 {
		var last [4]int8
		copy(last[:], w)
		*(*[4]int8)(out) = last
	}
}

// packWide writes w as 16-bit values, two at a time.
func packWide(w, out []int8, step int) {
	for len(w) >= 2 {
		*(*[4]int8)(out) = [4]int8{w[0], w[0] >> 7, w[1], w[1] >> 7}
		w = w[2:]
		if len(w) > 0 {
			out = out[step:]
		}
	}
	if len(w) > 0 {
		*(*[4]int8)(out) = [4]int8{w[0], w[0] >> 7}
	}
}

// tapSums writes the sums of each n weights to out, step bytes apart, and returns their sum.
func tapSums(w, out []int8, n, step int) (sum int32) {
	for t := range len(w) / n {
		s := sum8(w[t*n:][:n])
		*(*[4]int8)(out[t*step:]) = [4]int8{int8(s), int8(s >> 8), int8(s >> 16), int8(s >> 24)}
		sum += s
	}
	return sum
}

func sum8(w []int8) (sum int32) {
	for _, v := range w {
		sum += int32(v)
	}
	return sum
}

// Room is what Conv needs: strips of activations, tables of offsets, and sums for outputs that Gemm does not write.
func (k *Int8) Room(p *kernel.Conv) kernel.Room {
	v := k.view(p)
	ints := 2*v.pixels + int8Piece*(k.Block+2) + 2*k.Block
	if v.sums {
		ints += v.KH * v.KW
	}
	return kernel.Room{F32: k.Block, I32: ints, U8: v.stripSize()}
}

// Conv computes the output rows [r0, r1) of the channels [o0, o1).
func (k *Int8) Conv(p *kernel.Conv, x []uint8, pad uint8, packed []int8, bias []int32, out *kernel.Int8Out, s *kernel.Scratch, r0, r1, o0, o1 int) {
	if r0 >= r1 || o0 >= o1 {
		return
	}
	c := int8Call{kernels: k, view: k.view(p), x: x, pad: pad, packed: packed, bias: bias, out: out, o0: o0, o1: o1, bytes: s.U8}
	c.prepare(s)
	v := &c.view
	if v.flat {
		for p0 := r0 * p.OW; p0 < r1*p.OW; p0 += v.pixels {
			c.flat(p0, min(p0+v.pixels, r1*p.OW))
		}
		return
	}
	for r := r0; r < r1; {
		end := min(v.stripEnd(r), r1)
		for g := range p.Groups {
			c.rows(g, r, end)
		}
		r = end
	}
}

// Install makes s use these kernels.
func (k *Int8) Install(s *kernel.Set) {
	s.Block = max(s.Block, k.Block)
	s.Dense.Int8Pack, s.Dense.Int8PackSize = k.Pack, k.PackSize
	s.Dense.Int8, s.Dense.Int8Room = k.Conv, k.Room
}
