package stdlib

import (
	"qpipe/interp/part"
	"qpipe/ops/curve"
	"qpipe/ops/kernel"
	"qpipe/ops/op"
	"qpipe/stdlib/layers"
)

// layerParts are the layers of networks that are written in a pipeline.
func layerParts() part.Catalog {
	return part.Catalog{
		part.LayerPart("Add", "Sum of two maps of one shape.",
			layers.NoArgs{}, layers.Of(op.Add{})),
		part.LayerPart("AvgPool2d", "Mean over windows.",
			layers.AvgPoolDefaults(), layers.NewAvgPool2d),
		part.LayerPart("BasicResBlock", "Residual block of ResNet-18: two 3×3 convolutions and a shortcut.",
			layers.BasicResBlockArgs{ResidualArgs: layers.ResidualDefaults()}, layers.NewBasicResBlock),
		part.LayerPart("BatchNorm2d", "Batch normalization.",
			layers.BatchNormDefaults(), layers.NewBatchNorm2d),
		part.LayerPart("BottleNeck", "Residual block of ResNet-50: convolutions of 1×1, 3×3 and 1×1, and a shortcut.",
			layers.BottleNeckArgs{ResidualArgs: layers.ResidualDefaults()}, layers.NewBottleNeck),
		part.LayerPart("Concat", "Joins maps of one height and width along the channels.",
			layers.NoArgs{}, layers.Of(op.Concat{})),
		part.LayerPart("Conv2d", "Convolution.",
			layers.Conv2dDefaults(), layers.NewConv2d),
		part.LayerPart("ConvModule2d", "Convolution, BatchNorm and activation.",
			layers.ConvModuleDefaults(), layers.NewConvModule2d),
		part.LayerPart("Flatten", "All features of an image in one row, in PyTorch's order: channel, row, column.",
			layers.NoArgs{}, layers.Of(op.Flatten{})),
		part.LayerPart("GlobalAvgPool2d", "Mean over each channel.",
			layers.NoArgs{}, layers.Of(op.GlobalAvgPool{})),
		part.LayerPart("Hardswish", "x·min(max(x+3, 0), 6)/6.",
			layers.NoArgs{}, layers.Of(curve.Pointwise{Function: "hard_swish"})),
		part.LayerPart("InvertedResidual", "Block of MobileNetV2: expansion, depthwise convolution and projection, added to the input where the shape is the same.",
			layers.InvertedResidualDefaults(), layers.NewInvertedResidual),
		part.LayerPart("Linear", "Fully connected layer over all features.",
			layers.LinearDefaults(), layers.NewLinear),
		part.LayerPart("MaxPool2d", "Maximum over windows.",
			layers.MaxPoolArgs{}, layers.NewMaxPool2d),
		part.LayerPart("Mul", "Product of two maps; an extent of 1 is repeated, so that 1×1×C scales channels.",
			layers.NoArgs{}, layers.Of(op.Mul{})),
		part.LayerPart("ReLU", "max(x, 0).",
			layers.NoArgs{}, layers.Of(op.Act{Act: kernel.ReLU})),
		part.LayerPart("ReLU6", "min(max(x, 0), 6).",
			layers.NoArgs{}, layers.Of(op.Act{Act: kernel.ReLU6})),
	}
}
