package stdlib

import (
	"qpipe/interp/part"
	"qpipe/ops/op"
	"qpipe/stdlib/layers"
)

// mapParts are the layers of one op that change the shape of a map: those that pool, reduce, resize, cut and reorder.
func mapParts() part.Catalog {
	return part.Catalog{
		part.LayerPart("AdaptiveAvgPool2d", "Means of blocks, so many that the output has a given size.",
			layers.AdaptivePoolArgs{}, layers.NewAdaptiveAvgPool2d),
		part.LayerPart("AdaptiveMaxPool2d", "Maxima of blocks, so many that the output has a given size.",
			layers.AdaptivePoolArgs{}, layers.NewAdaptiveMaxPool2d),
		part.LayerPart("AvgPool2d", "Mean over windows.",
			layers.AvgPoolDefaults(), layers.NewAvgPool2d),
		part.LayerPart("ChannelShuffle", "Mixes the channels of groups, as in ShuffleNet.",
			layers.GroupsArgs{}, layers.NewChannelShuffle),
		part.LayerPart("Flatten", "All features of an image in one row, in PyTorch's order: channel, row, column. Ops that mix or choose features (Softmax, Concat, PReLU) come in front of it; Linear flattens by itself.",
			layers.NoArgs{}, layers.Of(op.Flatten{})),
		part.LayerPart("GlobalAvgPool2d", "Mean over each channel.",
			layers.NoArgs{}, layers.Of(op.GlobalAvgPool{})),
		part.LayerPart("GlobalMaxPool2d", "Maximum of each channel.",
			layers.NoArgs{}, layers.Of(op.GlobalMaxPool{})),
		part.LayerPart("MaxPool2d", "Maximum over windows.",
			layers.MaxPoolDefaults(), layers.NewMaxPool2d),
		part.LayerPart("Pad", "A map with a border.",
			layers.PadDefaults(), layers.NewPad),
		part.LayerPart("Permute", "A map with its axes in another order.",
			layers.PermuteArgs{}, layers.NewPermute),
		part.LayerPart("PixelShuffle", "Makes pixels out of channels.",
			layers.UpscaleArgs{}, layers.NewPixelShuffle),
		part.LayerPart("PixelUnshuffle", "Makes channels out of pixels.",
			layers.DownscaleArgs{}, layers.NewPixelUnshuffle),
		part.LayerPart("ReduceMax", "Maximum along axes.",
			layers.ReduceArgs{}, layers.Reduce("max")),
		part.LayerPart("ReduceMean", "Mean along axes.",
			layers.ReduceArgs{}, layers.Reduce("mean")),
		part.LayerPart("ReduceSum", "Sum along axes.",
			layers.ReduceArgs{}, layers.Reduce("sum")),
		part.LayerPart("Reshape", "A map with another shape, its elements in PyTorch's order.",
			layers.ReshapeArgs{}, layers.NewReshape),
		part.LayerPart("Slice", "A part of a map: rows, columns or channels from start to before end.",
			layers.SliceDefaults(), layers.NewSlice),
		part.LayerPart("Upsample", "A map with more, or fewer, pixels: nearest or bilinear.",
			layers.UpsampleDefaults(), layers.NewUpsample),
	}
}
