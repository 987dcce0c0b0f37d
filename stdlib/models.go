package stdlib

import (
	"qpipe/interp/part"
	"qpipe/stdlib/models"
)

// modelParts are the networks that come with qpipe.
func modelParts() part.Catalog {
	return part.Catalog{
		part.ModelPart("ConvNet", "Six 3×3 convolutions in three stages and one linear layer.",
			models.ConvNetDefaults(), models.NewConvNet),
		part.ModelPart("DenseNet", "DenseNet-BC: blocks in which every layer reads all maps before it, for small images or ImageNet's.",
			models.DenseNetDefaults(), models.NewDenseNet),
		part.ModelPart("DSCNN", "DS-CNN of MLPerf Tiny: separable convolutions for spoken words, 49×10 features.",
			models.DSCNNDefaults(), models.NewDSCNN),
		part.ModelPart("EfficientNet", "EfficientNet B0, its larger variants, and EfficientNet-lite, for small images or ImageNet's.",
			models.EfficientNetDefaults(), models.NewEfficientNet),
		part.ModelPart("LeNet", "Two convolutions with pooling and one linear layer.",
			models.LeNetDefaults(), models.NewLeNet),
		part.ModelPart("LeNet5", "LeNet-5 of convolutions with BatchNorm, 6, 16, 120 and 84 channels, for images of 28×28.",
			models.LeNet5Defaults(), models.NewLeNet5),
		part.ModelPart("MobileNetV1", "Depthwise convolutions with 1×1 convolutions behind them, for small images or larger ones.",
			models.MobileNetV1Defaults(), models.NewMobileNetV1),
		part.ModelPart("MobileNetV2", "Inverted residuals with depthwise convolutions, for small images or ImageNet's.",
			models.MobileNetV2Defaults(), models.NewMobileNetV2),
		part.ModelPart("MobileNetV3", "Inverted residuals with squeeze-and-excitation and hard-swish, small or large.",
			models.MobileNetV3Defaults(), models.NewMobileNetV3),
		part.ModelPart("Network", "A network that is written in the pipeline, layer by layer.",
			models.NetworkArgs{}, models.NewNetwork),
		part.ModelPart("ONNX", "The network of an ONNX file, with its weights.",
			models.ONNXArgs{}, models.NewONNX),
		part.ModelPart("ResNet", "Residual network of basic or bottleneck blocks, for small images or ImageNet's.",
			models.ResNetDefaults(), models.NewResNet),
		part.ModelPart("ShuffleNetV2", "Units of two branches whose channels are mixed, for small images or ImageNet's.",
			models.ShuffleNetV2Defaults(), models.NewShuffleNetV2),
		part.ModelPart("SqueezeNet", "Fire modules: narrow convolutions, and two side by side behind each.",
			models.SqueezeNetDefaults(), models.NewSqueezeNet),
		part.ModelPart("UNet", "U-Net: smaller and smaller maps, and larger and larger ones that see them; a class for each pixel.",
			models.UNetDefaults(), models.NewUNet),
		part.ModelPart("VGG", "Five stages of 3×3 convolutions and three linear layers, with or without BatchNorm.",
			models.VGGDefaults(), models.NewVGG),
	}
}
