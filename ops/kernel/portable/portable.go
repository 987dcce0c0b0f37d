// Package portable turns the signatures of ops/kernel into pure Go that is as
// fast as it reasonably gets: convolutions are matrix products over small tiles
// of unrolled patches, computed in blocks that fit the registers; depthwise ones
// and elementwise passes are direct loops without bounds checks. Every sum is
// formed in an order that neither a tile nor a range changes, every product is
// rounded on its own, so the bytes are the same on every machine. It refuses
// assembly and unsafe.
package portable

import (
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/ref"
)

// Set returns the portable kernels. The gradient of max pooling, which only
// scatters, is the reference's.
func Set() *kernel.Set {
	s := ref.Set()
	s.Name = "portable"
	s.ConvForward, s.ConvForwardSize = ConvForward, ConvForwardSize
	s.ConvBackwardData, s.ConvBackwardDataSize = ConvBackwardData, ConvBackwardDataSize
	s.ConvBackwardWeights, s.ConvBackwardWeightsSize = ConvBackwardWeights, ConvBackwardWeightsSize
	s.ConvInt8, s.ConvInt8Size = ConvInt8, ConvInt8Size
	s.Requantize, s.Dequantize = Requantize, Dequantize
	s.Quantize, s.FakeQuant, s.FakeQuantBackward = Quantize, FakeQuant, FakeQuantBackward
	s.MinMax, s.ChannelSums = MinMax, ChannelSums
	s.ScaleShift, s.ActBackward, s.Add, s.AddTo = ScaleShift, ActBackward, Add, AddTo
	s.MaxPool, s.MaxPoolInt8 = MaxPool, MaxPoolInt8
	s.AvgPool, s.AvgPoolBackward, s.SumPoolInt8 = AvgPool, AvgPoolBackward, SumPoolInt8
	s.SGD = SGD
	return s
}
