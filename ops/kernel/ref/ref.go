// Package ref turns the signatures of ops/kernel into their definition: one file
// per kernel, the gradient below the forward, flat loops in the order in which
// one would say them. A doc comment is the loop that every other set must equal:
// bit by bit where the result is integer, within rounding where it is float
// (sums are formed in float64 here and rounded once). It refuses to be clever;
// it knows no scratch, no tiles and no order of memory.
package ref

import "qpipe/ops/kernel"

// Set returns the reference kernels.
func Set() *kernel.Set {
	return &kernel.Set{
		Name:                    "ref",
		ConvForward:             ConvForward,
		ConvForwardSize:         noScratch,
		ConvBackwardData:        ConvBackwardData,
		ConvBackwardDataSize:    noScratch,
		ConvBackwardWeights:     ConvBackwardWeights,
		ConvBackwardWeightsSize: noScratch,
		ConvInt8:                ConvInt8,
		ConvInt8Size:            noScratch,
		Requantize:              Requantize,
		Dequantize:              Dequantize,
		Quantize:                Quantize,
		FakeQuant:               FakeQuant,
		FakeQuantBackward:       FakeQuantBackward,
		MinMax:                  MinMax,
		ChannelSums:             ChannelSums,
		ScaleShift:              ScaleShift,
		ActBackward:             ActBackward,
		Add:                     Add,
		AddTo:                   AddTo,
		MaxPool:                 MaxPool,
		MaxPoolBackward:         MaxPoolBackward,
		MaxPoolInt8:             MaxPoolInt8,
		AvgPool:                 AvgPool,
		AvgPoolBackward:         AvgPoolBackward,
		SumPoolInt8:             SumPoolInt8,
		SGD:                     SGD,
	}
}

// noScratch is the scratch size of a kernel that needs none.
func noScratch(*kernel.Conv) int { return 0 }
