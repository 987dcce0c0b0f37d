package models

import (
	"cmp"
	"fmt"

	"qpipe/interp/part"
	"qpipe/ops/module"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// MobileNetV3Args are the arguments of MobileNetV3.
type MobileNetV3Args struct {
	Size      string  `arg:"size,optional" oneof:"small large" doc:"Which of the paper's two networks."`
	WidthMult float64 `arg:"width_mult,optional" doc:"Factor for the paper's numbers of channels; the products are rounded to multiples of 8."`
	Strides   string  `arg:"strides,optional" oneof:"cifar imagenet" doc:"cifar has stride 1 in the stem and in the first block with stride 2, so that a small image becomes an eighth; imagenet has the paper's strides, a thirty-second."`
	Dropping
	Shared
}

// MobileNetV3Defaults returns MobileNetV3's defaults. Those of BatchNorm are torchvision's.
func MobileNetV3Defaults() MobileNetV3Args {
	return MobileNetV3Args{Size: "small", WidthMult: 1, Strides: cifar, Dropping: Dropping{0.2}, Shared: Shared{NumClasses: 10, BNEps: 1e-3, BNMomentum: 0.01}}
}

// Validate implements the language's check after decoding.
func (a MobileNetV3Args) Validate() error {
	return cmp.Or(multiple("width_mult", a.WidthMult), layout("strides", a.Strides), a.Dropping.check(), a.Shared.check(1))
}

type mobileNetV3 struct{ MobileNetV3Args }

// NewMobileNetV3 returns MobileNetV3 (Howard et al. 2019, tables 1 and 2): inverted residuals, most of them with
// squeeze-and-excitation, and hard-swish in the deeper ones.
//
// Its nodes are backbone.stem, backbone.blockB.{expand,depthwise,se,project,add} with blocks from 0 (the first block of "large" and of
// "small" has no expand), backbone.last, head.pool, head.hidden, head.act, head.drop and head.fc.
func NewMobileNetV3(a MobileNetV3Args) (part.Model, error) { return mobileNetV3{a}, a.Validate() }

// bneck is a row of the paper's tables.
type bneck struct {
	kernel, midC, outC int
	squeeze            bool
	act                string
	stride             int
}

// rows are the paper's table 1 or 2, and the width of the layer before the last.
func (m mobileNetV3) rows() (rows []bneck, hidden int) {
	const re, hs = "relu", "hard_swish"
	if m.Size == "large" {
		return []bneck{
			{3, 16, 16, false, re, 1},
			{3, 64, 24, false, re, 2},
			{3, 72, 24, false, re, 1},
			{5, 72, 40, true, re, 2},
			{5, 120, 40, true, re, 1},
			{5, 120, 40, true, re, 1},
			{3, 240, 80, false, hs, 2},
			{3, 200, 80, false, hs, 1},
			{3, 184, 80, false, hs, 1},
			{3, 184, 80, false, hs, 1},
			{3, 480, 112, true, hs, 1},
			{3, 672, 112, true, hs, 1},
			{5, 672, 160, true, hs, 2},
			{5, 960, 160, true, hs, 1},
			{5, 960, 160, true, hs, 1},
		}, 1280
	}
	return []bneck{
		{3, 16, 16, true, re, 2},
		{3, 72, 24, false, re, 2},
		{3, 88, 24, false, re, 1},
		{5, 96, 40, true, hs, 2},
		{5, 240, 40, true, hs, 1},
		{5, 240, 40, true, hs, 1},
		{5, 120, 48, true, hs, 1},
		{5, 144, 48, true, hs, 1},
		{5, 288, 96, true, hs, 2},
		{5, 576, 96, true, hs, 1},
		{5, 576, 96, true, hs, 1},
	}, 1024
}

// Build implements part.Model.
func (m mobileNetV3) Build(in []tensor.Shape) (*nn.Graph, error) {
	n, swish := m.norm(), activation("hard_swish")
	b := nn.NewBuilder(in[0])
	small := newSmall(m.Strides)
	x := module.Conv(scaled(16, m.WidthMult), 3, small.stride(2), swish, n).Add(b, "backbone.stem", b.Input())
	rows, hidden := m.rows()
	for i, t := range rows {
		mid := scaled(t.midC, m.WidthMult)
		block := module.MBConv{
			MidC: mid, OutC: scaled(t.outC, m.WidthMult), Kernel: t.kernel, Stride: small.stride(t.stride), Act: activation(t.act), Norm: n,
			SqueezeAct: activation("relu"), Gate: activation("hard_sigmoid"),
		}
		if t.squeeze {
			block.Squeeze = scaled(mid/4, 1)
		}
		x = block.Add(b, fmt.Sprintf("backbone.block%d", i), x)
	}
	x = module.Conv(6*x.Shape().C, 1, 1, swish, n).Add(b, "backbone.last", x)
	x = b.Linear("head.hidden", b.GlobalAvgPool("head.pool", x), scaled(hidden, m.WidthMult), true)
	x = m.add(b, "head.drop", b.Apply("head.act", swish, x))
	return b.Graph(b.Linear("head.fc", x, m.NumClasses, true))
}

// TorchNames implements part.TorchModel.
func (m mobileNetV3) TorchNames() []part.Rename {
	var n names
	n.unit("backbone.stem", "features.0")
	rows, _ := m.rows()
	in := scaled(16, m.WidthMult)
	for i, t := range rows {
		n.mbConv(fmt.Sprintf("backbone.block%d", i), fmt.Sprintf("features.%d.block", i+1), scaled(t.midC, m.WidthMult) != in, t.squeeze)
		in = scaled(t.outC, m.WidthMult)
	}
	n.unit("backbone.last", fmt.Sprintf("features.%d", len(rows)+1))
	n.add("head.hidden", "classifier.0")
	return n.add("head.fc", "classifier.3")
}
