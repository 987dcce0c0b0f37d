// Package stdlib is the table of the parts that qpipe brings along: one row
// each, with its defaults. Adding a part is a file on a shelf and a row here.
package stdlib

import (
	"qpipe/interp/stage"
	"qpipe/stdlib/callbacks"
	"qpipe/stdlib/converters"
	"qpipe/stdlib/datasets"
	"qpipe/stdlib/losses"
	"qpipe/stdlib/lrupdaters"
	"qpipe/stdlib/metrics"
	"qpipe/stdlib/models"
	"qpipe/stdlib/observers"
	"qpipe/stdlib/optimizers"
	"qpipe/stdlib/transforms"
)

// Catalog returns the table. It is the caller's: appending to it changes nothing else.
func Catalog() stage.Catalog {
	return stage.Catalog{
		stage.ModelPart("ConvNet", "Six 3×3 convolutions in three stages and one linear layer.",
			models.ConvNetDefaults(), models.NewConvNet),
		stage.ModelPart("LeNet", "Two convolutions with pooling and one linear layer.",
			models.LeNetDefaults(), models.NewLeNet),
		stage.ModelPart("LeNet5", "LeNet-5 of convolutions with BatchNorm, 6, 16, 120 and 84 channels, for images of 28×28.",
			models.LeNet5Defaults(), models.NewLeNet5),
		stage.ModelPart("MobileNetV2", "Inverted residuals with depthwise convolutions, for small images or ImageNet's.",
			models.MobileNetV2Defaults(), models.NewMobileNetV2),
		stage.ModelPart("ResNet", "Residual network of basic or bottleneck blocks, for small images or ImageNet's.",
			models.ResNetDefaults(), models.NewResNet),

		stage.DatasetPart("CIFAR10", "CIFAR-10, or other data in its binary layout: 32×32 RGB, ten classes.",
			datasets.CIFAR10Defaults(), datasets.NewCIFAR10),
		stage.DatasetPart("Glyphs", "Built-in: characters drawn from fonts, distorted, on a noisy background; needs no file.",
			datasets.GlyphsDefaults(), datasets.NewGlyphs),
		stage.DatasetPart("MNIST", "MNIST or Fashion-MNIST, from IDX files: 28×28 grey, ten classes.",
			datasets.MNISTDefaults(), datasets.NewMNIST),

		stage.TransformPart("Normalize", "Says how pixels become the network's input: (pixel/255 - mean)/std.",
			transforms.NormalizeArgs{}, transforms.NewNormalize),
		stage.TransformPart("RandomCrop", "Pads the image and cuts a square out of it at a random place.",
			transforms.RandomCropArgs{}, transforms.NewRandomCrop),
		stage.TransformPart("RandomFlip", "Mirrors the image at random.",
			transforms.RandomFlipDefaults(), transforms.NewRandomFlip),

		stage.OptimizerPart("SGD", "Stochastic gradient descent with momentum, Nesterov and weight decay.",
			optimizers.SGDArgs{}, optimizers.NewSGD),

		stage.LRUpdaterPart("CosLrUpdater", "Lets the learning rate fall along half a cosine, after a warm-up.",
			lrupdaters.CosDefaults(), lrupdaters.NewCos),
		stage.LRUpdaterPart("StepDecayLrUpdater", "Multiplies the learning rate by a factor at given epochs or steps, after a warm-up.",
			lrupdaters.StepDecayDefaults(), lrupdaters.NewStepDecay),

		stage.LossPart("CrossEntropyLoss", "Softmax and negative log-likelihood, mean over the batch.",
			losses.CrossEntropyArgs{}, losses.NewCrossEntropy),

		stage.MetricPart("Accuracy", "Share of images whose largest logit is that of their label: accuracy.",
			metrics.AccuracyArgs{}, metrics.NewAccuracy),
		stage.MetricPart("TopKAccuracy", "Share of images whose label is among the k largest logits: top5_accuracy, after its k.",
			metrics.TopKDefaults(), metrics.NewTopKAccuracy),

		stage.ObserverPart("fixed_scale", "The scale is given; no data is looked at.",
			observers.FixedScaleArgs{}, observers.NewFixedScale),
		stage.ObserverPart("min_max", "The range of the values, as a moving average over batches.",
			observers.MinMaxDefaults(), observers.NewMinMax),
		stage.ObserverPart("mse", "The shrunken range that loses least in the mean square.",
			observers.MSEDefaults(), observers.NewMSE),
		stage.ObserverPart("percentile", "The range that holds a given share of the values.",
			observers.PercentileDefaults(), observers.NewPercentile),

		stage.CallbackPart("Checkpoint", "Writes the last, the best and numbered checkpoints.",
			callbacks.CheckpointDefaults(), stage.NotTaken, stage.NotTaken, callbacks.NewCheckpoint),
		stage.CallbackPart("ExponentialMovingAverage", "Keeps a moving average of the weights, for evaluation.",
			callbacks.EMADefaults(), stage.NotTaken, stage.NotTaken, callbacks.NewEMA),
		stage.CallbackPart("FreezeBN", "Makes BNs keep their running statistics, from the first step or its `when` on.",
			callbacks.FreezeBNArgs{}, stage.Optional, stage.Optional, callbacks.NewFreezeBN),
		stage.CallbackPart("FuseBN", "Absorbs BNs into their convolutions during training.",
			callbacks.FuseBNDefaults(), stage.Required, stage.Optional, callbacks.NewFuseBN),
		stage.CallbackPart("Validation", "Says when the stage validates.",
			callbacks.ValidationDefaults(), stage.NotTaken, stage.NotTaken, callbacks.NewValidation),

		stage.ConverterPart("Float2Calibration", "Fuses the float model and makes it observe ranges.",
			converters.FormArgs{}, stage.FloatForm, stage.CalibrationForm, converters.NewFloat2Calibration),
		stage.ConverterPart("Float2QAT", "Fuses the float model and makes it train with fake quantization.",
			converters.FormArgs{}, stage.FloatForm, stage.QATForm, converters.NewFloat2QAT),
		stage.ConverterPart("LoadCheckpoint", "Loads a checkpoint into the model as it is at this place.",
			converters.LoadCheckpointDefaults(), stage.AnyForm, stage.AnyForm, converters.NewLoadCheckpoint),
		stage.ConverterPart("QAT2Quantize", "Absorbs what is left of BN and makes the int8 model.",
			converters.FormArgs{}, stage.QATForm, stage.QuantizedForm, converters.NewQAT2Quantize),
	}
}
