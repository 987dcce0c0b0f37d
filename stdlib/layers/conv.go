package layers

import (
	"errors"

	"qpipe/interp/part"
	"qpipe/ops/convbn"
	"qpipe/ops/layer"
	modules "qpipe/ops/module"
)

// ConvArgs are the arguments that convolutions share.
type ConvArgs struct {
	OutC     int    `arg:"out_channels" doc:"Number of output channels."`
	Kernel   []int  `arg:"kernel_size,single" doc:"Height and width of the kernel, or one number for both."`
	Stride   []int  `arg:"stride,optional,single" doc:"Rows and columns from one place to the next, or one number for both."`
	Padding  []int  `arg:"padding,optional,single" doc:"Rows and columns of zeros on each side: one number, two (height and width), or four (top, left, bottom and right)."`
	Auto     string `arg:"auto_pad,optional" oneof:"none same_upper same_lower valid" doc:"Padding that follows from the image, as in ONNX: same gives ⌈size/stride⌉ rows and columns, with an odd row at the bottom (upper) or top (lower); valid is no padding."`
	Dilation []int  `arg:"dilation,optional,single" doc:"Distance of the kernel's elements, or one number for both directions."`
	Groups   int    `arg:"groups,optional" doc:"Number of groups that the channels are divided into; as many as there are channels make the convolution depthwise."`
}

// ConvDefaults returns their defaults.
func ConvDefaults() ConvArgs {
	return ConvArgs{Stride: []int{1}, Padding: []int{0}, Auto: none, Dilation: []int{1}, Groups: 1}
}

// conv is the op.
func (a ConvArgs) conv(bias bool) (convbn.Conv, error) {
	var r reading
	c := convbn.Conv{
		OutC: r.positive("out_channels", a.OutC), Groups: r.positive("groups", a.Groups), Bias: bias,
		Kernel: r.pair("kernel_size", a.Kernel, 1), Stride: r.pair("stride", a.Stride, 1), Dilation: r.pair("dilation", a.Dilation, 1),
	}
	c.Padding, c.Pads = r.pads(a.Padding)
	c.Auto = r.auto(a.Auto, a.Padding)
	return c, r.err
}

// Conv2dArgs are the arguments of Conv2d.
type Conv2dArgs struct {
	ConvArgs
	Bias bool `arg:"bias,optional" doc:"Adds a trained number to every output channel."`
}

// Conv2dDefaults returns Conv2d's defaults.
func Conv2dDefaults() Conv2dArgs { return Conv2dArgs{ConvArgs: ConvDefaults(), Bias: true} }

// Validate implements the language's check after decoding.
func (a Conv2dArgs) Validate() error {
	_, err := a.conv(a.Bias)
	return err
}

// NewConv2d returns a convolution.
func NewConv2d(a Conv2dArgs) (part.Layer, error) {
	c, err := a.conv(a.Bias)
	return applied{c}, err
}

// Conv1dArgs are the arguments of Conv1d.
type Conv1dArgs struct {
	OutC     int  `arg:"out_channels" doc:"Number of output channels."`
	Kernel   int  `arg:"kernel_size" doc:"Length of the kernel."`
	Stride   int  `arg:"stride,optional" doc:"Columns from one place to the next."`
	Padding  int  `arg:"padding,optional" doc:"Columns of zeros on each side."`
	Dilation int  `arg:"dilation,optional" doc:"Distance of the kernel's elements."`
	Groups   int  `arg:"groups,optional" doc:"Number of groups that the channels are divided into."`
	Bias     bool `arg:"bias,optional" doc:"Adds a trained number to every output channel."`
}

// Conv1dDefaults returns Conv1d's defaults.
func Conv1dDefaults() Conv1dArgs { return Conv1dArgs{Stride: 1, Dilation: 1, Groups: 1, Bias: true} }

// Validate implements the language's check after decoding.
func (a Conv1dArgs) Validate() error {
	return errors.Join(positive("out_channels", a.OutC), positive("kernel_size", a.Kernel), positive("stride", a.Stride),
		within("padding", 0, a.Padding), positive("dilation", a.Dilation), positive("groups", a.Groups))
}

// NewConv1d returns a convolution of a map with one row.
func NewConv1d(a Conv1dArgs) (part.Layer, error) { return applied{convbn.Conv1d(a)}, a.Validate() }

// ConvTransposeArgs are the arguments of ConvTranspose2d.
type ConvTransposeArgs struct {
	OutC          int   `arg:"out_channels" doc:"Number of output channels."`
	Kernel        []int `arg:"kernel_size,single" doc:"Height and width of the kernel, or one number for both."`
	Stride        []int `arg:"stride,optional,single" doc:"Rows and columns of the output for each of the input, or one number for both."`
	Padding       []int `arg:"padding,optional,single" doc:"Rows and columns that are cut off from each side of the output: one number, two (height and width), or four (top, left, bottom and right)."`
	OutputPadding []int `arg:"output_padding,optional,single" doc:"Rows and columns added at the bottom and on the right, or one number for both."`
	Dilation      []int `arg:"dilation,optional,single" doc:"Distance of the kernel's elements, or one number for both directions."`
	Groups        int   `arg:"groups,optional" doc:"Number of groups that the channels are divided into."`
	Bias          bool  `arg:"bias,optional" doc:"Adds a trained number to every output channel."`
}

