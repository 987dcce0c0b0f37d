package depthwise

import "qpipe/ops/kernel"

// Install makes the kernels those of a set.
func (d Kernels) Install(set *kernel.Set) {
	d.base = set
	set.Depthwise = kernel.ConvKernels{
		Pack: d.Pack, PackSize: d.PackSize,
		Forward: d.Forward, ForwardRoom: func(*kernel.Conv) kernel.Room { return kernel.Room{} },
		DataPack: d.DataPack, DataPackSize: d.PackSize,
		BackwardData: d.BackwardData, BackwardDataRoom: d.DataRoom,
		BackwardWeights: d.BackwardWeights, BackwardWeightsRoom: d.WeightsRoom,
		Int8Pack: d.Int8Pack, Int8PackSize: d.Int8PackSize,
		Int8: d.Int8, Int8Room: d.Int8Room,
	}
}
