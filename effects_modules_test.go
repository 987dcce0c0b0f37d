package main

// moduleEffects adds those of modules.
func moduleEffects(add func(typ, base string, variants ...map[string][2]string), norm map[string][2]string) {
	act := map[string][2]string{"act": {`"relu"`, `"silu"`}}
	window := map[string][2]string{
		"kernel_size": {"3", "[3, 5]"}, "stride": {"1", "2"}, "padding": {"1", "0"}, "dilation": {"1", "2"},
		"dw_act": {`"none"`, `"relu6"`}, "pw_act": {`"hard_swish"`, `"relu"`},
	}
	out := map[string][2]string{"out_channels": {"4", "6"}}
	add("SeparableConvModule2d", "out_channels = 4\nkernel_size = 3", window, norm, out)
	add("SeparableGroupConvModule2d", "dw_channels = 4\npw_channels = 4\nkernel_size = 3", window, norm,
		map[string][2]string{"dw_channels": {"4", "8"}, "pw_channels": {"4", "6"}, "groups": {"1", "2"}})
	add("BasicVarGBlock", "mid_channels = 4\nout_channels = 4\ngroup_base = 2", norm, act, out, map[string][2]string{
		"mid_channels": {"4", "6"}, "kernel_size": {"3", "5"}, "stride": {"1", "2"}, "factor": {"1", "2"}, "group_base": {"2", "4"}, "merge_branch": {"false", "true"},
	})
	add("SEBlock", "squeeze_channels = 2", act, map[string][2]string{"squeeze_channels": {"2", "3"}, "gate": {`"sigmoid"`, `"hard_sigmoid"`}})
	add("MBConv", "out_channels = 4", norm, act, out, map[string][2]string{
		"kernel_size": {"3", "5"}, "stride": {"1", "2"}, "expand_ratio": {"1", "2"}, "se_ratio": {"0.25", "0"}, "gate": {`"sigmoid"`, `"hard_sigmoid"`},
	})
	add("ConvTransposeModule2d", "out_channels = 4\nkernel_size = 3\nstride = 2", norm, act, out, map[string][2]string{
		"kernel_size": {"3", "[3, 5]"}, "stride": {"1", "2"}, "padding": {"0", "[1, 0]"}, "output_padding": {"0", "1"},
		"dilation": {"1", "2"}, "groups": {"1", "2"}, "bias": {"true", "false"}, "norm": {"true", "false"},
	})
	add("ConvUpsample2d", "out_channels = 4\nkernel_size = 3", norm, act, out, map[string][2]string{
		"kernel_size": {"3", "[3, 5]"}, "stride": {"1", "2"}, "padding": {"1", "[1, 2, 0, 1]"}, "auto_pad": {`"same_upper"`, `"valid"`},
		"dilation": {"1", "2"}, "groups": {"1", "2"}, "bias": {"true", "false"}, "norm": {"true", "false"},
		"scale_factor": {"1", "2"}, "mode": {`"nearest"`, `"bilinear"`},
	})
	add("ShuffleUnit", "out_channels = 6\nstride = 2", norm, act, map[string][2]string{"out_channels": {"6", "8"}, "stride": {"2", "3"}})
	add("FireModule", "squeeze_channels = 2\nexpand1x1_channels = 3\nexpand3x3_channels = 3\nnorm = true", norm, act, map[string][2]string{
		"squeeze_channels": {"2", "3"}, "expand1x1_channels": {"3", "4"}, "expand3x3_channels": {"3", "4"}, "norm": {"true", "false"},
	})
	add("DenseBlock", "num_layers = 2\ngrowth_rate = 2", norm, act, map[string][2]string{"num_layers": {"2", "1"}, "growth_rate": {"2", "3"}, "bn_size": {"4", "2"}})
	add("Transition", "out_channels = 4", norm, act, out)
}
