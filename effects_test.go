package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nlpodyssey/safetensors"

	"qpipe/interp/artifact"
	"qpipe/interp/cli"
	parts "qpipe/interp/reference"
	"qpipe/interp/runs"
	"qpipe/lang/config"
	"qpipe/lang/program"
	"qpipe/stdlib"
)

// slots are the places of effectPipeline where a pair of values is tried, with their default content.
type slots map[string]string

func defaultSlots() slots {
	return slots{
		"settings": "", "type": "Glyphs", "train": "num_samples = 32", "test": "split = \"test\"\nnum_samples = 32",
		"model":      `model "LeNet" "net" { width = 4 }`,
		"override":   "override \"head.fc\" {\nactivation { dtype = \"float32\" }\n}",
		"activation": "", "weight": "",
		"trainer": "num_epochs = 2\nbatch_size = 8", "optimizer": "lr = 0.05\nmomentum = 0.9", "updater": "", "loss": "",
		"stage": "", "val": "val_data = dataset.test", "validation": "", "callback": "",
		"load": "checkpoint_path = stage.float.checkpoint.last", "mode": `qat_mode = "with_bn"`, "qconfig": "qconfig = qconfig.q",
		"calibrator": "num_steps = 2\nbatch_size = 8", "calibration": "", "qat": "", "qat_trainer": "", "int8": "", "output": "",
	}
}

// effectPipeline is a whole flow, float to int8, of a few steps each.
func effectPipeline(s slots) string {
	text := `
qpipe { {settings} }
dataset "{type}" "train" { {train} }
dataset "{type}" "test" { {test} }
{model}
qconfig "q" {
activation { {activation} }
weight { {weight} }
{override}
}
stage "float" {
model = model.net
train_data = dataset.train
{val}
{stage}
trainer {
{trainer}
optimizer "SGD" { {optimizer} }
{updater}
{loss}
}
{validation}
{callback}
}
stage "calibration" {
model = model.net
train_data = dataset.train
val_data = dataset.test
model_convert_pipeline {
{mode}
{qconfig}
converter "LoadCheckpoint" { {load} }
converter "Float2Calibration" {}
}
calibrator { {calibrator} }
{calibration}
}
stage "qat" {
model = model.net
train_data = dataset.train
val_data = dataset.test
model_convert_pipeline {
{mode}
{qconfig}
converter "Float2QAT" {}
converter "LoadCheckpoint" { checkpoint_path = stage.calibration.checkpoint.last }
}
trainer {
num_epochs = 2
batch_size = 8
{qat_trainer}
optimizer "SGD" { lr = 0.01 }
}
{qat}
}
stage "int8" {
model = model.net
val_data = dataset.test
{int8}
model_convert_pipeline {
{mode}
{qconfig}
converter "Float2QAT" {}
converter "LoadCheckpoint" { checkpoint_path = stage.qat.checkpoint.last }
converter "QAT2Quantize" {}
}
}
{output}
`
	all := defaultSlots()
	maps.Copy(all, s)
	text = strings.ReplaceAll(text, "{type}", all["type"])
	for name, value := range all {
		text = strings.ReplaceAll(text, "{"+name+"}", "\n"+value+"\n")
	}
	return text
}

// twoHeads is a network with two outputs.
const twoHeads = `model "Network" "net" {
layer "Conv2d" "mask" {
out_channels = 11
kernel_size = 3
padding = 1
}
layer "GlobalAvgPool2d" "pool" {}
layer "Linear" "fc" { out_features = 10 }
output "class" { from = layer.fc }
output "mask" { from = layer.mask }
}`

// effect is a pair of values of an attribute that must give two different results, or the reason why no two values do:
// then both give the same one.
type effect struct {
	a, b   slots
	until  string // the stage that shows it: "float" by default
	reason string
}

