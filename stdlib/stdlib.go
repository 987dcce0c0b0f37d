// Package stdlib is the table of the parts that come with qpipe: one row each, with its defaults. To add a part, add a
// file to a shelf and a row here.
package stdlib

import (
	"slices"

	"qpipe/interp/part"
	"qpipe/stdlib/callbacks"
	"qpipe/stdlib/converters"
	"qpipe/stdlib/exporters"
	"qpipe/stdlib/losses"
	"qpipe/stdlib/lrupdaters"
	"qpipe/stdlib/metrics"
	"qpipe/stdlib/observers"
	"qpipe/stdlib/optimizers"
	"qpipe/stdlib/scalars"
)

// Catalog returns the table. It belongs to the caller: appending to it changes nothing else.
func Catalog() part.Catalog {
	return slices.Concat(dataParts(), layerParts(), mapParts(), moduleParts(), modelParts(), part.Catalog{
		part.OptimizerPart("SGD", "Stochastic gradient descent with momentum, Nesterov and weight decay.",
			optimizers.SGDArgs{}, optimizers.NewSGD),

		part.LRUpdaterPart("CosLrUpdater", "Lowers the learning rate along half a cosine, after a warm-up.",
			lrupdaters.CosDefaults(), lrupdaters.NewCos),
		part.LRUpdaterPart("StepDecayLrUpdater", "Multiplies the learning rate by a factor at given epochs or steps, after a warm-up.",
			lrupdaters.StepDecayDefaults(), lrupdaters.NewStepDecay),

		part.LossPart("CrossEntropyLoss", "Softmax and negative log-likelihood, mean over the batch.",
			losses.CrossEntropyArgs{}, losses.NewCrossEntropy),

		part.MetricPart("Accuracy", "Share of images whose largest logit is that of their label: accuracy.",
			metrics.AccuracyArgs{}, metrics.NewAccuracy),
		part.MetricPart("MeanIoU", "Intersection over union of the pixels that have a label and those that get it, as a mean over the labels: mean_iou.",
			metrics.MeanIoUArgs{}, metrics.NewMeanIoU),
		part.MetricPart("TopKAccuracy", "Share of images whose label is among the k largest logits, named after k: top5_accuracy.",
			metrics.TopKDefaults(), metrics.NewTopKAccuracy),

		part.ObserverPart("fixed_scale", "A given scale, whatever the data.",
			observers.FixedScaleArgs{}, observers.NewFixedScale),
		part.ObserverPart("min_max", "The range of the values, as a moving average over batches.",
			observers.MinMaxDefaults(), observers.NewMinMax),
		part.ObserverPart("mse", "The shrunken range with the smallest mean squared error.",
			observers.MSEDefaults(), observers.NewMSE),
		part.ObserverPart("percentile", "The range that contains a given share of the values.",
			observers.PercentileDefaults(), observers.NewPercentile),

		part.CallbackPart("Checkpoint", "Writes the last, the best and numbered checkpoints.",
			callbacks.CheckpointDefaults(), part.NotTaken, part.NotTaken, callbacks.NewCheckpoint),
		part.CallbackPart("CSVLogger", "Writes what is measured into a table.",
			scalars.CSVLoggerDefaults(), part.NotTaken, part.NotTaken, scalars.NewCSVLogger),
		part.CallbackPart("ExponentialMovingAverage", "Keeps a moving average of the weights, for evaluation.",
			callbacks.EMADefaults(), part.NotTaken, part.NotTaken, callbacks.NewEMA),
		part.CallbackPart("FreezeBN", "Makes BNs keep their running statistics, from the first step or its `when` on.",
			callbacks.FreezeBNArgs{}, part.Optional, part.Optional, callbacks.NewFreezeBN),
		part.CallbackPart("FuseBN", "Absorbs BNs into their convolutions during training.",
			callbacks.FuseBNDefaults(), part.Required, part.Optional, callbacks.NewFuseBN),
		part.CallbackPart("TensorBoard", "Writes what is measured into an event file for TensorBoard.",
			scalars.TensorBoardDefaults(), part.NotTaken, part.NotTaken, scalars.NewTensorBoard),
		part.CallbackPart("Validation", "Decides when the stage validates.",
			callbacks.ValidationDefaults(), part.NotTaken, part.NotTaken, callbacks.NewValidation),

		part.ExporterPart("Encodings", "Scales and ranges of an int8 model as JSON, in the layout of AIMET's encodings, version 0.6.1.",
			exporters.EncodingsDefaults(), exporters.NewEncodings),
		part.ExporterPart("ONNX", "An ONNX model: the int8 model as integer ops or with QuantizeLinear and DequantizeLinear, or a float model.",
			exporters.ONNXDefaults(), exporters.NewONNX),

		part.ConverterPart("Float2Calibration", "Fuses the float model and makes it observe ranges.",
			converters.FormArgs{}, part.FloatForm, part.CalibrationForm, converters.NewFloat2Calibration),
		part.ConverterPart("Float2QAT", "Fuses the float model and makes it train with fake quantization.",
			converters.FormArgs{}, part.FloatForm, part.QATForm, converters.NewFloat2QAT),
		part.ConverterPart("LoadCheckpoint", "Loads a checkpoint into the model as it is at this point.",
			converters.LoadCheckpointDefaults(), part.AnyForm, part.AnyForm, converters.NewLoadCheckpoint),
		part.ConverterPart("QAT2Quantize", "Absorbs the remaining BNs and builds the int8 model.",
			converters.FormArgs{}, part.QATForm, part.QuantizedForm, converters.NewQAT2Quantize),
	})
}
