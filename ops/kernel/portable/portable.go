// Package portable implements ops/kernel in pure Go that is as fast as is reasonable: convolutions are matrix products
// over small tiles of unrolled patches, computed in blocks that fit the registers; depthwise ones and elementwise
// passes are direct loops without bounds checks. The order of every sum does not depend on tiles or ranges, and every
// product is rounded separately, so the bytes are the same on every machine. It has no assembly and no unsafe.
package portable

import (
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/ref"
)

// Set returns the portable kernels. The gradient of max pooling, which only
// scatters, is the reference's.
func Set() *kernel.Set {
	conv := kernel.ConvKernels{
		Pack: ConvPack, PackSize: (*kernel.Conv).WeightLen,
		Forward: ConvForward, ForwardRoom: ConvForwardRoom,
		DataPack: ConvDataPack, DataPackSize: (*kernel.Conv).WeightLen,
		BackwardData: ConvBackwardData, BackwardDataRoom: ConvBackwardDataRoom,
		BackwardWeights: ConvBackwardWeights, BackwardWeightsRoom: ConvBackwardWeightsRoom,
		Int8Pack: ConvInt8Pack, Int8PackSize: ConvInt8PackSize,
		Int8: ConvInt8, Int8Room: ConvInt8Room,
	}
	return &kernel.Set{
		Name:  "portable",
		Block: 4, // channels that ConvInt8 computes at a time
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
		MaxPoolBackward: ref.MaxPoolBackward,
		MaxPoolInt8:     MaxPoolInt8,
		AvgPool:         AvgPool,
		AvgPoolBackward: AvgPoolBackward,
		SumPoolInt8:     SumPoolInt8,
		SGD:             SGD,
		Finite:          Finite,
	}
}
