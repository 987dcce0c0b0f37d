package stdlib

import (
	"qpipe/interp/part"
	"qpipe/stdlib/layers"
)

// moduleParts are the layers that consist of several: the blocks of well-known networks.
func moduleParts() part.Catalog {
	return part.Catalog{
		part.LayerPart("BasicResBlock", "Residual block of ResNet-18: two 3×3 convolutions and a shortcut.",
			layers.BasicResBlockArgs{ResidualArgs: layers.ResidualDefaults()}, layers.NewBasicResBlock),
		part.LayerPart("BasicVarGBlock", "Block of VarGNet: two group convolutions with 1×1 convolutions behind them, and a shortcut.",
			layers.BasicVarGBlockDefaults(), layers.NewBasicVarGBlock),
		part.LayerPart("BottleNeck", "Residual block of ResNet-50: convolutions of 1×1, 3×3 and 1×1, and a shortcut.",
			layers.BottleNeckArgs{ResidualArgs: layers.ResidualDefaults()}, layers.NewBottleNeck),
		part.LayerPart("ConvModule2d", "Convolution, BatchNorm and activation.",
			layers.ConvModuleDefaults(), layers.NewConvModule2d),
		part.LayerPart("ConvTransposeModule2d", "Transposed convolution, BatchNorm and activation.",
			layers.ConvTransposeModuleDefaults(), layers.NewConvTransposeModule2d),
		part.LayerPart("ConvUpsample2d", "Convolution, BatchNorm, activation, and a larger map.",
			layers.ConvUpsampleDefaults(), layers.NewConvUpsample2d),
		part.LayerPart("DenseBlock", "Block of DenseNet: layers that read all maps before them.",
			layers.DenseBlockDefaults(), layers.NewDenseBlock),
		part.LayerPart("FireModule", "Module of SqueezeNet: a narrow convolution, and two side by side behind it.",
			layers.FireModuleDefaults(), layers.NewFireModule),
		part.LayerPart("InvertedResidual", "Block of MobileNetV2: expansion, depthwise convolution and projection, added to the input where the shape is the same.",
			layers.InvertedResidualDefaults(), layers.NewInvertedResidual),
		part.LayerPart("MBConv", "Block of EfficientNet: expansion, depthwise convolution, squeeze-and-excitation and projection, added to the input where the shape is the same.",
			layers.MBConvDefaults(), layers.NewMBConv),
		part.LayerPart("SEBlock", "Squeeze-and-excitation: multiplies every channel by a number that follows from the means of all.",
			layers.SEBlockDefaults(), layers.NewSEBlock),
		part.LayerPart("SeparableConvModule2d", "Depthwise convolution and 1×1 convolution, each with BatchNorm and activation.",
			layers.SeparableConvDefaults(), layers.NewSeparableConvModule2d),
		part.LayerPart("SeparableGroupConvModule2d", "Group convolution and 1×1 convolution, each with BatchNorm and activation.",
			layers.SeparableGroupConvDefaults(), layers.NewSeparableGroupConvModule2d),
		part.LayerPart("ShuffleUnit", "Unit of ShuffleNetV2: two branches whose channels are mixed.",
			layers.ShuffleUnitArgs{ResidualArgs: layers.ResidualDefaults()}, layers.NewShuffleUnit),
		part.LayerPart("Transition", "Between two blocks of DenseNet: BatchNorm, activation, 1×1 convolution, and means of 2×2.",
			layers.TransitionDefaults(), layers.NewTransition),
	}
}
