package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"strconv"
	"strings"
)

// modelEffects are two values for each argument of each model.
func modelEffects() map[string]effect {
	type pairs = map[string][2]string
	layouts, mults := [2]string{`"cifar"`, `"imagenet"`}, [2]string{"0.1", "0.35"}
	act := pairs{"act": {`"relu"`, `"relu6"`}}
	drop := pairs{"dropout": {"0", "0.5"}}
	all := map[string]effect{}
	add := func(name, base string, data slots, variants ...pairs) {
		shared := pairs{"num_classes": {"11", "12"}, "bn_eps": {"1e-5", "1e-1"}, "bn_momentum": {"0.1", "0.5"}}
		for _, attrs := range append(variants, shared) {
			for attr, v := range attrs {
				all["model."+name+"."+attr] = effect{a: modelSlots(name, base, attr, v[0], data), b: modelSlots(name, base, attr, v[1], data)}
			}
		}
	}
	add("LeNet", "", nil, act, pairs{"width": {"4", "5"}})
	add("LeNet5", "", nil, act)
	add("ConvNet", "width = 4", nil, act, pairs{"width": {"4", "5"}})
	add("ResNet", "depth = 8\nwidth = 4", nil, act, pairs{"depth": {"8", "14"}, "width": {"4", "8"}, "stem": layouts})
	add("MobileNetV1", "width_mult = 0.1", nil, act, pairs{"width_mult": mults, "strides": layouts})
	add("MobileNetV2", "width_mult = 0.1", nil, act, pairs{"width_mult": mults, "strides": layouts})
	add("MobileNetV3", "width_mult = 0.1", nil, drop, pairs{"width_mult": mults, "strides": layouts, "size": {`"small"`, `"large"`}})
	add("EfficientNet", "width_mult = 0.1\ndepth_mult = 0.3", nil, drop,
		pairs{"width_mult": mults, "strides": layouts, "depth_mult": {"0.3", "0.6"}, "lite": {"false", "true"}})
	add("ShuffleNetV2", "width_mult = 0.5\nstem = \"imagenet\"", nil, act, pairs{"width_mult": {"0.5", "1"}, "stem": layouts})
	add("SqueezeNet", "norm = true\nstem = \"imagenet\"", nil, drop, pairs{"version": {`"1.0"`, `"1.1"`}, "stem": layouts, "norm": {"true", "false"}})
	add("DenseNet", "depth = 40\ngrowth_rate = 2\nbn_size = 2", nil, act,
		pairs{"depth": {"40", "121"}, "growth_rate": {"2", "4"}, "bn_size": {"2", "3"}, "stem": layouts})
	add("VGG", "depth = 11\nwidth = 2\nhidden = 8", nil, act, drop,
		pairs{"depth": {"11", "13"}, "width": {"2", "4"}, "hidden": {"8", "6"}, "norm": {"true", "false"}})
	add("DSCNN", "width = 4\nblocks = 1", nil, act, pairs{"width": {"4", "6"}, "blocks": {"1", "2"}})
	masks := slots{"train": "num_samples = 8\ntarget = \"mask\"", "test": "split = \"test\"\nnum_samples = 4\ntarget = \"mask\""}
	add("UNet", "width = 2\ndepth = 2\nnum_classes = 11", masks, act,
		pairs{"width": {"2", "3"}, "depth": {"2", "1"}, "up": {`"transpose"`, `"nearest"`}})
	file := func(name string) string {
		path, err := filepath.Abs(filepath.Join("testdata/onnx", name))
		if err != nil {
			panic(err)
		}
		return strconv.Quote(filepath.ToSlash(path))
	}
	tiny, beside, named := file("tiny.onnx"), file("beside.onnx"), `["weights.bin"]`
	for attr, v := range (pairs{"path": {tiny, beside + "\nweight_files = " + named}, "weight_files": {named, `["other.bin"]`}, "num_classes": {"11", "12"}, "outputs": {`["5"]`, `["4"]`}}) {
		base := "path = " + tiny
		if attr == "weight_files" {
			base = "path = " + beside
		}
		all["model.ONNX."+attr] = effect{a: modelSlots("ONNX", base, attr, v[0], nil), b: modelSlots("ONNX", base, attr, v[1], nil)}
	}
	return all
}

// modelSlots is a pipeline with a model whose other arguments are base.
func modelSlots(name, base, attr, value string, data slots) slots {
	var lines []string
	for line := range strings.Lines(base) {
		if !strings.HasPrefix(line, attr+" ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	s := slots{"train": "num_samples = 8", "test": "split = \"test\"\nnum_samples = 2", "trainer": "num_steps = 1\nbatch_size = 4", "optimizer": "lr = 0.05", "override": ""}
	if attr == "act" { // ReLU6 differs only if something is above 6
		lines, s["optimizer"], s["trainer"] = append(lines, "bn_eps = 1e-12"), "lr = 20\nmomentum = 0.9", "num_steps = 3\nbatch_size = 4"
	}
	maps.Copy(s, data)
	s["model"] = fmt.Sprintf("model %q \"net\" {\n%s\n%s = %s\n}", name, strings.Join(lines, "\n"), attr, value)
	return s
}