// ConvTransposeDefaults returns ConvTranspose2d's defaults.
func ConvTransposeDefaults() ConvTransposeArgs {
	return ConvTransposeArgs{Stride: []int{1}, Padding: []int{0}, OutputPadding: []int{0}, Dilation: []int{1}, Groups: 1, Bias: true}
}

// op is the op.
func (a ConvTransposeArgs) op() (convbn.ConvTranspose, error) {
	var r reading
	c := convbn.ConvTranspose{
		OutC: r.positive("out_channels", a.OutC), Groups: r.positive("groups", a.Groups), Bias: a.Bias,
		Kernel: r.pair("kernel_size", a.Kernel, 1), Stride: r.pair("stride", a.Stride, 1), Dilation: r.pair("dilation", a.Dilation, 1),
		OutputPadding: r.pair("output_padding", a.OutputPadding, 0),
	}
	c.Padding, c.Pads = r.pads(a.Padding)
	return c, r.err
}

// Validate implements the language's check after decoding.
func (a ConvTransposeArgs) Validate() error {
	_, err := a.op()
	return err
}

// NewConvTranspose2d returns a transposed convolution.
func NewConvTranspose2d(a ConvTransposeArgs) (part.Layer, error) {
	c, err := a.op()
	return applied{c}, err
}

// NormArgs are the arguments of the BN in a module.
type NormArgs struct {
	Eps      float64 `arg:"bn_eps,optional" doc:"What BatchNorm adds to the variance."`
	Momentum float64 `arg:"bn_momentum,optional" doc:"Share of the present batch in BatchNorm's running statistics, as in PyTorch."`
}

// NormDefaults returns their defaults.
func NormDefaults() NormArgs { return NormArgs{Eps: 1e-5, Momentum: 0.1} }

func (a NormArgs) norm() modules.Norm { return modules.Norm(a) }

func (a NormArgs) validate() error { return checkNorm("bn_eps", a.Eps, "bn_momentum", a.Momentum) }

// checkNorm refuses what no BatchNorm can have.
func checkNorm(epsAttr string, eps float64, momentumAttr string, momentum float64) error {
	if err := checkEps(epsAttr, eps); err != nil {
		return err
	}
	if !(momentum > 0 && momentum <= 1) {
		return part.Bad(momentumAttr, "%v must be above 0 and at most 1; PyTorch's default is 0.1", momentum)
	}
	return nil
}

// checkEps refuses what no normalization adds to the variance.
func checkEps(attr string, eps float64) error {
	if !(eps > 0 && eps < 1) {
		return part.Bad(attr, "%v must lie between 0 and 1; PyTorch's default is 1e-5", eps)
	}
	return nil
}

// ConvModuleArgs are the arguments of ConvModule2d.
type ConvModuleArgs struct {
	ConvArgs
	Bias bool   `arg:"bias,optional" doc:"Adds a trained number to every output channel of the convolution. Without BatchNorm it is usual, with one it changes nothing."`
	Norm bool   `arg:"norm,optional" doc:"Whether BatchNorm follows the convolution."`
	Act  string `arg:"act,optional" oneof:"none relu relu6 hard_swish silu" doc:"Activation function at the end."`
	NormArgs
}

// ConvModuleDefaults returns ConvModule2d's defaults.
func ConvModuleDefaults() ConvModuleArgs {
	return ConvModuleArgs{ConvArgs: ConvDefaults(), Norm: true, Act: "relu", NormArgs: NormDefaults()}
}

// Validate implements the language's check after decoding.
func (a ConvModuleArgs) Validate() error {
	if _, err := a.conv(a.Bias); err != nil {
		return err
	}
	return a.validate()
}

// NewConvModule2d returns convolution, BatchNorm and activation: name.conv, name.bn and name.act.
func NewConvModule2d(a ConvModuleArgs) (part.Layer, error) {
	m, err := a.module()
	return module{m}, err
}

func (a ConvModuleArgs) module() (modules.ConvModule2d, error) {
	c, err := a.conv(a.Bias)
	return modules.ConvModule2d{Conv: c, Plain: !a.Norm, Act: activation(a.Act), Norm: a.norm()}, err
}

// BatchNormArgs are the arguments of BatchNorm2d.
type BatchNormArgs struct {
	Eps      float64 `arg:"eps,optional" doc:"What is added to the variance."`
	Momentum float64 `arg:"momentum,optional" doc:"Share of the present batch in the running statistics, as in PyTorch."`
}

