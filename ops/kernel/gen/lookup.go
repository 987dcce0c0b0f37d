package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const lookupArgs = "(x, table, y *uint8, n int)"

// passLookup writes the tables of 256 bytes, for whole vectors of bytes.
func passLookup(e *emitter) {
	lookupShuffle(e)
	if e.wide {
		lookupPermute(e)
	}
}

// lookupShuffle looks each byte up in 16 rows of 16 bytes. A shuffle gives 0 where bit 7 of the index is set, and else what the
// row has at its low four bits. So row after row 16 is taken from an index of 0…127, until it is negative, and the rows are kept as
// the difference to the row before: what is left is the row that the high four bits name. The same once more for 128…255.
func lookupShuffle(e *emitter) {
	e.fn("lookup", lookupArgs, "lookup computes y = table[x] for n elements, whole vectors of bytes.")
	n, x, table, y := e.arg("n"), e.arg("x"), e.arg("table"), e.arg("y")
	rows := e.AllocLocal(256)
	for r := range 16 {
		row := e.XMM()
		e.VMOVDQU(operand.Mem{Base: table, Disp: 16 * r}, row)
		if r%8 > 0 {
			e.VPXOR(operand.Mem{Base: table, Disp: 16 * (r - 1)}, row, row)
		}
		e.VMOVDQU(row, rows.Offset(16*r))
	}
	sixteen, top := e.everyByte(0x10), e.everyByte(0x80)
	e.bytes(n, []int{2, 1}, func(at func(reg.Register, int) operand.Mem, u int) {
		low, high, sum := make([]vec, u), make([]vec, u), make([]vec, u)
		for k := range u {
			low[k], high[k], sum[k] = e.v(), e.v(), e.zero()
			e.loadVector(at(x, k), low[k])
			e.xor(top, low[k], high[k])
		}
		for r := range 16 {
			row := e.v()
			if e.wide {
				e.VBROADCASTI32X4(rows.Offset(16*r), row)
			} else {
				e.VBROADCASTI128(rows.Offset(16*r), row)
			}
			index := low
			if r >= 8 {
				index = high
			}
			for k := range u {
				if r%8 > 0 {
					e.VPSUBSB(sixteen, index[k], index[k])
				}
				v := e.v()
				e.VPSHUFB(index[k], row, v)
				e.xor(v, sum[k], sum[k])
			}
		}
		for k := range u {
			e.storeVector(sum[k], at(y, k))
		}
	})
	e.end()
}

// lookupPermute looks each byte up in the four vectors of the table.
func lookupPermute(e *emitter) {
	e.fn("lookupPermute", lookupArgs, "lookupPermute is lookup with AVX512_VBMI.")
	n, x, table, y := e.arg("n"), e.arg("x"), e.arg("table"), e.arg("y")
	var quarter [4]vec
	for k := range quarter {
		quarter[k] = e.v()
		e.loadVector(operand.Mem{Base: table, Disp: 64 * k}, quarter[k])
	}
	e.bytes(n, []int{2, 1}, func(at func(reg.Register, int) operand.Mem, u int) {
		for k := range u {
			low, high, upper := e.v(), e.v(), e.K()
			e.loadVector(at(x, k), low)
			e.VMOVDQU64(low, high)
			e.VPMOVB2M(low, upper)
			e.VPERMI2B(quarter[1], quarter[0], low)
			e.VPERMI2B(quarter[3], quarter[2], high)
			e.VPBLENDMB(high, low, upper, low)
			e.storeVector(low, at(y, k))
		}
	})
	e.end()
}

// bytes writes the loop over n bytes, a whole number of vectors, u vectors at a time for each of units; at is the address of one of them.
func (e *emitter) bytes(n reg.GPVirtual, units []int, body func(at func(base reg.Register, k int) operand.Mem, u int)) {
	i, size := e.GP64(), 4*e.lanes()
	e.XORQ(i, i)
	at := func(base reg.Register, k int) operand.Mem {
		return operand.Mem{Base: base, Index: i, Scale: 1, Disp: k * size}
	}
	for _, u := range units {
		loop, next := e.label("bytes"), e.label("fewer")
		e.CMPQ(n, operand.Imm(uint64(u*size)))
		e.JLT(operand.LabelRef(next))
		e.Label(loop)
		body(at, u)
		e.ADDQ(operand.Imm(uint64(u*size)), i)
		e.SUBQ(operand.Imm(uint64(u*size)), n)
		e.CMPQ(n, operand.Imm(uint64(u*size)))
		e.JGE(operand.LabelRef(loop))
		e.Label(next)
	}
}

// everyByte is a vector of one byte.
func (e *emitter) everyByte(b uint8) vec {
	r, v, x := e.GP32(), e.v(), e.XMM()
	e.MOVL(operand.U32(b), r)
	e.VMOVD(r, x)
	e.VPBROADCASTB(x, v)
	return v
}

func (e *emitter) xor(a, b, to vec) {
	if e.wide {
		e.VPXORD(a, b, to)
	} else {
		e.VPXOR(a, b, to)
	}
}

func (e *emitter) loadVector(m operand.Mem, v vec) {
	if e.wide {
		e.VMOVDQU64(m, v)
	} else {
		e.VMOVDQU(m, v)
	}
}

func (e *emitter) storeVector(v vec, m operand.Mem) {
	if e.wide {
		e.VMOVDQU64(v, m)
	} else {
		e.VMOVDQU(v, m)
	}
}