// effects has every attribute that validate accepts: of parts by kind, type and argument, of
// the language's own blocks by block and attribute.
func effects(t *testing.T) map[string]effect {
	in := func(slot, a, b string) effect { return effect{a: slots{slot: a}, b: slots{slot: b}} }
	until := func(stage string, e effect) effect { e.until = stage; return e }
	heads := func(slot, a, b string) effect { // with a network of two outputs
		e := in(slot, a, b)
		for _, s := range []slots{e.a, e.b} {
			s["model"], s["override"] = twoHeads, ""
			s["train"], s["test"] = "num_samples = 32\ntarget = \"both\"", "num_samples = 32\nsplit = \"test\"\ntarget = \"both\""
			loss, metric := `loss "CrossEntropyLoss" { output = "class" }`, "validation {\nmetric \"Accuracy\" { output = \"class\" }\n}"
			if slot != "loss" {
				s["loss"] = loss
			}
			if slot != "validation" {
				s["validation"] = metric
			}
			s["calibration"], s["qat"], s["qat_trainer"], s["int8"] = metric, metric, loss, metric
		}
		return e
	}
	all := map[string]effect{
		"qpipe.seed":             in("settings", "seed = 1", "seed = 2"),
		"qpipe.threads":          {a: slots{"settings": "threads = 1"}, b: slots{"settings": "threads = 3"}, reason: "the bytes are the same for any number of threads"},
		"qpipe.required_version": in("settings", `required_version = ">= 0.0.1"`, `required_version = ">= 99"`),

		"stage.model":        in("model", `model "LeNet" "net" { width = 4 }`, `model "LeNet5" "net" {}`),
		"stage.train_data":   in("train", "num_samples = 32", "num_samples = 32\nseed = 3"),
		"stage.val_data":     in("val", "val_data = dataset.test", ""),
		"stage.depends_on":   in("stage", "", "depends_on = [stage.qat]"),
		"stage.proof_images": until("int8", in("int8", "proof_images = 5", `proof_images = "all"`)),

		"model_convert_pipeline.qat_mode": until("qat", in("mode", `qat_mode = "with_bn"`, `qat_mode = "with_bn_reverse_fold"`)),
		"model_convert_pipeline.qconfig":  until("calibration", in("qconfig", "qconfig = qconfig.q", "")),

		"trainer.num_epochs":           in("trainer", "num_epochs = 1\nbatch_size = 8", "num_epochs = 2\nbatch_size = 8"),
		"trainer.num_steps":            in("trainer", "num_steps = 3\nbatch_size = 8", "num_steps = 4\nbatch_size = 8"),
		"trainer.batch_size":           in("trainer", "num_epochs = 2\nbatch_size = 8", "num_epochs = 2\nbatch_size = 16"),
		"trainer.drop_last":            in("trainer", "num_epochs = 2\nbatch_size = 12\ndrop_last = true", "num_epochs = 2\nbatch_size = 12\ndrop_last = false"),
		"trainer.resume_optimizer":     until("next", in("output", next("resume_optimizer = false\nresume_epoch_or_step = false"), next("resume_optimizer = true\nresume_epoch_or_step = false"))),
		"trainer.resume_epoch_or_step": until("next", in("output", next("resume_optimizer = true\nresume_epoch_or_step = false"), next("resume_optimizer = true\nresume_epoch_or_step = true"))),

		"calibrator.num_steps":  until("calibration", in("calibrator", "num_steps = 1\nbatch_size = 8", "num_steps = 2\nbatch_size = 8")),
		"calibrator.batch_size": until("calibration", in("calibrator", "num_steps = 2\nbatch_size = 8", "num_steps = 2\nbatch_size = 4")),
		"validation.batch_size": {a: slots{"validation": "validation { batch_size = 1 }"}, b: slots{"validation": "validation { batch_size = 7 }"}, reason: "it bounds memory; a model is evaluated image by image"},

		"loss.output":   heads("loss", `loss "CrossEntropyLoss" { output = "class" }`, `loss "CrossEntropyLoss" { output = "mask" }`),
		"loss.target":   heads("loss", "loss \"CrossEntropyLoss\" {\noutput = \"class\"\ntarget = \"class\"\n}", "loss \"CrossEntropyLoss\" {\noutput = \"class\"\ntarget = \"mask\"\n}"),
		"loss.weight":   heads("loss", "loss \"CrossEntropyLoss\" {\noutput = \"class\"\nweight = 1\n}", "loss \"CrossEntropyLoss\" {\noutput = \"class\"\nweight = 0.5\n}"),
		"metric.output": heads("validation", "validation {\nmetric \"Accuracy\" { output = \"class\" }\n}", "validation {\nmetric \"Accuracy\" { output = \"mask\" }\n}"),
		"metric.target": heads("validation", "validation {\nmetric \"Accuracy\" {\noutput = \"mask\"\ntarget = \"mask\"\n}\n}", "validation {\nmetric \"Accuracy\" {\noutput = \"mask\"\ntarget = \"class\"\n}\n}"),
		"qconfig.target": until("calibration", effect{
			a: slots{"model": residual, "override": `target = "horizon"`}, b: slots{"model": residual, "override": `target = "onnxruntime"`},
		}),
		"observer.fixed_scale.zero_point": until("calibration", in("activation", "scheme = \"affine\"\nobserver = \"fixed_scale\"\nscale = 0.1", "scheme = \"affine\"\nobserver = \"fixed_scale\"\nscale = 0.1\nzero_point = 9")),

		"activation.dtype":      until("calibration", in("activation", `dtype = "int8"`, `dtype = "int4"`)),
		"activation.scheme":     until("int8", in("activation", `scheme = "symmetric"`, `scheme = "affine"`)),
		"activation.scale_rule": until("int8", in("activation", `scale_rule = "max"`, `scale_rule = "half_range"`)),
		"activation.rounding": { // pixels as they are, and a step of two: every odd one is a tie
			a: slots{"train": bytesAsTheyAre(), "test": "split = \"test\"\n" + bytesAsTheyAre(), "override": twos("half_even")},
			b: slots{"train": bytesAsTheyAre(), "test": "split = \"test\"\n" + bytesAsTheyAre(), "override": twos("half_up")}, until: "qat",
		},
		"activation.per_channel": in("activation", "per_channel = false", "per_channel = true"),
		"activation.observer":    until("calibration", in("activation", `observer = "min_max"`, "observer = \"percentile\"\npercentile = 90")),
		"weight.dtype":           until("calibration", in("weight", `dtype = "int8"`, `dtype = "int4"`)),
		"weight.scheme":          in("weight", `scheme = "symmetric"`, `scheme = "affine"`),
		"weight.scale_rule":      until("calibration", in("weight", `scale_rule = "max"`, `scale_rule = "half_range"`)),
		"weight.rounding":        until("qat", in("weight", "scale_rule = \"half_range\"\nrounding = \"half_even\"", "scale_rule = \"half_range\"\nrounding = \"half_up\"")),
		"weight.per_channel":     until("calibration", in("weight", "per_channel = true", "per_channel = false")),
		"weight.observer":        in("weight", `observer = "min_max"`, `observer = "mse"`),
		"override.selector":      until("calibration", in("override", "override \"head.fc\" {\nactivation { dtype = \"float32\" }\n}\noverride \"backbone.conv1\" {\nweight { dtype = \"int4\" }\n}", "override \"head.fc\" {\nactivation { dtype = \"float32\" }\n}\noverride \"backbone.conv2\" {\nweight { dtype = \"int4\" }\n}")),

		"optimizer.SGD.lr":           in("optimizer", "lr = 0.05", "lr = 0.04"),
		"optimizer.SGD.momentum":     in("optimizer", "lr = 0.05\nmomentum = 0.9", "lr = 0.05\nmomentum = 0.8"),
		"optimizer.SGD.weight_decay": in("optimizer", "lr = 0.05\nweight_decay = 0.1", "lr = 0.05"),
		"optimizer.SGD.nesterov":     in("optimizer", "lr = 0.05\nmomentum = 0.9\nnesterov = true", "lr = 0.05\nmomentum = 0.9"),

		"loss.CrossEntropyLoss.label_smoothing": in("loss", `loss "CrossEntropyLoss" {}`, `loss "CrossEntropyLoss" { label_smoothing = 0.1 }`),
		"metric.TopKAccuracy.k":                 in("validation", "validation {\nmetric \"TopKAccuracy\" { k = 2 }\n}", "validation {\nmetric \"TopKAccuracy\" { k = 7 }\n}"),

		"callback.Checkpoint.monitor":                    in("callback", `callback "Checkpoint" { monitor = "loss" }`, `callback "Checkpoint" { monitor = "" }`),
		"callback.Checkpoint.mode":                       in("callback", "callback \"Checkpoint\" {\n monitor = \"loss\"\n mode = \"max\"\n}", "callback \"Checkpoint\" {\n monitor = \"loss\"\n mode = \"min\"\n}"),
		"callback.Checkpoint.interval":                   in("callback", `callback "Checkpoint" { interval = 1 }`, `callback "Checkpoint" { interval = 2 }`),
		"callback.Checkpoint.interval_steps":             in("callback", `callback "Checkpoint" { interval_steps = 3 }`, `callback "Checkpoint" { interval_steps = 2 }`),
		"callback.Checkpoint.keep":                       in("callback", "callback \"Checkpoint\" {\ninterval = 1\nkeep = 1\n}", "callback \"Checkpoint\" {\ninterval = 1\nkeep = 2\n}"),
		"callback.CSVLogger.file":                        in("callback", `callback "CSVLogger" {}`, `callback "CSVLogger" { file = "table.csv" }`),
		"callback.CSVLogger.interval_steps":              in("callback", `callback "CSVLogger" {}`, `callback "CSVLogger" { interval_steps = 2 }`),
		"callback.TensorBoard.interval_steps":            in("callback", `callback "TensorBoard" { interval_steps = 2 }`, `callback "TensorBoard" { interval_steps = 3 }`),
		"callback.ExponentialMovingAverage.decay":        in("callback", `callback "ExponentialMovingAverage" { decay = 0.9 }`, `callback "ExponentialMovingAverage" { decay = 0.5 }`),
		"callback.ExponentialMovingAverage.warmup_steps": in("callback", `callback "ExponentialMovingAverage" { decay = 0.9 }`, "callback \"ExponentialMovingAverage\" {\ndecay = 0.9\nwarmup_steps = 50\n}"),
		"callback.Validation.interval":                   in("callback", `callback "Validation" { interval = 1 }`, `callback "Validation" { interval = 2 }`),
		"callback.Validation.interval_steps":             in("callback", "callback \"Validation\" {\ninterval = 0\ninterval_steps = 3\n}", "callback \"Validation\" {\ninterval = 0\ninterval_steps = 2\n}"),
		"callback.FreezeBN.when":                         in("callback", `callback "FreezeBN" { when = "step 3" }`, `callback "FreezeBN" { when = "step 5" }`),
		"callback.FreezeBN.modules":                      in("callback", `callback "FreezeBN" { modules = ["backbone.conv1"] }`, `callback "FreezeBN" { modules = ["backbone.conv2"] }`),
		"callback.FuseBN.when":                           until("qat", in("qat", `callback "FuseBN" { when = "step 2" }`, `callback "FuseBN" { when = "step 4" }`)),
		"callback.FuseBN.modules":                        until("qat", in("qat", fuse("backbone.conv1", "keep"), fuse("backbone.conv2", "keep"))),
		"callback.FuseBN.weight_scale":                   until("qat", in("qat", fuse("backbone.*", "keep"), fuse("backbone.*", "recompute"))),

		"transform.Mixup.alpha":  in("train", mixing("Mixup", "alpha = 0.2"), mixing("Mixup", "alpha = 5")),
		"transform.Mixup.prob":   in("train", mixing("Mixup", "prob = 0.2"), mixing("Mixup", "prob = 1")),
		"transform.CutMix.alpha": in("train", mixing("CutMix", "alpha = 0.2"), mixing("CutMix", "alpha = 5")),
		"transform.CutMix.prob":  in("train", mixing("CutMix", "prob = 0.2"), mixing("CutMix", "prob = 1")),

		"dataset.Concat.datasets": {a: concatenated("datasets = [dataset.a]"), b: concatenated("datasets = [dataset.b]")},
		"dataset.Concat.repeat":   {a: concatenated("datasets = [dataset.a]\nrepeat = [1]"), b: concatenated("datasets = [dataset.a]\nrepeat = [2]")},
		"dataset.Concat.balance":  {a: concatenated("datasets = [dataset.a]"), b: concatenated("datasets = [dataset.a]\nbalance = true")},

		"export.Encodings.file": until("int8", in("int8", `export "Encodings" {}`, `export "Encodings" { file = "net.encodings" }`)),
		"export.ONNX.glue": until("int8", effect{
			a: slots{"model": residual, "override": "", "int8": "export \"ONNX\" {\nformat = \"qoperator\"\nglue = true\n}"},
			b: slots{"model": residual, "override": "", "int8": "export \"ONNX\" {\nformat = \"qoperator\"\nglue = false\n}"},
		}),
		"export.ONNX.file":        until("int8", in("int8", `export "ONNX" {}`, `export "ONNX" { file = "net.onnx" }`)),
		"export.ONNX.format":      until("int8", in("int8", `export "ONNX" {}`, `export "ONNX" { format = "qoperator" }`)),
		"export.ONNX.opset":       until("int8", in("int8", `export "ONNX" {}`, `export "ONNX" { opset = 13 }`)),
		"export.ONNX.batch_size":  until("int8", in("int8", `export "ONNX" {}`, `export "ONNX" { batch_size = 4 }`)),
		"export.ONNX.activations": until("int8", in("int8", `export "ONNX" {}`, `export "ONNX" { activations = "uint8" }`)),

		"observer.min_max.averaging_constant":    until("calibration", in("activation", "averaging_constant = 0", "averaging_constant = 1")),
		"observer.mse.averaging_constant":        until("calibration", in("activation", "observer = \"mse\"\naveraging_constant = 0", "observer = \"mse\"\naveraging_constant = 1")),
		"observer.mse.num_candidates":            until("calibration", in("activation", "dtype = \"int4\"\nobserver = \"mse\"\nnum_candidates = 3", "dtype = \"int4\"\nobserver = \"mse\"\nnum_candidates = 70")),
		"observer.percentile.averaging_constant": until("calibration", in("activation", "observer = \"percentile\"\naveraging_constant = 0", "observer = \"percentile\"\naveraging_constant = 1")),
		"observer.percentile.percentile":         until("calibration", in("activation", "observer = \"percentile\"\npercentile = 90", "observer = \"percentile\"\npercentile = 80")),
		"observer.fixed_scale.scale":             until("calibration", in("activation", "observer = \"fixed_scale\"\nscale = 0.1", "observer = \"fixed_scale\"\nscale = 0.2")),
	}
	for name, attrs := range map[string]map[string][2]string{
		"Glyphs": {
			"num_samples": {"32", "40"}, "offset": {"0", "8"}, "classes": {`"0123456789"`, `"9876543210"`}, "seed": {"0", "1"}, "rotation": {"20", "5"},
			"scale": {"0.25", "0.1"}, "shear": {"0.25", "0"}, "shift": {"3", "1"}, "clutter": {"3", "0"}, "noise": {"0.25", "0.1"}, "contrast": {"0.3", "0.8"}, "invert": {"0.5", "0"},
			"split": {`"train"`, `"validation"`}, "target": {`"class"`, `"mask"`},
		},
		"MNIST":   {"split": {`"train"`, `"test"`}, "val_samples": {"8", "16"}, "seed": {"1", "2"}, "offset": {"0", "8"}, "max_samples": {"32", "24"}, "class_names": renamedClasses()},
		"CIFAR10": {"split": {`"train"`, `"test"`}, "files": {`["data_batch_1.bin"]`, `["test_batch.bin"]`}, "val_samples": {"8", "16"}, "seed": {"1", "2"}, "offset": {"0", "8"}, "max_samples": {"32", "24"}, "class_names": renamedClasses()},
	} {
		frame := ""
		if name != "Glyphs" {
			frame = fmt.Sprintf("root = %q\n", tinyData(t, name, 1))
			all["dataset."+name+".root"] = effect{
				a: slots{"type": name, "train": frame + "max_samples = 32", "test": frame + "max_samples = 32\nsplit = \"test\""},
				b: slots{"type": name, "train": fmt.Sprintf("root = %q\nmax_samples = 32", tinyData(t, name, 2)), "test": frame + "max_samples = 32\nsplit = \"test\""},
			}
		}
		for attr, v := range attrs {
			with := func(value string) slots {
				train := frame + attr + " = " + value
				switch {
				case name == "MNIST" && attr == "val_samples":
					train += "\nsplit = \"validation\"\nmax_samples = 8"
				case name == "MNIST" && attr != "max_samples":
					train += "\nmax_samples = 32"
				}
				if attr == "seed" && name != "Glyphs" {
					train += "\nval_samples = 16" // which images are held out
				}
				if attr != "num_samples" && name == "Glyphs" {
					train += "\nnum_samples = 32"
				}
				test := frame + "split = \"test\"\n" + map[string]string{"Glyphs": "num_samples = 32", "MNIST": "max_samples = 32"}[name]
				return slots{"type": name, "train": train, "test": test}
			}
			all["dataset."+name+"."+attr] = effect{a: with(v[0]), b: with(v[1])}
		}
	}
	maps.Copy(all, imageEffects(t))
	maps.Copy(all, shapesEffects())
	maps.Copy(all, tableEffects(t))
	for name, attrs := range map[string]map[string][2]string{
		"RandomCrop": {"size": {"28", "24"}, "padding": {"0", "4"}, "fill": {"0", "200"}},
		"RandomFlip": {"p": {"0.5", "1"}, "direction": {`"horizontal"`, `"vertical"`}},
		"Normalize":  {"mean": {"[0.5]", "[0.2]"}, "std": {"[0.5]", "[0.2]"}},
	} {
		for attr, v := range attrs {
			with := func(value string) slots {
				rest := ""
				switch {
				case name == "RandomCrop" && attr != "size":
					rest = "size = 28\n"
				case name == "Normalize" && attr == "mean":
					rest = "std = [0.5]\n"
				case name == "Normalize":
					rest = "mean = [0.5]\n"
				}
				if attr == "fill" {
					rest += "padding = 4\n"
				}
				tr := fmt.Sprintf("\ntransform %q {\n%s%s = %s\n}", name, rest, attr, value)
				s := slots{"train": defaultSlots()["train"] + tr}
				if attr == "size" { // both data sets need one shape
					s["test"] = defaultSlots()["test"] + tr
				}
				return s
			}
			all["transform."+name+"."+attr] = effect{a: with(v[0]), b: with(v[1])}
		}
	}
	for name, attrs := range map[string]map[string][2]string{
		"CosLrUpdater":       {"stop_lr": {"0", "0.01"}, "update_by": {`"step"`, `"epoch"`}},
		"StepDecayLrUpdater": {"lr_decay_id": {"[1]", "[2]"}, "lr_decay_factor": {"0.1", "0.5"}, "update_by": {`"step"`, `"epoch"`}},
	} {
		attrs["warmup_by"], attrs["warmup_len"], attrs["warmup_begin_lr"] = [2]string{`"epoch"`, `"step"`}, [2]string{"0", "1"}, [2]string{"0", "0.01"}
		for attr, v := range attrs {
			with := func(value string) slots {
				lines := attr + " = " + value + "\n"
				if name == "StepDecayLrUpdater" && attr != "lr_decay_id" {
					lines += "lr_decay_id = [1]\n"
				}
				if strings.HasPrefix(attr, "warmup_") && attr != "warmup_len" {
					lines += "warmup_len = 1\n"
				}
				return slots{"updater": fmt.Sprintf("lr_updater %q {\n%s}", name, lines), "trainer": "num_epochs = 3\nbatch_size = 8"}
			}
			all["lr_updater."+name+"."+attr] = effect{a: with(v[0]), b: with(v[1])}
		}
	}
	maps.Copy(all, loadEffects(t))
	maps.Copy(all, layerEffects())
	maps.Copy(all, modelEffects())
	return all
}

