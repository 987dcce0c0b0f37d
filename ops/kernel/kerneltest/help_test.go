package kerneltest_test

import (
	"math"

	"qpipe/ops/kernel"
)

// noise is a fixed sequence of values in [-1, 1).
func noise(n, seed int) []float32 {
	x := make([]float32, n)
	for i := range x {
		_, f := math.Modf(math.Abs(math.Sin(float64(i*7919+seed*104729+1)) * 43758.5453))
		x[i] = float32(2*f - 1)
	}
	return x
}

// noiseCodes is a fixed sequence of codes.
func noiseCodes(n, seed int) []uint8 {
	x := make([]uint8, n)
	for i, v := range noise(n, seed) {
		x[i] = uint8(128 + 127*v)
	}
	return x
}

// forwardConv, backwardData and int8Conv pack the weights and run the whole.
func forwardConv(s *kernel.Set, p *kernel.Conv, x, w []float32) []float32 {
	packed, y := make([]float32, s.Conv(p).PackSize(p)), make([]float32, p.Rows()*p.OW*p.OutC)
	s.Conv(p).Pack(p, w, packed, 0, p.OutC)
	s.Conv(p).Forward(p, x, packed, y, s.Conv(p).ForwardRoom(p).Make(), 0, p.Rows(), 0, p.OutC)
	return y
}

func backwardData(s *kernel.Set, p *kernel.Conv, dy, w []float32) []float32 {
	packed, dx := make([]float32, s.Conv(p).DataPackSize(p)), make([]float32, p.InRows()*p.W*p.C)
	s.Conv(p).DataPack(p, w, packed, 0, p.C)
	s.Conv(p).BackwardData(p, dy, packed, dx, false, s.Conv(p).BackwardDataRoom(p).Make(), 0, p.InRows())
	return dx
}

// int8Conv returns Σ (x - pad)·w.
func int8Conv(s *kernel.Set, p *kernel.Conv, x []uint8, pad uint8, w []int8) []int32 {
	packed, bias := make([]int8, s.Conv(p).Int8PackSize(p)), make([]int32, p.OutC)
	s.Conv(p).Int8Pack(p, w, packed, bias, 0, p.OutC)
	for o := range bias {
		bias[o] *= -int32(pad)
	}
	acc := make([]int32, p.Rows()*p.OW*p.OutC)
	s.Conv(p).Int8(p, x, pad, packed, bias, &kernel.Int8Out{Acc: acc}, s.Conv(p).Int8Room(p).Make(), 0, p.Rows(), 0, p.OutC)
	return acc
}
