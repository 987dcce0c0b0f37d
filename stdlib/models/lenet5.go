package models

import (
	"qpipe/interp/part"
	"qpipe/ops/module"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/tensor"
)

// LeNet5Args are the arguments of LeNet5.
type LeNet5Args struct {
	Act string `arg:"act,optional" oneof:"relu relu6" doc:"Activation function."`
	Shared
}

// LeNet5Defaults returns LeNet5's defaults.
func LeNet5Defaults() LeNet5Args {
	return LeNet5Args{Act: "relu", Shared: shared()}
}

// Validate implements the language's check after decoding.
func (a LeNet5Args) Validate() error {
	return a.check(1)
}

type leNet5 struct{ LeNet5Args }

// NewLeNet5 returns LeNet-5 with the channels of LeCun et al. 1998, 6, 16, 120 and 84, for images of 28×28: every layer
// but the last is a convolution with BatchNorm, so that every layer can be quantized and absorbed alike.
//
// Its nodes are backbone.conv1, backbone.pool1, backbone.conv2, backbone.pool2,
// backbone.conv3 (5×5 over the 5×5 map), backbone.conv4 (1×1) and head.fc, a 1×1
// convolution of the 1×1 map or, which is the same, a linear layer.
func NewLeNet5(a LeNet5Args) (part.Model, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return leNet5{a}, nil
}

// Build implements part.Model.
func (l leNet5) Build(in []tensor.Shape) (*nn.Graph, error) {
	b := nn.NewBuilder(in[0])
	conv := func(name string, x nn.Value, outC, size, padding int) nn.Value {
		m := module.Conv(outC, size, 1, activation(l.Act), l.norm())
		m.Conv.Padding = [2]int{padding, padding}
		return m.Add(b, name, x)
	}
	pool := op.PoolArgs{Kernel: [2]int{2, 2}}
	x := b.MaxPool("backbone.pool1", conv("backbone.conv1", b.Input(), 6, 5, 2), pool)
	x = b.MaxPool("backbone.pool2", conv("backbone.conv2", x, 16, 5, 0), pool)
	x = conv("backbone.conv3", x, 120, 5, 0)
	x = conv("backbone.conv4", x, 84, 1, 0)
	return b.Graph(b.Linear("head.fc", x, l.NumClasses, true))
}
