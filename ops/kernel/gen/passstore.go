package main

import "github.com/mmcloughlin/avo/reg"

// sink takes the masks and codes of the vectors of a body, and stores them in as few
// pieces as it can: small stores between large ones are dear where those miss the cache.
type sink struct {
	u           int
	codes, bits reg.Register // where to; bits may be nil at run time
	masks       []mask
	half        []vec // narrow: codes, then pairs of them
	halfBits    []vec // narrow: likewise of masks
}

// mask takes floor < v < ceil.
func (s *sink) mask(e *emitter, floor, v, ceil vec) {
	switch {
	case s.u == 1:
		e.when(s.bits, func() { e.storeMask(e.between(lessThan, floor, v, ceil), s.bits) })
	case e.wide:
		e.when(s.bits, func() { s.masks = append(s.masks, e.between(lessThan, floor, v, ceil)) })
	default:
		s.halfBits = e.pairUp(s.halfBits, e.between(lessThan, floor, v, ceil).y, func(a, b, to vec) { e.VPACKSSDW(b, a, to) })
	}
}

// code takes the low bytes of v.
func (s *sink) code(e *emitter, v vec) {
	if s.u == 1 || e.wide {
		e.storeCodes(v, s.codes)
		return
	}
	e.VPAND(e.consts.lowByte, v, v)
	s.half = e.pairUp(s.half, v, func(a, b, to vec) { e.VPACKUSDW(b, a, to) })
}

// pairUp appends v, packed with the vector before it if that is alone.
func (e *emitter) pairUp(list []vec, v vec, pack func(a, b, to vec)) []vec {
	if e.slot%2 == 0 {
		return append(list, v)
	}
	last := len(list) - 1
	pack(list[last], v, list[last])
	return list
}

// flush stores what is not stored yet: four vectors' masks and codes.
func (s *sink) flush(e *emitter) {
	e.slot = 0
	switch {
	case s.u == 1:
	case e.wide:
		if len(s.masks) == 0 {
			return
		}
		e.when(s.bits, func() {
			a, b := e.K(), e.K()
			e.KUNPCKWD(s.masks[0].k, s.masks[1].k, a)
			e.KUNPCKWD(s.masks[2].k, s.masks[3].k, b)
			e.KUNPCKDQ(a, b, a)
			e.KMOVQ(a, e.bitsAt(s.bits))
		})
	default:
		order := e.YMM()
		e.VMOVDQU(e.consts.order, order)
		if s.half != nil {
			e.VPACKUSWB(s.half[1], s.half[0], s.half[0])
			e.VPERMD(s.half[0], order, s.half[0])
			e.VMOVDQU(s.half[0], e.at(s.codes, 1))
		}
		if s.halfBits != nil {
			r := e.GP32()
			e.VPACKSSWB(s.halfBits[1], s.halfBits[0], s.halfBits[0])
			e.VPERMD(s.halfBits[0], order, s.halfBits[0])
			e.VPMOVMSKB(s.halfBits[0], r)
			e.when(s.bits, func() { e.MOVL(r, e.bitsAt(s.bits)) })
		}
	}
}
