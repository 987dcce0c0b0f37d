package models

import (
	"cmp"
	"fmt"
	"math"

	"qpipe/interp/part"
	"qpipe/ops/module"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// EfficientNetArgs are the arguments of EfficientNet.
type EfficientNetArgs struct {
	Lite      bool    `arg:"lite,optional" doc:"The network for hardware with integers: relu6 instead of SiLU, no squeeze-and-excitation, and a stem, a last layer and outer stages that do not grow."`
	WidthMult float64 `arg:"width_mult,optional" doc:"Factor for the channels of B0, rounded to multiples of 8; B1 to B7 have 1, 1.1, 1.2, 1.4, 1.6, 1.8 and 2."`
	DepthMult float64 `arg:"depth_mult,optional" doc:"Factor for the number of blocks in the stages of B0, rounded up; B1 to B7 have 1.1, 1.2, 1.4, 1.8, 2.2, 2.6 and 3.1."`
	Strides   string  `arg:"strides,optional" oneof:"cifar imagenet" doc:"cifar has stride 1 in the stem and in the first stage with stride 2, so that a small image becomes an eighth; imagenet has the paper's strides, a thirty-second."`
	Dropping
	Shared
}

// EfficientNetDefaults returns EfficientNet's defaults: B0.
func EfficientNetDefaults() EfficientNetArgs {
	return EfficientNetArgs{WidthMult: 1, DepthMult: 1, Strides: cifar, Dropping: Dropping{0.2}, Shared: shared()}
}

// Validate implements the language's check after decoding.
func (a EfficientNetArgs) Validate() error {
	return cmp.Or(multiple("width_mult", a.WidthMult), multiple("depth_mult", a.DepthMult), layout("strides", a.Strides), a.Dropping.check(), a.Shared.check(1))
}

type efficientNet struct{ EfficientNetArgs }

// NewEfficientNet returns EfficientNet (Tan and Le 2019, table 1), as torchvision has it, or EfficientNet-lite (the authors'
// repository, tensorflow/tpu). Both are trained without stochastic depth.
//
// Its nodes are backbone.stem, backbone.stageS.B.{expand,depthwise,se,project,add} with stages from 1 and blocks from 0,
// backbone.last, head.pool, head.drop and head.fc.
func NewEfficientNet(a EfficientNetArgs) (part.Model, error) { return efficientNet{a}, a.Validate() }

// mbStage is a row of table 1.
type mbStage struct{ expand, kernel, stride, outC, blocks int }

// stages are those of table 1, made deeper.
func (e efficientNet) stages() []mbStage {
	rows := []mbStage{{1, 3, 1, 16, 1}, {6, 3, 2, 24, 2}, {6, 5, 2, 40, 2}, {6, 3, 2, 80, 3}, {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1}}
	for i := range rows {
		if !e.Lite || i > 0 && i < len(rows)-1 {
			rows[i].blocks = int(math.Ceil(float64(rows[i].blocks) * e.DepthMult))
		}
	}
	return rows
}

// Build implements part.Model.
func (e efficientNet) Build(in []tensor.Shape) (*nn.Graph, error) {
	n, b, small := e.norm(), nn.NewBuilder(in[0]), newSmall(e.Strides)
	stem, last, act := scaled(32, e.WidthMult), 4*scaled(320, e.WidthMult), activation("silu")
	if e.Lite {
		stem, last, act = 32, 1280, activation("relu6")
	}
	x := module.Conv(stem, 3, small.stride(2), act, n).Add(b, "backbone.stem", b.Input())
	for s, t := range e.stages() {
		stride := small.stride(t.stride)
		for i := range t.blocks {
			if i > 0 {
				stride = 1
			}
			c := x.Shape().C
			block := module.MBConv{MidC: t.expand * c, OutC: scaled(t.outC, e.WidthMult), Kernel: t.kernel, Stride: stride, Act: act, Norm: n}
			if !e.Lite {
				block.Squeeze, block.SqueezeAct, block.Gate = max(1, c/4), act, activation("sigmoid")
			}
			x = block.Add(b, fmt.Sprintf("backbone.stage%d.%d", s+1, i), x)
		}
	}
	x = module.Conv(last, 1, 1, act, n).Add(b, "backbone.last", x)
	x = e.add(b, "head.drop", b.GlobalAvgPool("head.pool", x))
	return b.Graph(b.Linear("head.fc", x, e.NumClasses, true))
}

// TorchNames implements part.TorchModel.
func (e efficientNet) TorchNames() []part.Rename {
	var n names
	n.unit("backbone.stem", "features.0")
	stages := e.stages()
	for s, t := range stages {
		for i := range t.blocks {
			n.mbConv(fmt.Sprintf("backbone.stage%d.%d", s+1, i), fmt.Sprintf("features.%d.%d.block", s+1, i), t.expand != 1, !e.Lite)
		}
	}
	n.unit("backbone.last", fmt.Sprintf("features.%d", len(stages)+1))
	return n.add("head.fc", "classifier.1")
}
