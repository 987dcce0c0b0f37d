package stdlib

import (
	"errors"
	"testing"

	"qpipe/interp/manual"
	"qpipe/interp/part"
	"qpipe/ops/nn"
	"qpipe/stdlib/layers"
)

// notLayers are the ops that no layer is, and why.
var notLayers = map[string]string{
	"input": "a network has input blocks",
}

// TestEveryOpIsALayer: every op of the table is what some layer of a written network is.
func TestEveryOpIsALayer(t *testing.T) {
	made := manual.Manual{Catalog: Catalog()}.LayersOf()
	for _, op := range nn.Ops() {
		if why := notLayers[op]; (len(made[op]) > 0) == (why != "") {
			t.Errorf("op %q: its layers are %v; reason why it has none: %q", op, made[op], why)
		}
	}
}

// TestLayersRefuse: an argument that no layer can have is refused at its name, before a network is built.
func TestLayersRefuse(t *testing.T) {
	up := func(change func(a *layers.UpsampleArgs)) layers.UpsampleArgs {
		a := layers.UpsampleDefaults()
		change(&a)
		return a
	}
	for _, c := range []struct {
		layer string
		args  any
		attr  string
	}{
		{"Upsample", up(func(a *layers.UpsampleArgs) { a.Size, a.Scale = []int{2}, []float64{2} }), "scale_factor"},
		{"Upsample", up(func(a *layers.UpsampleArgs) { a.Scale = []float64{0} }), "scale_factor"},
		{"Upsample", up(func(a *layers.UpsampleArgs) { a.Scale = []float64{1, 2, 3} }), "scale_factor"},
		{"Upsample", up(func(a *layers.UpsampleArgs) { a.Size = []int{1, 2, 3} }), "size"},
		{"Upsample", up(func(a *layers.UpsampleArgs) { a.AlignCorners = true }), "align_corners"},
		{"Upsample", up(func(a *layers.UpsampleArgs) { a.Mode, a.AlignCorners, a.Coordinates = "bilinear", true, "half_pixel" }), "align_corners"},
		{"Upsample", up(func(a *layers.UpsampleArgs) { a.Mode, a.Nearest = "bilinear", "floor" }), "nearest_mode"},
		{"AdaptiveAvgPool2d", layers.AdaptivePoolArgs{}, "output_size"},
		{"AdaptiveMaxPool2d", layers.AdaptivePoolArgs{Size: []int{-1}}, "output_size"},
		{"ReduceMean", layers.ReduceArgs{}, "axes"},
		{"ReduceSum", layers.ReduceArgs{Axes: []string{"depth"}}, "axes"},
		{"ReduceMax", layers.ReduceArgs{Axes: []string{"width", "width"}}, "axes"},
		{"Permute", layers.PermuteArgs{Dims: []string{"width", "height"}}, "dims"},
		{"Permute", layers.PermuteArgs{Dims: []string{"width", "height", "width"}}, "dims"},
		{"Permute", layers.PermuteArgs{Dims: []string{"width", "height", "depth"}}, "dims"},
		{"BasicVarGBlock", layers.BasicVarGBlockArgs{MidC: 8, OutC: 8, Kernel: 2}, "kernel_size"},
		{"MBConv", layers.MBConvArgs{OutC: 8, SERatio: 1.5}, "se_ratio"},
		{"DenseBlock", layers.DenseBlockArgs{Layers: 257, Growth: 1, Bottleneck: 4, NormArgs: layers.NormDefaults()}, "num_layers"},
		{"GroupNorm", layers.GroupNormArgs{Groups: 0, Eps: 1e-5}, "num_groups"},
		{"InstanceNorm2d", layers.InstanceNormArgs{Eps: 0}, "eps"},
		{"LayerNorm", layers.LayerNormArgs{Eps: -1}, "eps"},
		{"Dropout", layers.DropoutArgs{P: 1}, "p"},
		{"Dropout2d", layers.DropoutArgs{P: -0.1}, "p"},
		{"Conv1d", layers.Conv1dArgs{OutC: 1, Kernel: 0, Stride: 1, Dilation: 1, Groups: 1}, "kernel_size"},
	} {
		v := c.args.(interface{ Validate() error })
		var arg *part.ArgError
		if err := v.Validate(); !errors.As(err, &arg) || arg.Attr != c.attr {
			t.Errorf("%s %+v: %v, where %s is wrong", c.layer, c.args, err, c.attr)
		}
	}
}
