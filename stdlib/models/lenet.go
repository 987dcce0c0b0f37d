package models

import (
	"qpipe/interp/part"
	"qpipe/ops/module"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/tensor"
)

// LeNetArgs are the arguments of LeNet.
type LeNetArgs struct {
	Width int    `arg:"width,optional" doc:"Channels of the first convolution; the second has twice as many."`
	Act   string `arg:"act,optional" oneof:"relu relu6" doc:"Activation function."`
	Shared
}

// LeNetDefaults returns LeNet's defaults.
func LeNetDefaults() LeNetArgs {
	return LeNetArgs{Width: 8, Act: "relu", Shared: shared()}
}

// Validate implements the language's check after decoding.
func (a LeNetArgs) Validate() error {
	return a.check(a.Width)
}

type leNet struct{ LeNetArgs }

// NewLeNet returns LeNet, the plain convolutional network of LeCun et al. 1998 in a modern form: twice a 5×5
// convolution and 2×2 max pooling, then one linear layer. It has ReLU where the original has tanh, and adds BatchNorm.
//
// Its nodes are backbone.conv1, backbone.pool1, backbone.conv2, backbone.pool2
// and head.fc.
func NewLeNet(a LeNetArgs) (part.Model, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return leNet{a}, nil
}

// Build implements part.Model.
func (l leNet) Build(in []tensor.Shape) (*nn.Graph, error) {
	n, act := l.norm(), activation(l.Act)
	pool := op.PoolArgs{Kernel: [2]int{2, 2}, Stride: [2]int{2, 2}}
	b := nn.NewBuilder(in[0])
	x := module.Conv(l.Width, 5, 1, act, n).Add(b, "backbone.conv1", b.Input())
	x = b.MaxPool("backbone.pool1", x, pool)
	x = module.Conv(2*l.Width, 5, 1, act, n).Add(b, "backbone.conv2", x)
	x = b.MaxPool("backbone.pool2", x, pool)
	return b.Graph(b.Linear("head.fc", x, l.NumClasses, true))
}
