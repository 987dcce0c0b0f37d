package layers

import (
	"errors"

	"qpipe/interp/part"
	modules "qpipe/ops/module"
)

// ShuffleUnitArgs are the arguments of ShuffleUnit.
type ShuffleUnitArgs struct {
	OutC int `arg:"out_channels" doc:"Number of output channels; at stride 1 that of the input."`
	ResidualArgs
}

// Validate implements the language's check after decoding.
func (a ShuffleUnitArgs) Validate() error {
	return errors.Join(positive("out_channels", a.OutC), a.validate())
}

// NewShuffleUnit returns the unit of ShuffleNetV2.
func NewShuffleUnit(a ShuffleUnitArgs) (part.Layer, error) {
	return module{modules.ShuffleUnit{OutC: a.OutC, Stride: a.Stride, Act: a.activation(), Norm: a.norm()}}, a.Validate()
}

// FireModuleArgs are the arguments of FireModule.
type FireModuleArgs struct {
	Squeeze int    `arg:"squeeze_channels" doc:"Channels that the other two convolutions read."`
	Expand1 int    `arg:"expand1x1_channels" doc:"Output channels of the 1×1 convolution."`
	Expand3 int    `arg:"expand3x3_channels" doc:"Output channels of the 3×3 convolution, which follow those."`
	Norm    bool   `arg:"norm,optional" doc:"Whether BatchNorm follows each convolution; without, each has a bias."`
	Act     string `arg:"act,optional" oneof:"relu relu6 hard_swish silu" doc:"Activation function."`
	NormArgs
}

// FireModuleDefaults returns FireModule's defaults.
func FireModuleDefaults() FireModuleArgs {
	return FireModuleArgs{Act: "relu", NormArgs: NormDefaults()}
}

// Validate implements the language's check after decoding.
func (a FireModuleArgs) Validate() error {
	return errors.Join(positive("squeeze_channels", a.Squeeze), positive("expand1x1_channels", a.Expand1),
		positive("expand3x3_channels", a.Expand3), a.validate())
}

// NewFireModule returns the module of SqueezeNet.
func NewFireModule(a FireModuleArgs) (part.Layer, error) {
	return module{modules.FireModule{
		Squeeze: a.Squeeze, Expand1: a.Expand1, Expand3: a.Expand3, Plain: !a.Norm, Act: activation(a.Act), Norm: a.norm(),
	}}, a.Validate()
}