// BatchNormDefaults returns BatchNorm2d's defaults.
func BatchNormDefaults() BatchNormArgs { return BatchNormArgs{Eps: 1e-5, Momentum: 0.1} }

// Validate implements the language's check after decoding.
func (a BatchNormArgs) Validate() error {
	return checkNorm("eps", a.Eps, "momentum", a.Momentum)
}

// NewBatchNorm2d returns BatchNorm.
func NewBatchNorm2d(a BatchNormArgs) (part.Layer, error) {
	return applied{convbn.BatchNorm{Eps: a.Eps, Momentum: a.Momentum}}, a.Validate()
}

// LinearArgs are the arguments of Linear.
type LinearArgs struct {
	Out      int  `arg:"out_features" doc:"Number of outputs."`
	Bias     bool `arg:"bias,optional" doc:"Adds a trained number to every output."`
	PerPixel bool `arg:"per_pixel,optional" doc:"Whether it is applied to the channels of each pixel, as PyTorch's Linear is to the last axis, instead of to all features."`
}

// LinearDefaults returns Linear's defaults.
func LinearDefaults() LinearArgs { return LinearArgs{Bias: true} }

// Validate implements the language's check after decoding.
func (a LinearArgs) Validate() error { return positive("out_features", a.Out) }

// NewLinear returns a fully connected layer over all features; it flattens by itself.
func NewLinear(a LinearArgs) (part.Layer, error) {
	return applied{convbn.Linear(a)}, a.Validate()
}

// ResidualArgs are the arguments that residual blocks share.
type ResidualArgs struct {
	Stride int    `arg:"stride,optional" doc:"Rows and columns from one place to the next."`
	Act    string `arg:"act,optional" oneof:"relu relu6 hard_swish silu" doc:"Activation function."`
	NormArgs
}

// ResidualDefaults returns their defaults.
func ResidualDefaults() ResidualArgs {
	return ResidualArgs{Stride: 1, Act: "relu", NormArgs: NormDefaults()}
}

func (a ResidualArgs) validate() error {
	return errors.Join(positive("stride", a.Stride), a.NormArgs.validate())
}

func (a ResidualArgs) activation() layer.Op { return activation(a.Act) }

// BasicResBlockArgs are the arguments of BasicResBlock.
type BasicResBlockArgs struct {
	OutC int `arg:"out_channels" doc:"Number of output channels."`
	ResidualArgs
}

// Validate implements the language's check after decoding.
func (a BasicResBlockArgs) Validate() error {
	return errors.Join(positive("out_channels", a.OutC), a.validate())
}

// NewBasicResBlock returns the residual block of ResNet-18.
func NewBasicResBlock(a BasicResBlockArgs) (part.Layer, error) {
	return module{modules.BasicResBlock{OutC: a.OutC, Stride: a.Stride, Act: a.activation(), Norm: a.norm()}}, a.Validate()
}

// BottleNeckArgs are the arguments of BottleNeck.
type BottleNeckArgs struct {
	MidC int `arg:"mid_channels" doc:"Channels between its convolutions; it gives four times as many."`
	ResidualArgs
}

// Validate implements the language's check after decoding.
func (a BottleNeckArgs) Validate() error {
	return errors.Join(positive("mid_channels", a.MidC), a.validate())
}

// NewBottleNeck returns the residual block of ResNet-50.
func NewBottleNeck(a BottleNeckArgs) (part.Layer, error) {
	return module{modules.BottleNeck{MidC: a.MidC, Stride: a.Stride, Act: a.activation(), Norm: a.norm()}}, a.Validate()
}

// InvertedResidualArgs are the arguments of InvertedResidual.
type InvertedResidualArgs struct {
	OutC   int `arg:"out_channels" doc:"Number of output channels."`
	Expand int `arg:"expand_ratio,optional" doc:"Channels between its convolutions for each input channel; with 1 the first convolution is left out."`
	ResidualArgs
}

// InvertedResidualDefaults returns InvertedResidual's defaults.
func InvertedResidualDefaults() InvertedResidualArgs {
	a := InvertedResidualArgs{Expand: 6, ResidualArgs: ResidualDefaults()}
	a.Act = "relu6"
	return a
}

// Validate implements the language's check after decoding.
func (a InvertedResidualArgs) Validate() error {
	return errors.Join(positive("out_channels", a.OutC), positive("expand_ratio", a.Expand), a.validate())
}

// NewInvertedResidual returns the block of MobileNetV2.
func NewInvertedResidual(a InvertedResidualArgs) (part.Layer, error) {
	return module{modules.InvertedResidual{Expand: a.Expand, OutC: a.OutC, Stride: a.Stride, Act: a.activation(), Norm: a.norm()}}, a.Validate()
}
