// Package optest has the cases of ops that tests try in every form: at least one for each kind. A kind without a case
// fails the tests.
package optest

import (
	"slices"

	"qpipe/ops/convbn"
	"qpipe/ops/curve"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/move"
	"qpipe/ops/op"
	"qpipe/ops/tensor"
)

// Case is an op with its arguments, and operands that it takes.
type Case struct {
	Op layer.Op
	In []tensor.Shape
}

// Cases are the ops that are tried.
func Cases() []Case { return slices.Concat(cases(), curveCases(), arithCases(), normCases()) }

func cases() []Case {
	s, small := tensor.Shape{H: 6, W: 5, C: 4}, tensor.Shape{H: 6, W: 5, C: 3}
	pool := op.PoolArgs{Kernel: [2]int{3, 2}, Stride: [2]int{2, 1}, Padding: [2]int{1, 0}}
	counted := pool
	counted.CountIncludePad = true
	return []Case{
		{op.Input{Shape: s}, nil},
		{op.Concat{}, []tensor.Shape{s, small}},
		{op.Concat{}, []tensor.Shape{s, small, s}},
		{op.MaxPool(pool), []tensor.Shape{s}},
		{op.AvgPool(pool), []tensor.Shape{s}},
		{op.AvgPool(counted), []tensor.Shape{s}},
		{op.MaxPool{Kernel: [2]int{2, 3}, Stride: [2]int{3, 2}, Dilation: [2]int{2, 2}, Pads: [4]int{0, 1, 2, 3}}, []tensor.Shape{s}},
		{op.MaxPool{Kernel: [2]int{2, 2}, Stride: [2]int{3, 2}, Pads: [4]int{1, 0, 0, 1}, Ceil: true}, []tensor.Shape{small}},
		{op.AvgPool{Kernel: [2]int{3, 4}, Stride: [2]int{2, 3}, Auto: "same_upper"}, []tensor.Shape{s}},
		{op.AvgPool{Kernel: [2]int{4, 3}, Stride: [2]int{3, 2}, Padding: [2]int{1, 0}, Ceil: true, CountIncludePad: true}, []tensor.Shape{s}},
		{op.GlobalAvgPool{}, []tensor.Shape{s}},
		{op.Flatten{}, []tensor.Shape{s}},
		{op.Act{Act: kernel.ReLU}, []tensor.Shape{s}},
		{op.Act{Act: kernel.ReLU6}, []tensor.Shape{s}},
		{op.GlobalMaxPool{}, []tensor.Shape{s}},
		{op.Softmax{Axis: 2}, []tensor.Shape{s}},
		{op.Softmax{}, []tensor.Shape{small}},
		{op.Softmax{Axis: 1}, []tensor.Shape{s}},
		{op.LogSoftmax{Axis: 2}, []tensor.Shape{small}},
		{op.LogSoftmax{}, []tensor.Shape{s}},
		{op.AdaptiveAvgPool{Size: [2]int{4, 3}}, []tensor.Shape{s}},
		{op.AdaptiveAvgPool{Size: [2]int{2, 0}}, []tensor.Shape{small}},
		{op.AdaptiveAvgPool{Size: [2]int{7, 1}}, []tensor.Shape{s}},
		{op.AdaptiveMaxPool{Size: [2]int{4, 3}}, []tensor.Shape{s}},
		{op.AdaptiveMaxPool{Size: [2]int{6, 2}}, []tensor.Shape{{H: 1, W: 1, C: 4}}},
		{op.Reduce{Function: "mean", Axes: [3]bool{true, false, true}}, []tensor.Shape{s}},
		{op.Reduce{Function: "mean", Axes: [3]bool{true, true, false}}, []tensor.Shape{small}},
		{op.Reduce{Function: "sum", Axes: [3]bool{false, true, false}}, []tensor.Shape{s}},
		{op.Reduce{Function: "sum", Axes: [3]bool{false, false, true}}, []tensor.Shape{s}},
		{op.Reduce{Function: "max", Axes: [3]bool{true, true, true}}, []tensor.Shape{s}},
		{op.Reduce{Function: "max", Axes: [3]bool{false, true, false}}, []tensor.Shape{small}},
		{move.ResizeBilinear{Sampling: move.Sampling{Scale: [2]float32{2, 2}}}, []tensor.Shape{s}},
		{move.ResizeBilinear{Sampling: move.Sampling{Size: [2]int{4, 7}, Coordinates: "align_corners"}}, []tensor.Shape{small}},
		{move.ResizeBilinear{Sampling: move.Sampling{Scale: [2]float32{0.7, 1.5}, Coordinates: "asymmetric"}}, []tensor.Shape{s}},
		{move.ResizeBilinear{Sampling: move.Sampling{Size: [2]int{1, 9}, Coordinates: "pytorch_half_pixel"}}, []tensor.Shape{s}},
		{move.Slice{Start: [3]int{1, -3, 0}, End: [3]int{0, 0, -1}, Step: [3]int{2, 1, 0}}, []tensor.Shape{s}},
		{move.Slice{End: [3]int{-1, 0, 0}, Step: [3]int{0, 0, 3}}, []tensor.Shape{s}},
		{move.Pad{Before: [3]int{1, 0, 1}, After: [3]int{0, 2, 2}}, []tensor.Shape{s}},
		{move.Pad{Before: [3]int{1, 0, 0}, After: [3]int{0, 2, 0}, Value: -0.7}, []tensor.Shape{s}},
		{move.Pad{Before: [3]int{3, 4, 0}, After: [3]int{5, 1, 0}, Mode: "reflect"}, []tensor.Shape{s}},
		{move.Pad{Before: [3]int{3, 7, 0}, After: [3]int{0, 1, 0}, Mode: "edge"}, []tensor.Shape{s}},
		{move.Reshape{Height: 5, Width: 6, Channels: 4}, []tensor.Shape{s}},
		{move.Reshape{Height: 1, Width: 1, Channels: -1}, []tensor.Shape{s}},
		{move.Reshape{Height: 2, Width: 3, Channels: 4}, []tensor.Shape{{H: 1, W: 1, C: 24}}},
		{move.Reshape{Height: -1, Width: 5, Channels: 2}, []tensor.Shape{s}},
		{move.Transpose{Order: [3]int{2, 0, 1}}, []tensor.Shape{s}},
		{move.Transpose{Order: [3]int{1, 0, 2}}, []tensor.Shape{s}},
		{move.ChannelShuffle{Groups: 2}, []tensor.Shape{s}},
		{move.ChannelShuffle{Groups: 3}, []tensor.Shape{{H: 2, W: 3, C: 12}}},
		{move.PixelShuffle{Factor: 2}, []tensor.Shape{{H: 3, W: 2, C: 8}}},
		{move.PixelUnshuffle{Factor: 2}, []tensor.Shape{{H: 4, W: 6, C: 3}}},
		{move.ResizeNearest{Sampling: move.Sampling{Scale: [2]float32{2, 2}}}, []tensor.Shape{s}},
		{move.ResizeNearest{Sampling: move.Sampling{Size: [2]int{4, 7}, Coordinates: "half_pixel"}, Nearest: "round_prefer_ceil"}, []tensor.Shape{s}},
		{move.ResizeNearest{Sampling: move.Sampling{Scale: [2]float32{1.5, 0.7}, Coordinates: "tf_half_pixel_for_nn"}, Nearest: "ceil"}, []tensor.Shape{s}},
		{move.ResizeNearest{Sampling: move.Sampling{Size: [2]int{1, 9}, Coordinates: "pytorch_half_pixel"}, Nearest: "round_prefer_floor"}, []tensor.Shape{s}},
		{move.ResizeNearest{Sampling: move.Sampling{Size: [2]int{9, 2}, Coordinates: "align_corners"}, Nearest: "round_prefer_floor"}, []tensor.Shape{s}},
		{convbn.Conv{OutC: 6, Kernel: [2]int{3, 2}, Stride: [2]int{2, 1}, Padding: [2]int{1, 0}, Groups: 2, Bias: true}, []tensor.Shape{s}},
		{convbn.Conv{OutC: 4, Kernel: [2]int{3, 3}, Padding: [2]int{2, 2}, Dilation: [2]int{2, 2}, Groups: 4}, []tensor.Shape{s}},
		{convbn.Conv{OutC: 5, Kernel: [2]int{2, 4}, Stride: [2]int{1, 2}, Auto: "same_upper"}, []tensor.Shape{s}},
		{convbn.Conv{OutC: 3, Kernel: [2]int{2, 1}, Pads: [4]int{0, 1, 3, 4}}, []tensor.Shape{small}},
		{convbn.Conv{OutC: 4, Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Pads: [4]int{0, 0, 2, 1}, Groups: 4, Bias: true}, []tensor.Shape{s}},
		{convbn.Conv1d{OutC: 4, Kernel: 3, Stride: 2, Padding: 2, Dilation: 2, Groups: 2, Bias: true}, []tensor.Shape{{H: 1, W: 9, C: 4}}},
		{convbn.ConvTranspose{OutC: 6, Kernel: [2]int{3, 2}, Stride: [2]int{2, 3}, Padding: [2]int{1, 0}, OutputPadding: [2]int{1, 2}, Groups: 2, Bias: true}, []tensor.Shape{s}},
		{convbn.ConvTranspose{OutC: 4, Kernel: [2]int{3, 3}, Stride: [2]int{2, 1}, Dilation: [2]int{1, 2}, Pads: [4]int{0, 1, 2, 3}, Groups: 4}, []tensor.Shape{s}},
		{convbn.ConvTranspose{OutC: 5, Kernel: [2]int{2, 2}, Stride: [2]int{2, 2}}, []tensor.Shape{small}},
		{convbn.Linear{Out: 3, Bias: true}, []tensor.Shape{s}},
		{convbn.Linear{Out: 3, Bias: true, PerPixel: true}, []tensor.Shape{s}},
		{op.QuantStub{}, []tensor.Shape{s}},
		{op.DeQuantStub{}, []tensor.Shape{s}},
		{convbn.BatchNorm{}, []tensor.Shape{s}},
	}
}