// concatenated trains on data sets that are put together; of the first one some classes are rarer than others.
func concatenated(train string) slots {
	return slots{
		"type": "Concat", "train": train, "test": "datasets = [dataset.c]",
		"output": "dataset \"Glyphs\" \"a\" { num_samples = 32 }\ndataset \"Glyphs\" \"b\" {\nnum_samples = 32\nseed = 1\n}\n" +
			"dataset \"Glyphs\" \"c\" {\nnum_samples = 32\nsplit = \"test\"\n}",
	}
}

// mixing is a data set whose batches are mixed.
func mixing(transform, arg string) string {
	return fmt.Sprintf("num_samples = 32\ntransform %q { %s }", transform, arg)
}

// bytesAsTheyAre are the lines of a data set whose inputs are the pixels' bytes.
func bytesAsTheyAre() string {
	return "num_samples = 32\ntransform \"Normalize\" {\nmean = [0]\nstd = [1 / 255]\n}"
}

// twos quantizes the input in steps of two.
func twos(rounding string) string {
	return fmt.Sprintf("override \"input\" {\nactivation {\nobserver = \"fixed_scale\"\nscale = 2\nrounding = %q\n}\n}\noverride \"head.fc\" {\nactivation { dtype = \"float32\" }\n}", rounding)
}

