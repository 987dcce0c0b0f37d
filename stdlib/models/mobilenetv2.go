package models

import (
	"cmp"
	"fmt"

	"qpipe/interp/part"
	"qpipe/ops/module"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// MobileNetV2Args are the arguments of MobileNetV2.
type MobileNetV2Args struct {
	WidthMult float64 `arg:"width_mult,optional" doc:"Factor for the paper's numbers of channels; the products are rounded to multiples of 8."`
	Strides   string  `arg:"strides,optional" oneof:"cifar imagenet" doc:"Strides of the stem and the seven stages: cifar is 1, 1, 1, 2, 2, 1, 2, 1, an eighth of a small image, imagenet the paper's 2, 1, 2, 2, 2, 1, 2, 1, a thirty-second."`
	Act       string  `arg:"act,optional" oneof:"relu relu6" doc:"Activation function; the paper's is relu6."`
	Shared
}

// MobileNetV2Defaults returns MobileNetV2's defaults.
func MobileNetV2Defaults() MobileNetV2Args {
	return MobileNetV2Args{WidthMult: 1, Strides: cifar, Act: "relu6", Shared: shared()}
}

// Validate implements the language's check after decoding.
func (a MobileNetV2Args) Validate() error {
	return cmp.Or(multiple("width_mult", a.WidthMult), layout("strides", a.Strides), a.check(1))
}

type mobileNetV2 struct{ MobileNetV2Args }

// NewMobileNetV2 returns MobileNetV2 (Sandler et al. 2018, table 2): inverted residuals, which widen the map sixfold,
// filter every channel separately and narrow it again without an activation.
//
// Its nodes are backbone.stem, backbone.stageS.B.{expand,depthwise,project,add}
// with stages from 1 and blocks from 0 (stage 1 has no expand, and only blocks
// that keep the map's shape have an add), backbone.last, head.pool and head.fc.
func NewMobileNetV2(a MobileNetV2Args) (part.Model, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return mobileNetV2{a}, nil
}

// invertedStages is the paper's table 2: expansion, channels, blocks, and the
// stride of the first block for large and for small images.
var invertedStages = []struct{ expand, outC, blocks, imagenet, cifar int }{
	{1, 16, 1, 1, 1},
	{6, 24, 2, 2, 1},
	{6, 32, 3, 2, 2},
	{6, 64, 4, 2, 2},
	{6, 96, 3, 1, 1},
	{6, 160, 3, 2, 2},
	{6, 320, 1, 1, 1},
}

// Build implements part.Model.
func (m mobileNetV2) Build(in []tensor.Shape) (*nn.Graph, error) {
	n, act := m.norm(), activation(m.Act)
	b := nn.NewBuilder(in[0])
	stride := 2
	if m.Strides == cifar {
		stride = 1
	}
	x := module.Conv(scaled(32, m.WidthMult), 3, stride, act, n).Add(b, "backbone.stem", b.Input())
	for s, t := range invertedStages {
		stride := t.imagenet
		if m.Strides == cifar {
			stride = t.cifar
		}
		for i := range t.blocks {
			if i > 0 {
				stride = 1
			}
			block := module.InvertedResidual{Expand: t.expand, OutC: scaled(t.outC, m.WidthMult), Stride: stride, Act: act, Norm: n}
			x = block.Add(b, fmt.Sprintf("backbone.stage%d.%d", s+1, i), x)
		}
	}
	last := scaled(1280, m.WidthMult)
	if m.WidthMult < 1 {
		last = 1280 // narrow networks keep the last width (section 3.3)
	}
	x = module.Conv(last, 1, 1, act, n).Add(b, "backbone.last", x)
	x = b.GlobalAvgPool("head.pool", x)
	return b.Graph(b.Linear("head.fc", x, m.NumClasses, true))
}

// TorchNames implements part.TorchModel.
func (m mobileNetV2) TorchNames() []part.Rename {
	var n names
	n.unit("backbone.stem", "features.0")
	at := 1
	for s, t := range invertedStages {
		for i := range t.blocks {
			ours, torch := fmt.Sprintf("backbone.stage%d.%d", s+1, i), fmt.Sprintf("features.%d.conv", at)
			k := 0
			if t.expand != 1 {
				n.unit(ours+".expand", torch+".0")
				k = 1
			}
			n.unit(ours+".depthwise", fmt.Sprintf("%s.%d", torch, k))
			n.pair(ours+".project", fmt.Sprintf("%s.%d", torch, k+1), fmt.Sprintf("%s.%d", torch, k+2))
			at++
		}
	}
	n.unit("backbone.last", fmt.Sprintf("features.%d", at))
	return n.add("head.fc", "classifier.1")
}
