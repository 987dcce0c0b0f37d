package depthwise

import (
	"math"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/window"
)

// square is one call of Int8 with 3x3 or 5x5 taps.
type square struct {
	*Kernels
	geom                     *kernel.Conv
	x                        []uint8
	packed                   []int8
	bias                     []int32
	scales                   []float32
	row                      []int32 // of sums, if Row8 does not compute the epilogue
	blank                    []uint8 // an input row of padding
	out                      *kernel.Int8Out
	mode                     int
	pad, zero, lo, hi, zzero uint32
	mz                       float32
}

// rows computes the output rows [r0, r1).
func (t *square) rows(s *kernel.Scratch, bias []int32, pad uint8, r0, r1 int) {
	p := t.geom
	size := turnedSize(p.C)
	t.bias, t.scales, t.row, t.blank = s.I32[:size], s.F32[:size], s.I32[size:], s.U8[:p.W*p.C]
	window.Fill(t.blank, pad)
	turn(p.C, bias, t.bias)
	aside := !t.epilogue(bias[:p.C])
	if aside {
		t.mode = modeAcc
	}
	for r := r0; r < r1; r++ {
		t.one(r, aside)
		if aside {
			t.put(p, t.row[:p.OW*p.C], t.out, r)
		}
	}
}

// turn reorders numbers of c channels into the order of stripes.
func turn[T int32 | float32](c int, from, to []T) {
	all, n := stripes(c)
	for _, s := range all[:n] {
		for b := range s.blocks {
			at := s.channel + b*s.width
			lanes := s.width / 16
			if at+s.width <= c {
				for i := range 4 {
					for l := range lanes {
						*(*[4]T)(to[at+4*(i*lanes+l):]) = *(*[4]T)(from[at+4*(4*l+i):])
					}
				}
				continue
			}
			clear(to[at : at+s.width])
			for o := at; o < c; o++ {
				l, i := (o-at)/16, (o-at)%16/4
				to[at+4*(i*lanes+l)+o%4] = from[o]
			}
		}
	}
}

// epilogue sets the mode and its numbers. It returns false if Row8 does not compute the epilogue: with HalfUp, or if a
// value might overflow when it becomes a code.
func (t *square) epilogue(bias []int32) bool {
	out, q := t.out, t.out.Q
	switch {
	case out.Acc != nil:
		t.mode = modeAcc
		return true
	case out.F != nil:
		t.mode = modeFloat
		if q != nil {
			turn(t.geom.C, q.M, t.scales)
			return true
		}
		for i := range t.scales {
			t.scales[i] = 1
		}
		return true
	}
	t.mode = modeCodes
	added := 0.0 // the largest magnitude that z adds
	if out.Z != nil {
		t.mode, t.zzero, t.mz = modeAdded, uint32(q.ZZero), q.MZ
		added = (255 + math.Abs(float64(q.ZZero))) * math.Abs(float64(q.MZ))
	}
	lo, hi := q.Bounds()
	most := (largest(bias) + float64(t.geom.KH*t.geom.KW)*255*128) * largestFloat(q.M)
	if q.HalfUp || min(lo, hi) < 0 || max(lo, hi) > 255 || max(q.Zero, -q.Zero) > 1<<13 || !(most+added < 1<<30) {
		return false
	}
	turn(t.geom.C, q.M, t.scales)
	t.zero = uint32(uint16(q.Zero)) * 0x00010001
	t.lo, t.hi = uint32(lo)*0x01010101, uint32(hi)*0x01010101
	return true
}

// largest is the largest magnitude.
func largest(x []int32) float64 {
	lo, hi := int32(0), int32(0)
	for _, v := range x {
		lo, hi = min(lo, v), max(hi, v)
	}
	return max(float64(hi), -float64(lo))
}

// largestFloat is the largest magnitude, NaN or infinite if one is: the order of the bits.
func largestFloat(x []float32) float64 {
	hi := uint32(0)
	for _, v := range x {
		hi = max(hi, math.Float32bits(v)&^(1<<31))
	}
	return float64(math.Float32frombits(hi))
}

// one computes an output row; with aside its sums go to t.row.
func (t *square) one(r int, aside bool) {
	p := t.geom
	n, oh := r/p.OH, r%p.OH
	all, count := stripes(p.C)
	for i := range all[:count] {
		s := &all[i]
		var x [5]*uint8
		for kh := range p.KH {
			ih := oh*p.StrideH - p.PadTop + kh*p.DilationH
			x[kh] = &t.blank[s.channel]
			if ih >= 0 && ih < p.H {
				x[kh] = &t.x[(n*p.H+ih)*p.W*p.C+s.channel]
			}
		}
		var y, z *uint8
		var acc *int32
		var f *float32
		at := r*p.OW*p.C + s.channel
		switch {
		case aside:
			acc = &t.row[s.channel]
		case t.mode == modeAcc:
			acc = &t.out.Acc[at]
		case t.mode == modeFloat:
			f = &t.out.F[at]
		default:
			y = &t.out.Y[at]
			if t.mode == modeAdded {
				z = &t.out.Z[at]
			}
		}
		t.Rows8[p.KH/2-1][s.kind][p.StrideW-1](x[0], x[1], x[2], x[3], x[4], &t.packed[squareWeights(p)*s.channel], &t.bias[s.channel], &t.scales[s.channel], z, y, acc, f,
			s.blocks, p.OW, p.W, p.PadLeft, p.C, t.mode, s.mask, t.pad, t.zero, t.lo, t.hi, t.zzero, t.mz)
	}
}
