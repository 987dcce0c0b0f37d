// Package ref turns the signatures of ops/kernel into their definition: one file
// per kernel, the gradient below the forward, flat loops in the order in which
// one would say them. A doc comment is the loop that every other set must equal:
// bit by bit where the result is integer or elementwise, within rounding where it
// is a float sum over a window or over pixels (sums are formed in float64 here and
// rounded once). Packed weights are copies. It refuses to be clever;
// other sets are fast.
package ref

import "qpipe/ops/kernel"

// Set returns the reference kernels.
func Set() *kernel.Set {
	conv := kernel.ConvKernels{
		Pack: ConvPack, PackSize: (*kernel.Conv).WeightLen,
		Forward: ConvForward, ForwardRoom: noRoom,
		DataPack: ConvDataPack, DataPackSize: (*kernel.Conv).WeightLen,
		BackwardData: ConvBackwardData, BackwardDataRoom: noRoom,
		BackwardWeights: ConvBackwardWeights, BackwardWeightsRoom: noRoom,
		Int8Pack: ConvInt8Pack, Int8PackSize: (*kernel.Conv).WeightLen,
		Int8: ConvInt8, Int8Room: noRoom,
	}
	return &kernel.Set{
		Name:  "ref",
		Block: 1,
		Dense: conv, Depthwise: conv,
		EncodeWeights:   EncodeWeights,
		WeightGrad:      WeightGrad,
		Requantize:      Requantize,
		Dequantize:      Dequantize,
		Widen:           Widen,
		Values:          Values,
		Quantize:        Quantize,
		FakeQuant:       FakeQuant,
		MinMax:          MinMax,
		ChannelStats:    ChannelStats,
		ChannelRange:    ChannelRange,
		Affine:          Affine,
		AffineQuant:     AffineQuant,
		AffineRange:     AffineRange,
		GateSums:        GateSums,
		GateAffine:      GateAffine,
		Gate:            Gate,
		AddTo:           AddTo,
		MaxPool:         MaxPool,
		MaxPoolBackward: MaxPoolBackward,
		MaxPoolInt8:     MaxPoolInt8,
		AvgPool:         AvgPool,
		AvgPoolBackward: AvgPoolBackward,
		SumPoolInt8:     SumPoolInt8,
		SGD:             SGD,
		Finite:          Finite,
	}
}

// noRoom is the room of a kernel that needs no scratch.
func noRoom(*kernel.Conv) kernel.Room { return kernel.Room{} }
