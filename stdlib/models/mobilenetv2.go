package models

import (
	"fmt"

	"qpipe/interp/part"
	"qpipe/ops/module"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// MobileNetV2Args are the arguments of MobileNetV2.
type MobileNetV2Args struct {
	NumClasses int     `arg:"num_classes,optional" doc:"Number of classes, the width of the last layer."`
	WidthMult  float64 `arg:"width_mult,optional" doc:"Factor for the paper's numbers of channels; the products are rounded to multiples of 8."`
	Strides    string  `arg:"strides,optional" oneof:"cifar imagenet" doc:"Strides of the stem and the seven stages: cifar is 1, 1, 1, 2, 2, 1, 2, 1, an eighth of a small image, imagenet the paper's 2, 1, 2, 2, 2, 1, 2, 1, a thirty-second."`
	Act        string  `arg:"act,optional" oneof:"relu relu6" doc:"Activation function; the paper's is relu6."`
	BNEps      float64 `arg:"bn_eps,optional" doc:"What BatchNorm adds to the variance."`
	BNMomentum float64 `arg:"bn_momentum,optional" doc:"Share of the present batch in BatchNorm's running statistics, as in PyTorch."`
}

// MobileNetV2Defaults returns MobileNetV2's defaults.
func MobileNetV2Defaults() MobileNetV2Args {
	return MobileNetV2Args{NumClasses: 10, WidthMult: 1, Strides: cifar, Act: "relu6", BNEps: 1e-5, BNMomentum: 0.1}
}

// Validate implements the language's check after decoding.
func (a MobileNetV2Args) Validate() error {
	if !(a.WidthMult > 0 && a.WidthMult <= 8) {
		return part.Bad("width_mult", "%v must be above 0 and at most 8; the paper's networks have 0.35 to 1.4", a.WidthMult)
	}
	if err := layout("strides", a.Strides); err != nil {
		return err
	}
	return common(a.NumClasses, 1, module.Norm{Eps: a.BNEps, Momentum: a.BNMomentum})
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
	n, act := module.Norm{Eps: m.BNEps, Momentum: m.BNMomentum}, activation(m.Act)
	b := nn.NewBuilder(in[0])
	stride := 2
	if m.Strides == cifar {
		stride = 1
	}
	x := module.Conv(m.channels(32), 3, stride, act, n).Add(b, "backbone.stem", b.Input())
	for s, t := range invertedStages {
		stride := t.imagenet
		if m.Strides == cifar {
			stride = t.cifar
		}
		for i := range t.blocks {
			if i > 0 {
				stride = 1
			}
			block := module.InvertedResidual{Expand: t.expand, OutC: m.channels(t.outC), Stride: stride, Act: act, Norm: n}
			x = block.Add(b, fmt.Sprintf("backbone.stage%d.%d", s+1, i), x)
		}
	}
	last := m.channels(1280)
	if m.WidthMult < 1 {
		last = 1280 // narrow networks keep the last width (section 3.3)
	}
	x = module.Conv(last, 1, 1, act, n).Add(b, "backbone.last", x)
	x = b.GlobalAvgPool("head.pool", x)
	return b.Graph(b.Linear("head.fc", x, m.NumClasses, true))
}

// channels is c·WidthMult rounded to a multiple of 8, but never below 0.9 of it
// nor below 8.
func (m mobileNetV2) channels(c int) int {
	v := float64(float64(c) * m.WidthMult)
	n := max(8, int(v+4)/8*8)
	if float64(n) < 0.9*v {
		n += 8
	}
	return n
}
