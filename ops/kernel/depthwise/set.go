package depthwise

import "qpipe/ops/kernel"

// Install makes the convolutions of s go to d where each channel has its own filter; the others stay as they are.
func (d Kernels) Install(set *kernel.Set) {
	dense := *set
	d.base = set
	set.ConvPack = func(p *kernel.Conv, w, packed []float32, o0, o1 int) {
		if p.Depthwise() {
			d.Pack(p, w, packed, o0, o1)
			return
		}
		dense.ConvPack(p, w, packed, o0, o1)
	}
	set.ConvPackSize = func(p *kernel.Conv) int {
		if p.Depthwise() {
			return d.PackSize(p)
		}
		return dense.ConvPackSize(p)
	}
	set.ConvForward = func(p *kernel.Conv, x, packed, y []float32, s *kernel.Scratch, r0, r1, o0, o1 int) {
		if p.Depthwise() {
			d.Forward(p, x, packed, y, r0, r1)
			return
		}
		dense.ConvForward(p, x, packed, y, s, r0, r1, o0, o1)
	}
	set.ConvForwardRoom = func(p *kernel.Conv) kernel.Room {
		if p.Depthwise() {
			return kernel.Room{}
		}
		return dense.ConvForwardRoom(p)
	}
	set.ConvDataPack = func(p *kernel.Conv, w, packed []float32, c0, c1 int) {
		if p.Depthwise() {
			d.DataPack(p, w, packed, c0, c1)
			return
		}
		dense.ConvDataPack(p, w, packed, c0, c1)
	}
	set.ConvDataPackSize = func(p *kernel.Conv) int {
		if p.Depthwise() {
			return d.PackSize(p)
		}
		return dense.ConvDataPackSize(p)
	}
	set.ConvBackwardData = func(p *kernel.Conv, dy, packed, dx []float32, add bool, s *kernel.Scratch, r0, r1 int) {
		if p.Depthwise() {
			d.BackwardData(p, dy, packed, dx, add, s, r0, r1)
			return
		}
		dense.ConvBackwardData(p, dy, packed, dx, add, s, r0, r1)
	}
	set.ConvBackwardDataRoom = func(p *kernel.Conv) kernel.Room {
		if p.Depthwise() {
			return d.DataRoom(p)
		}
		return dense.ConvBackwardDataRoom(p)
	}
	set.ConvBackwardWeights = func(p *kernel.Conv, x kernel.Operand, dy, dw []float32, s *kernel.Scratch, n0, n1, o0, o1 int) {
		if p.Depthwise() {
			d.BackwardWeights(p, x, dy, dw, s, n0, n1, o0, o1)
			return
		}
		dense.ConvBackwardWeights(p, x, dy, dw, s, n0, n1, o0, o1)
	}
	set.ConvBackwardWeightsRoom = func(p *kernel.Conv) kernel.Room {
		if p.Depthwise() {
			return d.WeightsRoom(p)
		}
		return dense.ConvBackwardWeightsRoom(p)
	}
	set.ConvInt8Pack = func(p *kernel.Conv, w, packed []int8, sums []int32, o0, o1 int) {
		if p.Depthwise() {
			d.Int8Pack(p, w, packed, sums, o0, o1)
			return
		}
		dense.ConvInt8Pack(p, w, packed, sums, o0, o1)
	}
	set.ConvInt8PackSize = func(p *kernel.Conv) int {
		if p.Depthwise() {
			return d.Int8PackSize(p)
		}
		return dense.ConvInt8PackSize(p)
	}
	set.ConvInt8 = func(p *kernel.Conv, x []uint8, pad uint8, packed []int8, bias []int32, out *kernel.Int8Out, s *kernel.Scratch, r0, r1, o0, o1 int) {
		if p.Depthwise() {
			d.Int8(p, x, pad, packed, bias, out, s, r0, r1)
			return
		}
		dense.ConvInt8(p, x, pad, packed, bias, out, s, r0, r1, o0, o1)
	}
	set.ConvInt8Room = func(p *kernel.Conv) kernel.Room {
		if p.Depthwise() {
			return d.Int8Room(p)
		}
		return dense.ConvInt8Room(p)
	}
}
