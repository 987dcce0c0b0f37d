package models

import (
	"fmt"

	"qpipe/interp/part"
	"qpipe/ops/module"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/tensor"
)

// ConvNetArgs are the arguments of ConvNet.
type ConvNetArgs struct {
	Width int    `arg:"width,optional" doc:"Channels of the first stage; the second and third have twice and four times as many."`
	Act   string `arg:"act,optional" oneof:"relu relu6" doc:"Activation function."`
	Shared
}

// ConvNetDefaults returns ConvNet's defaults.
func ConvNetDefaults() ConvNetArgs {
	return ConvNetArgs{Width: 32, Act: "relu", Shared: shared()}
}

// Validate implements the language's check after decoding.
func (a ConvNetArgs) Validate() error {
	return a.check(a.Width)
}

type convNet struct{ ConvNetArgs }

// NewConvNet returns ConvNet, a plain network of six 3×3 convolutions in three stages, with 2×2 max pooling
// between the stages and a global average before the linear layer.
//
// Its nodes are backbone.stageS.{conv1,conv2} with stages from 1, backbone.stage1.pool,
// backbone.stage2.pool, head.pool and head.fc.
func NewConvNet(a ConvNetArgs) (part.Model, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return convNet{a}, nil
}

// Build implements part.Model.
func (c convNet) Build(in []tensor.Shape) (*nn.Graph, error) {
	n, act := c.norm(), activation(c.Act)
	b := nn.NewBuilder(in[0])
	x := b.Input()
	for s := range 3 {
		name := fmt.Sprintf("backbone.stage%d", s+1)
		if s > 0 {
			x = b.MaxPool(fmt.Sprintf("backbone.stage%d.pool", s), x, op.PoolArgs{Kernel: [2]int{2, 2}})
		}
		for i := 1; i <= 2; i++ {
			x = module.Conv(c.Width<<s, 3, 1, act, n).Add(b, fmt.Sprintf("%s.conv%d", name, i), x)
		}
	}
	x = b.GlobalAvgPool("head.pool", x)
	return b.Graph(b.Linear("head.fc", x, c.NumClasses, true))
}
