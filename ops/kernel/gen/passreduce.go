package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// passReduce writes the passes that leave a value for each channel: they go down the
// rows with a block of channels in registers.
func passReduce(e *emitter) {
	passChannelStats(e)
	passChannelRange(e)
	passGateSums(e)
}

// blocks are the numbers of vectors in a block of channels.
func (e *emitter) blocks() []int {
	if e.wide {
		return []int{4, 1}
	}
	return []int{2, 1}
}

// accumulators are float64 values of u vectors of channels, two registers for each.
type accumulators [][2]vec

// load64 loads the accumulators of the channels at hand.
func (e *emitter) load64(base reg.Register, u int) accumulators {
	a := make(accumulators, u)
	for e.slot = range a {
		for h := range 2 {
			v := e.v()
			switch m := e.at64(base, h); {
			case !e.tail:
				e.VMOVUPD(m, v)
			case e.wide:
				e.VMOVUPD_Z(m, e.half(h).k, v)
			default:
				e.VMASKMOVPD(m, e.half(h).y, v)
			}
			a[e.slot][h] = v
		}
	}
	return a
}

func (e *emitter) store64(a accumulators, base reg.Register) {
	for e.slot = range a {
		for h, v := range a[e.slot] {
			switch m := e.at64(base, h); {
			case !e.tail:
				e.VMOVUPD(v, m)
			case e.wide:
				e.VMOVUPD(v, e.half(h).k, m)
			default:
				e.VMASKMOVPD(v, e.half(h).y, m)
			}
		}
	}
}

func (e *emitter) at64(base reg.Register, h int) operand.Mem {
	return e.at(base, 8).Offset(h * e.lanes() / 2 * 8)
}

// half is the lower or upper half of the tail's lanes, as float64 lanes.
func (e *emitter) half(h int) mask { return e.halfMask(e.some, h) }

func (e *emitter) halfMask(m mask, h int) mask {
	if e.wide {
		if h == 0 {
			return m
		}
		k := e.K()
		e.KSHIFTRW(operand.Imm(8), m.k, k)
		return mask{k: k}
	}
	y, x := e.YMM(), m.y.AsX()
	if h == 1 {
		t := e.XMM()
		e.VEXTRACTI128(operand.Imm(1), m.y, t)
		x = t
	}
	e.VPMOVSXDQ(x, y)
	return mask{y: y}
}

// rows writes the loop down the rows; step moves the pointers on.
func (e *emitter) rows(rows reg.GPVirtual, body func()) {
	r, loop := e.GP64(), e.label("row")
	e.MOVQ(rows, r)
	e.Label(loop)
	body()
	e.slot = 0
	e.DECQ(r)
	e.JNE(operand.LabelRef(loop))
}

// column is the address of the first row's channels at hand.
func (e *emitter) column(base reg.Register) reg.GPVirtual {
	p := e.GP64()
	e.LEAQ(operand.Mem{Base: base, Index: e.i, Scale: 4}, p)
	return p
}

// in is slot's vector of the row at p, and inHalf half of it.
func (e *emitter) in(p reg.Register) operand.Mem {
	return operand.Mem{Base: p, Disp: e.slot * e.lanes() * 4}
}

func (e *emitter) inHalf(p reg.Register, h int) operand.Mem {
	return e.in(p).Offset(h * e.lanes() * 2)
}

func (e *emitter) loadRow(p reg.Register) vec {
	v := e.v()
	switch {
	case !e.tail:
		e.VMOVUPS(e.in(p), v)
	case e.wide:
		e.VMOVUPS_Z(e.in(p), e.some.k, v)
	default:
		e.VMASKMOVPS(e.in(p), e.some.y, v)
	}
	return v
}

// wideRow widens half of a row's vector to float64.
func (e *emitter) wideRow(p reg.Register, h int) vec {
	v := e.v()
	switch {
	case !e.tail:
		e.VCVTPS2PD(e.inHalf(p, h), v)
	case e.wide:
		e.VCVTPS2PD_Z(e.inHalf(p, h), e.half(h).k, v)
	default:
		return e.halves(e.loadRow(p))[h]
	}
	return v
}

// strideOf is the distance of two rows in bytes.
func (e *emitter) strideOf(c reg.GPVirtual) reg.GPVirtual {
	s := e.GP64()
	e.MOVQ(c, s)
	e.SHLQ(operand.Imm(2), s)
	return s
}

