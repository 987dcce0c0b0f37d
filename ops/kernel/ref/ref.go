// Package ref is the definition of the kernels in ops/kernel: one file per kernel, the gradient below the forward
// function, simple loops in their natural order. A doc comment is the formula that every other set must match: bit by
// bit if the result is integer or elementwise, within rounding if it is a float sum over a window or over pixels (here
// sums are formed in float64 and rounded once). Packed weights are copies. It is simple and slow; the other sets are
// fast.
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
		Product:         Product,
		Dequantize:      Dequantize,
		Widen:           Widen,
		Values:          Values,
		Lookup:          Lookup,
		Formula:         Formula,
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