func renamedClasses() [2]string {
	return [2]string{`["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]`, `["j", "b", "c", "d", "e", "f", "g", "h", "i", "a"]`}
}

func fuse(modules, scale string) string {
	return fmt.Sprintf("callback \"FuseBN\" {\nwhen = \"step 2\"\nmodules = [%q]\nweight_scale = %q\n}", modules, scale)
}

// next is a stage that continues the float one.
func next(how string) string {
	return `
stage "next" {
model = model.net
train_data = dataset.train
val_data = dataset.test
model_convert_pipeline {
converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.last }
}
trainer {
num_epochs = 3
batch_size = 8
` + how + `
optimizer "SGD" {
lr = 0.05
momentum = 0.9
}
}
}`
}

// loadEffects are those of LoadCheckpoint, on files made for them.
func loadEffects(t *testing.T) map[string]effect {
	dir := t.TempDir()
	made := func(name, seed string, callback string) string {
		out := filepath.Join(dir, name)
		if result, log := runEffect(t, slots{"settings": "seed = " + seed, "callback": callback}, "float", out); strings.HasPrefix(result, "exit code") {
			t.Fatalf("%s: %s\n%s", name, result, log)
		}
		return filepath.Join(out, "float", "last.safetensors")
	}
	one, two, ema := made("one", "1", ""), made("two", "2", ""), made("ema", "1", `callback "ExponentialMovingAverage" { decay = 0.9 }`)
	snap, err := artifact.Read(one)
	must(t, err)
	tensors := map[string][]float32{}
	shapes := map[string][]int{}
	for _, v := range snap.Model {
		tensors[v.Name], shapes[v.Name] = v.Data.([]float32), v.Shape
	}
	file := func(name string, change func(tensors map[string][]float32, shapes map[string][]int)) string {
		a, b := maps.Clone(tensors), maps.Clone(shapes)
		change(a, b)
		path := filepath.Join(dir, name+".safetensors")
		writePlain(t, path, a, b)
		return path
	}
	less := file("less", func(a map[string][]float32, _ map[string][]int) { delete(a, "head.fc.bias") })
	more := file("more", func(a map[string][]float32, b map[string][]int) { a["more"], b["more"] = []float32{1}, []int{1} })
	other := file("other", func(a map[string][]float32, b map[string][]int) {
		a["head.fc.bias"], b["head.fc.bias"] = []float32{1, 2, 3}, []int{3}
	})
	renamed := file("renamed", func(a map[string][]float32, b map[string][]int) {
		for _, name := range slices.Collect(maps.Keys(a)) {
			if rest, ok := strings.CutPrefix(name, "head."); ok {
				a["classifier."+rest], b["classifier."+rest] = a[name], b[name]
				delete(a, name)
			}
		}
	})
	damaged := filepath.Join(dir, "damaged.safetensors")
	data, err := os.ReadFile(one)
	must(t, err)
	data[len(data)-2] ^= 1
	must(t, os.WriteFile(damaged, data, 0o600))

	stage := func(path, rest string) slots {
		return slots{"output": fmt.Sprintf("stage \"loaded\" {\nmodel = model.net\nval_data = dataset.test\nmodel_convert_pipeline {\nconverter \"LoadCheckpoint\" {\ncheckpoint_path = %q\n%s\n}\n}\n}", path, rest)}
	}
	pair := func(a, b slots) effect { return effect{a: a, b: b, until: "loaded"} }
	const k = "converter.LoadCheckpoint."
	return map[string]effect{
		k + "checkpoint_path":     pair(stage(one, ""), stage(two, "")),
		k + "allow_miss":          pair(stage(less, ""), stage(less, "allow_miss = true")),
		k + "ignore_extra":        pair(stage(more, ""), stage(more, "ignore_extra = true")),
		k + "ignore_tensor_shape": pair(stage(other, ""), stage(other, "ignore_tensor_shape = true")),
		k + "check_hash":          pair(stage(damaged, ""), stage(damaged, "check_hash = false")),
		k + "load_ema_model":      pair(stage(ema, ""), stage(ema, "load_ema_model = true")),
		k + "names":               pair(stage(one, ""), stage(one, `names = "torchvision"`)), // load.txtar has a model with such names
		k + "rename":              pair(stage(renamed, ""), stage(renamed, `rename = { "classifier" = "head" }`)),
	}
}

