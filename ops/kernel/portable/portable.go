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

// Set returns the portable kernels. Those that are not worth a second version
// (sums that are bound by memory, gradients that scatter) are the reference's.
func Set() *kernel.Set {
	s := ref.Set()
	s.Name = "portable"
	s.ConvForward, s.ConvForwardSize = ConvForward, ConvForwardSize
	s.ConvBackwardData, s.ConvBackwardDataSize = ConvBackwardData, ConvBackwardDataSize
	s.ConvBackwardWeights, s.ConvBackwardWeightsSize = ConvBackwardWeights, ConvBackwardWeightsSize
	s.ConvInt8, s.ConvInt8Size = ConvInt8, ConvInt8Size

	return s
}