func curveCases() []Case {
	s, small := tensor.Shape{H: 6, W: 5, C: 4}, tensor.Shape{H: 6, W: 5, C: 3}
	return []Case{
		{curve.PReLU{}, []tensor.Shape{s}},
		{curve.PReLU{PerChannel: true}, []tensor.Shape{small}},
		{curve.Pointwise{Function: "hard_swish"}, []tensor.Shape{s}},
		{curve.Pointwise{Function: "sigmoid"}, []tensor.Shape{s}},
		{curve.Pointwise{Function: "tanh"}, []tensor.Shape{s}},
		{curve.Pointwise{Function: "silu"}, []tensor.Shape{s}},
		{curve.Pointwise{Function: "gelu"}, []tensor.Shape{s}},
		{curve.Pointwise{Function: "gelu_tanh"}, []tensor.Shape{s}},
		{curve.Pointwise{Function: "mish"}, []tensor.Shape{s}},
		{curve.Pointwise{Function: "softplus"}, []tensor.Shape{s}},
		{curve.Pointwise{Function: "exp"}, []tensor.Shape{s}},
		{curve.Pointwise{Function: "log"}, []tensor.Shape{s}},
		{curve.Pointwise{Function: "sqrt"}, []tensor.Shape{s}},
		{curve.Pointwise{Function: "abs"}, []tensor.Shape{s}},
		{curve.Pointwise{Function: "neg"}, []tensor.Shape{small}},
		{curve.Pointwise{Function: "reciprocal"}, []tensor.Shape{s}},
		{curve.Pointwise{Function: "erf"}, []tensor.Shape{s}},
		{curve.Pointwise{Function: "power"}, []tensor.Shape{small}},
		{curve.Pointwise{Function: "power", Args: map[string]float64{"exponent": 1.5}}, []tensor.Shape{s}},
		{curve.Pointwise{Function: "leaky_relu"}, []tensor.Shape{s}},
		{curve.Pointwise{Function: "leaky_relu", Args: map[string]float64{"negative_slope": 0.3}}, []tensor.Shape{s}},
		{curve.Pointwise{Function: "elu", Args: map[string]float64{"alpha": 0.7}}, []tensor.Shape{s}},
		{curve.Pointwise{Function: "hard_sigmoid"}, []tensor.Shape{s}},
		{curve.Pointwise{Function: "hard_sigmoid", Args: map[string]float64{"alpha": -0.2, "beta": 0.4}}, []tensor.Shape{small}},
		{curve.Pointwise{Function: "clip", Args: map[string]float64{"min": -0.5, "max": 1.25}}, []tensor.Shape{s}},
		{curve.Pointwise{Function: "clip", Args: map[string]float64{"max": 0.75}}, []tensor.Shape{small}},
	}
}

// Of returns the cases of a kind.
func Of(k *layer.Kind) []Case {
	var list []Case
	for _, c := range Cases() {
		if c.Op.Kind() == k {
			list = append(list, c)
		}
	}
	return list
}

// Sources are the case's operands as an op sees them.
func (c Case) Sources() []layer.Source {
	var list []layer.Source
	for _, s := range c.In {
		list = append(list, layer.Source{Name: "x", Shape: s, Origin: s})
	}
	return list
}