// writePlain writes tensors as another tool would.
func writePlain(t *testing.T, path string, tensors map[string][]float32, shapes map[string][]int) {
	t.Helper()
	views := map[string]safetensors.TensorView{}
	for name, values := range tensors {
		var data []byte
		for _, v := range values {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		}
		shape := make([]uint64, len(shapes[name]))
		for i, n := range shapes[name] {
			shape[i] = uint64(n)
		}
		view, err := safetensors.NewTensorView(safetensors.F32, shape, data)
		must(t, err)
		views[name] = view
	}
	b, err := safetensors.Serialize(views, nil)
	must(t, err)
	must(t, os.WriteFile(path, b, 0o600))
}

// tinyData writes 48 images of noise in MNIST's or CIFAR-10's layout, and returns the folder.
func tinyData(t *testing.T, name string, seed uint64) string {
	t.Helper()
	dir, r := t.TempDir(), rand.New(rand.NewPCG(seed, 1))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.IntN(256))
		}
		return b
	}
	const images = 48
	if name == "CIFAR10" {
		for _, file := range []string{"data_batch_1.bin", "validation_batch.bin", "test_batch.bin"} {
			var b []byte
			for i := range images {
				b = append(append(b, byte(i%10)), noise(3072)...)
			}
			must(t, os.WriteFile(filepath.Join(dir, file), b, 0o600))
		}
		return dir
	}
	for _, prefix := range []string{"train", "t10k"} {
		pixels := binary.BigEndian.AppendUint32(nil, 0x803)
		labels := binary.BigEndian.AppendUint32(nil, 0x801)
		for _, n := range []uint32{images, 28, 28} {
			pixels = binary.BigEndian.AppendUint32(pixels, n)
		}
		labels = binary.BigEndian.AppendUint32(labels, images)
		for i := range images {
			pixels, labels = append(pixels, noise(784)...), append(labels, byte(i%10))
		}
		must(t, os.WriteFile(filepath.Join(dir, prefix+"-images-idx3-ubyte"), pixels, 0o600))
		must(t, os.WriteFile(filepath.Join(dir, prefix+"-labels-idx1-ubyte"), labels, 0o600))
	}
	return dir
}

