package main

import (
	"fmt"
	"maps"
	"strings"
)

// layerEffects are two values for each argument of each layer, in a network with the layer in its middle.
func layerEffects() map[string]effect {
	conv := map[string][2]string{
		"out_channels": {"4", "6"}, "kernel_size": {"3", "[3, 5]"}, "stride": {"1", "2"}, "padding": {"1", "[1, 2, 0, 1]"},
		"auto_pad": {`"same_upper"`, `"valid"`},
		"dilation": {"1", "2"}, "groups": {"1", "2"}, "bias": {"true", "false"},
	}
	norm := map[string][2]string{"bn_eps": {"1e-5", "1e-2"}, "bn_momentum": {"0.1", "0.5"}}
	residual := map[string][2]string{"stride": {"1", "2"}, "act": {`"relu"`, `"hard_swish"`}}
	maps.Copy(residual, norm)
	pool := map[string][2]string{"kernel_size": {"2", "[2, 3]"}, "stride": {"1", "[2, 1]"}, "padding": {"0", "1"}, "auto_pad": {`"same_lower"`, `"valid"`}, "ceil_mode": {"false", "true"}}
	all := map[string]effect{}
	add := func(typ string, base string, variants ...map[string][2]string) {
		for _, values := range variants {
			for attr, v := range values {
				all["layer."+typ+"."+attr] = effect{a: layerSlots(typ, base, attr, v[0]), b: layerSlots(typ, base, attr, v[1])}
			}
		}
	}
	add("Conv2d", "out_channels = 4\nkernel_size = 3", conv)
	add("ConvModule2d", "out_channels = 4\nkernel_size = 3", conv, norm, map[string][2]string{"norm": {"true", "false"}, "act": {`"relu6"`, `"none"`}})
	add("BatchNorm2d", "", map[string][2]string{"eps": {"1e-5", "1e-2"}, "momentum": {"0.1", "0.5"}})
	add("Linear", "out_features = 5", map[string][2]string{"out_features": {"5", "6"}, "bias": {"true", "false"}, "per_pixel": {"false", "true"}})
	add("BasicResBlock", "out_channels = 4", residual, map[string][2]string{"out_channels": {"4", "6"}})
	add("BottleNeck", "mid_channels = 2", residual, map[string][2]string{"mid_channels": {"2", "3"}})
	add("InvertedResidual", "out_channels = 4", residual, map[string][2]string{"out_channels": {"4", "6"}, "expand_ratio": {"2", "3"}})
	add("MaxPool2d", "kernel_size = 2\nstride = 2", pool, map[string][2]string{"dilation": {"1", "2"}})
	add("AvgPool2d", "kernel_size = 2\nstride = 2", pool)
	add("AvgPool2d", "kernel_size = 2\npadding = 1", map[string][2]string{"count_include_pad": {"true", "false"}})
	add("ConvTranspose2d", "out_channels = 4\nkernel_size = 3\nstride = 2", map[string][2]string{
		"out_channels": {"4", "6"}, "kernel_size": {"3", "[3, 5]"}, "stride": {"1", "2"}, "padding": {"0", "[1, 0]"}, "output_padding": {"0", "1"},
		"dilation": {"1", "2"}, "groups": {"1", "2"}, "bias": {"true", "false"},
	})
	add("LeakyReLU", "", map[string][2]string{"negative_slope": {"0.01", "0.5"}})
	add("ELU", "", map[string][2]string{"alpha": {"1", "0.5"}})
	add("Hardsigmoid", "", map[string][2]string{"alpha": {"1 / 6", "0.2"}, "beta": {"0.5", "0.4"}})
	add("Power", "exponent = 2", map[string][2]string{"exponent": {"2", "3"}})
	add("Clip", "min = -1\nmax = 1", map[string][2]string{"min": {"-1", "-0.5"}, "max": {"1", "0.5"}})
	add("GELU", "", map[string][2]string{"approximate": {`"none"`, `"tanh"`}})
	add("PReLU", "", map[string][2]string{"per_channel": {"false", "true"}})
	add("Scale", "", map[string][2]string{"init": {"1", "0.5"}, "bias": {"false", "true"}})
	add("Softmax", "", map[string][2]string{"dim": {`"channels"`, `"width"`}})
	add("LogSoftmax", "", map[string][2]string{"dim": {`"channels"`, `"height"`}})
	add("Slice", "end = 3", map[string][2]string{"axis": {`"channels"`, `"height"`}, "start": {"0", "1"}, "end": {"3", "2"}, "step": {"1", "2"}})
	add("Pad", "padding = 1", map[string][2]string{"padding": {"1", "[1, 0, 2, 3]"}, "mode": {`"constant"`, `"reflect"`}, "value": {"0", "0.5"}})
	add("Reshape", "height = 7\nwidth = 7\nchannels = 4", map[string][2]string{"height": {"7", "8"}, "width": {"7", "8"}, "channels": {"4", "5"}})
	add("ChannelShuffle", "", map[string][2]string{"groups": {"1", "2"}})
	add("PixelShuffle", "", map[string][2]string{"upscale_factor": {"1", "2"}})
	add("PixelUnshuffle", "", map[string][2]string{"downscale_factor": {"1", "7"}})
	resized(add)
	moduleEffects(add, norm)
	return all
}