func passChannelStats(e *emitter) {
	e.fn("channelStats", "(x *float32, sum, sq *float64, lo, hi *float32, rows, c int)",
		"channelStats computes sum += x, sq += x·x, lo = min(lo, x) and hi = max(hi, x) for each of c channels,",
		"row by row, rows > 0. lo and hi become NaN where a value is.")
	x, sum, sq, lo, hi := e.arg("x"), e.arg("sum"), e.arg("sq"), e.arg("lo"), e.arg("hi")
	rows, c := e.arg("rows"), e.arg("c")
	stride := e.strideOf(c)
	e.each(c, e.blocks(), func(u int) {
		s, q := e.load64(sum, u), e.load64(sq, u)
		los, his := make([]vec, u), make([]vec, u)
		for e.slot = range u {
			los[e.slot], his[e.slot] = e.loadF(lo), e.loadF(hi)
		}
		p := e.column(x)
		e.rows(rows, func() {
			for e.slot = range u {
				f := e.loadRow(p)
				for h := range 2 {
					d := e.wideRow(p, h)
					e.VADDPD(d, s[e.slot][h], s[e.slot][h])
					e.VFMADD231PD(d, d, q[e.slot][h])
				}
				e.VMINPS(los[e.slot], f, los[e.slot])
				e.VMAXPS(his[e.slot], f, his[e.slot])
			}
			e.ADDQ(stride, p)
		})
		bad := e.anyNaN(s)
		e.store64(s, sum)
		e.store64(q, sq)
		for e.slot = range u {
			e.storeF(los[e.slot], lo)
			e.storeF(his[e.slot], hi)
		}
		e.when(bad, func() {
			for e.slot = range u {
				e.spoil(e.column(x), rows, stride, lo, hi)
			}
		})
	})
	e.end()
}

// anyNaN is not zero if there is a NaN among the sums: then there may be one among the values.
func (e *emitter) anyNaN(a accumulators) reg.GPVirtual {
	r := e.GP64()
	m := e.none()
	for _, s := range a {
		for _, v := range s {
			if e.wide {
				k := e.K()
				e.VCMPPD(unordered, v, v, k)
				e.KORW(k, m.k, m.k)
			} else {
				t := e.YMM()
				e.VCMPPD(unordered, v, v, t)
				e.VORPD(t, m.y, m.y)
			}
		}
	}
	if e.wide {
		e.KMOVW(m.k, r.As32())
	} else {
		e.VMOVMSKPD(m.y, r.As32())
	}
	return r
}

// spoil looks for NaN in a column of vectors, and makes lo and hi NaN in those lanes.
func (e *emitter) spoil(p, rows, stride reg.GPVirtual, lo, hi reg.Register) {
	m, slot := e.none(), e.slot
	e.rows(rows, func() {
		e.slot = slot
		f := e.loadRow(p)
		e.nan(m, f, f)
		e.ADDQ(stride, p)
	})
	e.slot = slot
	r := e.GP64()
	e.MOVQ(operand.U32(0x7fc00000), r)
	bad := e.same(r)
	for _, base := range []reg.Register{lo, hi} {
		v := e.loadF(base)
		if e.wide {
			e.VMOVAPS(bad, m.k, v)
		} else {
			e.VBLENDVPS(m.y, bad, v, v)
		}
		e.storeF(v, base)
	}
}

func passChannelRange(e *emitter) {
	e.fn("channelRange", "(acc, lo, hi *int32, rows, c int)",
		"channelRange computes lo = min(lo, acc) and hi = max(hi, acc) for each of c channels and rows > 0.")
	acc, lo, hi := e.arg("acc"), e.arg("lo"), e.arg("hi")
	rows, c := e.arg("rows"), e.arg("c")
	stride := e.strideOf(c)
	e.each(c, []int{4, 1}, func(u int) {
		los, his := make([]vec, u), make([]vec, u)
		for e.slot = range u {
			los[e.slot], his[e.slot] = e.loadF(lo), e.loadF(hi)
		}
		p := e.column(acc)
		e.rows(rows, func() {
			for e.slot = range u {
				f := e.loadRow(p)
				e.VPMINSD(f, los[e.slot], los[e.slot])
				e.VPMAXSD(f, his[e.slot], his[e.slot])
			}
			e.ADDQ(stride, p)
		})
		for e.slot = range u {
			e.storeF(los[e.slot], lo)
			e.storeF(his[e.slot], hi)
		}
	})
	e.end()
}