// runEffect runs the pipeline up to a stage and returns the result: the exit code, and what every stage left, with
// names, values and what the files record about images and classes.
func runEffect(t *testing.T, s slots, until, out string) (result, log string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "effect.hcl")
	must(t, os.WriteFile(file, []byte(effectPipeline(s)), 0o600))
	var stdout, stderr bytes.Buffer
	streams := cli.Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr, Environ: environ()}
	code := cli.Main([]string{"run", "-out", out, "-stage", until, file}, streams, stdlib.Catalog())
	m, err := runs.ReadManifest(out)
	if code != 0 || err != nil || m == nil {
		return fmt.Sprintf("exit code %d", code), stderr.String()
	}
	var b strings.Builder
	for _, st := range m.Stages {
		fmt.Fprintf(&b, "%s: %v %v %d", st.Name, map[string]float64(st.Metrics), map[string]float64(st.Best), st.Steps)
		if st.Proof != nil {
			fmt.Fprint(&b, " ", st.Proof.Images)
		}
		for _, a := range st.Artifacts {
			if strings.Contains(a.Name, ".") { // a file for other programs
				fmt.Fprintf(&b, " %s(%d bytes)", a.Name, a.Bytes)
				if !strings.Contains(a.Name, "tfevents") { // which holds times
					fmt.Fprint(&b, a.SHA256)
				}
				continue
			}
			snap, err := artifact.Read(filepath.Join(out, filepath.FromSlash(a.Path)))
			must(t, err)
			h := sha256.New()
			for _, v := range append(slices.Clone(snap.Model), snap.Shadow...) {
				fmt.Fprintln(h, v.Name, v.Shape)
				must(t, binary.Write(h, binary.LittleEndian, v.Data))
			}
			fmt.Fprintf(&b, " %s(epoch %d step %d lr %g classes %v %x)", a.Name, snap.Epoch, snap.Step, snap.LR, snap.Classes, h.Sum(nil)[:8])
		}
		b.WriteString("\n")
	}
	validations, err := os.ReadFile(filepath.Join(out, "metrics.jsonl"))
	must(t, err)
	fmt.Fprintf(&b, "%d validations", bytes.Count(validations, []byte(`"event":"validation"`)))
	return b.String(), stderr.String()
}

