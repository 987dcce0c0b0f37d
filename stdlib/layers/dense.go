package layers

import (
	"errors"

	"qpipe/interp/part"
	modules "qpipe/ops/module"
)

// DenseBlockArgs are the arguments of DenseBlock.
type DenseBlockArgs struct {
	Layers     int    `arg:"num_layers" doc:"Number of layers, each of two convolutions; at most 256."`
	Growth     int    `arg:"growth_rate" doc:"Channels that each layer adds."`
	Bottleneck int    `arg:"bn_size,optional" doc:"Channels between a layer's convolutions, as a multiple of growth_rate."`
	Act        string `arg:"act,optional" oneof:"relu relu6 hard_swish silu" doc:"Activation function."`
	NormArgs
}

// DenseBlockDefaults returns DenseBlock's defaults.
func DenseBlockDefaults() DenseBlockArgs {
	return DenseBlockArgs{Bottleneck: 4, Act: "relu", NormArgs: NormDefaults()}
}

// mostLayers is the most layers of a block; DenseNet-264 has blocks of 64.
const mostLayers = 256

// Validate implements the language's check after decoding.
func (a DenseBlockArgs) Validate() error {
	if a.Layers > mostLayers {
		return part.Bad("num_layers", "%d; there must be 1 to %d", a.Layers, mostLayers)
	}
	return errors.Join(positive("num_layers", a.Layers), positive("growth_rate", a.Growth), positive("bn_size", a.Bottleneck), a.validate())
}

// NewDenseBlock returns a block of DenseNet.
func NewDenseBlock(a DenseBlockArgs) (part.Layer, error) {
	return module{modules.DenseBlock{Layers: a.Layers, Growth: a.Growth, Bottleneck: a.Bottleneck, Act: activation(a.Act), Norm: a.norm()}}, a.Validate()
}

// TransitionArgs are the arguments of Transition.
type TransitionArgs struct {
	OutC int    `arg:"out_channels" doc:"Number of output channels."`
	Act  string `arg:"act,optional" oneof:"relu relu6 hard_swish silu" doc:"Activation function."`
	NormArgs
}

// TransitionDefaults returns Transition's defaults.
func TransitionDefaults() TransitionArgs {
	return TransitionArgs{Act: "relu", NormArgs: NormDefaults()}
}

// Validate implements the language's check after decoding.
func (a TransitionArgs) Validate() error {
	return errors.Join(positive("out_channels", a.OutC), a.validate())
}

// NewTransition returns what stands between two blocks of DenseNet.
func NewTransition(a TransitionArgs) (part.Layer, error) {
	return module{modules.Transition{OutC: a.OutC, Act: activation(a.Act), Norm: a.norm()}}, a.Validate()
}