// resized are two values for each argument of layers that resize, reduce or reorder.
func resized(add func(typ, base string, variants ...map[string][2]string)) {
	add("Upsample", "", map[string][2]string{"size": {"5", "[5, 9]"}, "scale_factor": {"1.5", "[1, 2]"}, "nearest_mode": {`"floor"`, `"ceil"`}})
	add("Upsample", "size = [5, 9]", map[string][2]string{"mode": {`"nearest"`, `"bilinear"`}})
	add("Upsample", "size = [5, 9]\nmode = \"bilinear\"", map[string][2]string{
		"align_corners": {"true", "false"}, "coordinate_transformation_mode": {`"half_pixel"`, `"asymmetric"`},
	})
	for _, typ := range []string{"AdaptiveAvgPool2d", "AdaptiveMaxPool2d"} {
		add(typ, "", map[string][2]string{"output_size": {"3", "[3, 0]"}})
	}
	for _, typ := range []string{"ReduceMean", "ReduceSum", "ReduceMax"} {
		add(typ, "", map[string][2]string{"axes": {`["height"]`, `["channels", "width"]`}})
	}
	add("Conv1d", "out_channels = 4\nkernel_size = 3", map[string][2]string{
		"out_channels": {"4", "6"}, "kernel_size": {"3", "2"}, "stride": {"1", "2"}, "padding": {"0", "1"}, "dilation": {"1", "2"}, "groups": {"1", "2"}, "bias": {"true", "false"},
	})
	eps := map[string][2]string{"eps": {"1e-5", "1e-2"}}
	add("GroupNorm", "num_groups = 2", eps, map[string][2]string{"num_groups": {"2", "4"}, "affine": {"true", "false"}})
	add("InstanceNorm2d", "", eps, map[string][2]string{"affine": {"true", "false"}})
	add("LayerNorm", "", eps, map[string][2]string{"over": {`"channels"`, `"all"`}, "elementwise_affine": {"true", "false"}})
	add("Dropout", "", map[string][2]string{"p": {"0.1", "0.4"}})
	add("Dropout2d", "", map[string][2]string{"p": {"0.1", "0.4"}})
	add("Permute", "", map[string][2]string{"dims": {`["channels", "height", "width"]`, `["width", "channels", "height"]`}})
}

// layerSlots is a network with a layer whose other arguments are base.
func layerSlots(typ, base, attr, value string) slots {
	before := map[string]string{"Conv1d": "layer \"ReduceMean\" \"row\" { axes = [\"height\"] }"}
	var args []string
	for line := range strings.Lines(base) {
		if !strings.HasPrefix(line, attr+" ") {
			args = append(args, strings.TrimSpace(line))
		}
	}
	return slots{
		"model": fmt.Sprintf(`
model "Network" "net" {
layer "ConvModule2d" "stem" {
out_channels = 4
kernel_size = 3
stride = 4
act = "none"
}
%s
layer %q "tried" {
%s
%s = %s
}
layer "Linear" "head" { out_features = 10 }
}
`, before[typ], typ, strings.Join(args, "\n"), attr, value), "override": "",
		"train": "num_samples = 8", "test": "split = \"test\"\nnum_samples = 4", "trainer": "num_steps = 2\nbatch_size = 4",
	}
}