// TestEveryAttributeHasAnEffect walks the Catalog and the language's own blocks: for every attribute there are two
// values that give two results (a refusal is one), or a reason why not, and then they give the same one.
func TestEveryAttributeHasAnEffect(t *testing.T) {
	table := effects(t)
	left := maps.Clone(table)
	for _, key := range attributes() {
		e, ok := table[key]
		delete(left, key)
		if !ok {
			t.Errorf("%s: no two values are tried", key)
			continue
		}
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			until := e.until
			if until == "" {
				until = "float"
			}
			try := func(s slots, name string) (result, log string) {
				if e.builds(key) {
					return buildEffect(t, s)
				}
				return runEffect(t, s, until, filepath.Join(t.TempDir(), name))
			}
			a, logA := try(e.a, "a")
			b, logB := try(e.b, "b")
			switch failed := "exit code"; {
			case strings.HasPrefix(a, failed) && strings.HasPrefix(b, failed):
				t.Errorf("neither runs:\n%s%s", logA, logB)
			case e.reason == "" && a == b:
				t.Errorf("both values give\n%s", a)
			case e.reason != "" && a != b:
				t.Errorf("%s, but they give\n%s\nand\n%s", e.reason, a, b)
			}
		})
	}
	for key := range left {
		t.Errorf("%s: there is no such attribute", key)
	}
}

