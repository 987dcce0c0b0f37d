package avx512

import "qpipe/ops/kernel/pass"

// passLoops are the loops of the elementwise passes, reductions and pools.
func passLoops() pass.Loops {
	return pass.Loops{
		Lanes:  16,
		Affine: affine, AffineQuant: affineQuant, AffineRange: affineRange, GateAffine: gateAffine,
		Requantize: requantize, Dequantize: dequantize, Quantize: quantize, FakeQuant: fakeQuant,
		Widen: widen, Values: values, EncodeWeights: encodeWeights, WeightGrad: weightGrad,
		Gate: gate, GateAdd: gateAdd, AddTo: addTo, SGD: sgd, SGDNesterov: sgdNesterov,
		Finite: finite, MinMax: minMax,
		ChannelStats: channelStats, ChannelRange: channelRange, GateSums: gateSums,
		MaxPool: maxPool, MaxPoolCodes: maxPoolCodes, MaxPoolCodesIndex: maxPoolCodesIndex,
		AvgPool: avgPool, AvgSpread: avgSpread, SumPool: sumPool,
	}
}
