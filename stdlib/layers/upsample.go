package layers

import (
	"errors"

	"qpipe/interp/part"
	modules "qpipe/ops/module"
)

// ConvTransposeModuleArgs are the arguments of ConvTransposeModule2d.
type ConvTransposeModuleArgs struct {
	ConvTransposeArgs
	Norm bool   `arg:"norm,optional" doc:"Whether BatchNorm follows the convolution."`
	Act  string `arg:"act,optional" oneof:"none relu relu6 hard_swish silu" doc:"Activation function at the end."`
	NormArgs
}

// ConvTransposeModuleDefaults returns ConvTransposeModule2d's defaults.
func ConvTransposeModuleDefaults() ConvTransposeModuleArgs {
	a := ConvTransposeModuleArgs{ConvTransposeArgs: ConvTransposeDefaults(), Norm: true, Act: "relu", NormArgs: NormDefaults()}
	a.Bias = false
	return a
}

// Validate implements the language's check after decoding.
func (a ConvTransposeModuleArgs) Validate() error {
	return errors.Join(a.ConvTransposeArgs.Validate(), a.validate())
}

// NewConvTransposeModule2d returns transposed convolution, BatchNorm and activation.
func NewConvTransposeModule2d(a ConvTransposeModuleArgs) (part.Layer, error) {
	c, err := a.op()
	return module{modules.ConvTransposeModule2d{Conv: c, Plain: !a.Norm, Act: activation(a.Act), Norm: a.norm()}}, err
}

// ConvUpsampleArgs are the arguments of ConvUpsample2d.
type ConvUpsampleArgs struct {
	ConvModuleArgs
	Factor int    `arg:"scale_factor,optional" doc:"How many times as many rows and columns the output has as the convolution gives."`
	Mode   string `arg:"mode,optional" oneof:"nearest bilinear" doc:"Whether pixels are repeated or blended, as PyTorch's interpolate does without align_corners."`
}

// ConvUpsampleDefaults returns ConvUpsample2d's defaults.
func ConvUpsampleDefaults() ConvUpsampleArgs {
	return ConvUpsampleArgs{ConvModuleArgs: ConvModuleDefaults(), Factor: 2, Mode: "nearest"}
}

// Validate implements the language's check after decoding.
func (a ConvUpsampleArgs) Validate() error {
	return errors.Join(positive("scale_factor", a.Factor), a.ConvModuleArgs.Validate())
}

// NewConvUpsample2d returns a ConvModule2d and what makes its output larger.
func NewConvUpsample2d(a ConvUpsampleArgs) (part.Layer, error) {
	m, err := a.module()
	return module{modules.ConvUpsample2d{ConvModule2d: m, Factor: a.Factor, Bilinear: a.Mode == "bilinear"}}, err
}