// arguments lists those of a part, and those inside of its blocks.
func arguments(prefix string, args []parts.ArgDoc) (keys []string) {
	for _, a := range args {
		keys = append(keys, prefix+a.Name)
		keys = append(keys, arguments(prefix+a.Name+".", a.Args)...)
	}
	return keys
}

// attributes lists all attributes that a pipeline can have: those of parts from the Catalog, those of blocks from their
// structs.
func attributes() []string {
	var keys []string
	for _, d := range parts.Of(stdlib.Catalog()) {
		keys = append(keys, arguments(fmt.Sprintf("%s.%s.", d.Kind, d.Name), d.Args)...)
		if d.Kind == program.CallbackKind && d.When != "" {
			keys = append(keys, fmt.Sprintf("%s.%s.when", d.Kind, d.Name))
		}
		if d.Kind == program.CallbackKind && d.Modules != "" {
			keys = append(keys, fmt.Sprintf("%s.%s.modules", d.Kind, d.Name))
		}
	}
	for block, of := range map[string]any{
		"qpipe": config.Settings{}, "stage": config.Stage{}, "model_convert_pipeline": config.Convert{}, "trainer": config.Trainer{},
		"calibrator": config.Calibrator{}, "validation": config.Validation{}, "activation": config.Quant{}, "weight": config.Quant{}, "qconfig": config.QConfig{}, "loss": config.Loss{}, "metric": config.Metric{},
	} {
		v := reflect.TypeOf(of)
		for i := range v.NumField() {
			if name, kind, _ := strings.Cut(v.Field(i).Tag.Get("hcl"), ","); kind == "optional" {
				keys = append(keys, block+"."+name)
			}
		}
	}
	return append(keys, "override.selector")
}
