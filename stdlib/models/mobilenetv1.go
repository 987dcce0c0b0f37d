package models

import (
	"cmp"
	"fmt"

	"qpipe/interp/part"
	"qpipe/ops/module"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// MobileNetV1Args are the arguments of MobileNetV1.
type MobileNetV1Args struct {
	WidthMult float64 `arg:"width_mult,optional" doc:"Factor for the paper's numbers of channels (its α), which are rounded down."`
	Strides   string  `arg:"strides,optional" oneof:"cifar imagenet" doc:"cifar has stride 1 in the stem and in the first block with stride 2, so that a small image becomes an eighth; imagenet has the paper's strides, a thirty-second."`
	Act       string  `arg:"act,optional" oneof:"relu relu6" doc:"Activation function."`
	Shared
}

// MobileNetV1Defaults returns MobileNetV1's defaults.
func MobileNetV1Defaults() MobileNetV1Args {
	return MobileNetV1Args{WidthMult: 1, Strides: cifar, Act: "relu", Shared: shared()}
}

// Validate implements the language's check after decoding.
func (a MobileNetV1Args) Validate() error {
	return cmp.Or(multiple("width_mult", a.WidthMult), layout("strides", a.Strides), a.check(1))
}

type mobileNetV1 struct{ MobileNetV1Args }

// NewMobileNetV1 returns MobileNetV1 (Howard et al. 2017, table 1): a convolution and thirteen depthwise convolutions with a 1×1
// convolution behind each. With width_mult = 0.25 and images of 96×96 it is the network of MLPerf Tiny's visual wake words.
//
// Its nodes are backbone.stem, backbone.blockB.{dw,pw} with blocks from 0, head.pool and head.fc.
func NewMobileNetV1(a MobileNetV1Args) (part.Model, error) { return mobileNetV1{a}, a.Validate() }

// separableBlocks are the channels and strides of table 1.
func separableBlocks() [][2]int {
	return [][2]int{
		{64, 1}, {128, 2}, {128, 1}, {256, 2}, {256, 1}, {512, 2}, {512, 1}, {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1},
	}
}

// Build implements part.Model.
func (m mobileNetV1) Build(in []tensor.Shape) (*nn.Graph, error) {
	n, act := m.norm(), activation(m.Act)
	channels := func(c int) int { return max(1, int(float64(c)*m.WidthMult)) }
	b := nn.NewBuilder(in[0])
	small := newSmall(m.Strides)
	x := module.Conv(channels(32), 3, small.stride(2), act, n).Add(b, "backbone.stem", b.Input())
	for i, t := range separableBlocks() {
		block := module.SeparableConvModule2d{
			Conv: module.Conv(channels(t[0]), 3, small.stride(t[1]), nil, n).Conv, DwAct: act, PwAct: act, Norm: n,
		}
		x = block.Add(b, fmt.Sprintf("backbone.block%d", i), x)
	}
	x = b.GlobalAvgPool("head.pool", x)
	return b.Graph(b.Linear("head.fc", x, m.NumClasses, true))
}
