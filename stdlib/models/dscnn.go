package models

import (
	"fmt"

	"qpipe/interp/part"
	"qpipe/ops/convbn"
	"qpipe/ops/module"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// DSCNNArgs are the arguments of DSCNN.
type DSCNNArgs struct {
	Width  int    `arg:"width,optional" doc:"Number of channels, the same in all layers."`
	Blocks int    `arg:"blocks,optional" doc:"Number of depthwise convolutions with a 1×1 convolution behind each."`
	Act    string `arg:"act,optional" oneof:"relu relu6" doc:"Activation function."`
	Shared
}

// DSCNNDefaults returns DSCNN's defaults: MLPerf Tiny's network, with its 12 classes.
func DSCNNDefaults() DSCNNArgs {
	a := DSCNNArgs{Width: 64, Blocks: 4, Act: "relu", Shared: shared()}
	a.NumClasses = 12
	return a
}

// Validate implements the language's check after decoding.
func (a DSCNNArgs) Validate() error {
	if a.Blocks < 1 || a.Blocks > 64 {
		return part.Bad("blocks", "%s; there must be 1 to 64", part.Count(a.Blocks, "block"))
	}
	return a.check(a.Width)
}

type dsCNN struct{ DSCNNArgs }

// NewDSCNN returns DS-CNN (Zhang et al. 2017, "Hello Edge"), as MLPerf Tiny has it for keyword spotting: a convolution of ten frames
// and four features with stride 2, and separable convolutions. Its images there are 49 frames of 10 features. Padding
// is TensorFlow's "same".
//
// Its nodes are backbone.stem, backbone.blockB.{dw,pw} with blocks from 0, head.pool and head.fc.
func NewDSCNN(a DSCNNArgs) (part.Model, error) { return dsCNN{a}, a.Validate() }

// Build implements part.Model.
func (d dsCNN) Build(in []tensor.Shape) (*nn.Graph, error) {
	n, act, b := d.norm(), activation(d.Act), nn.NewBuilder(in[0])
	stem := convbn.Conv{OutC: d.Width, Kernel: [2]int{10, 4}, Stride: [2]int{2, 2}, Auto: "same_upper"}
	x := module.ConvModule2d{Conv: stem, Act: act, Norm: n}.Add(b, "backbone.stem", b.Input())
	for i := range d.Blocks {
		block := module.SeparableConvModule2d{Conv: module.Conv(d.Width, 3, 1, nil, n).Conv, DwAct: act, PwAct: act, Norm: n}
		x = block.Add(b, fmt.Sprintf("backbone.block%d", i), x)
	}
	x = b.GlobalAvgPool("head.pool", x)
	return b.Graph(b.Linear("head.fc", x, d.NumClasses, true))
}
