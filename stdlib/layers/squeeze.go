package layers

import (
	"errors"

	"qpipe/interp/part"
	modules "qpipe/ops/module"
	"qpipe/ops/nn"
)

// SEBlockArgs are the arguments of SEBlock.
type SEBlockArgs struct {
	Squeeze int    `arg:"squeeze_channels" doc:"Channels between its two convolutions."`
	Act     string `arg:"act,optional" oneof:"relu relu6 hard_swish silu" doc:"Activation function between them."`
	Gate    string `arg:"gate,optional" oneof:"sigmoid hard_sigmoid" doc:"Function of what the channels are multiplied by."`
}

// SEBlockDefaults returns SEBlock's defaults.
func SEBlockDefaults() SEBlockArgs { return SEBlockArgs{Act: "relu", Gate: "sigmoid"} }

// Validate implements the language's check after decoding.
func (a SEBlockArgs) Validate() error { return positive("squeeze_channels", a.Squeeze) }

// NewSEBlock returns squeeze-and-excitation.
func NewSEBlock(a SEBlockArgs) (part.Layer, error) {
	return module{modules.SEBlock{Squeeze: a.Squeeze, Act: activation(a.Act), Gate: activation(a.Gate)}}, a.Validate()
}

// MBConvArgs are the arguments of MBConv.
type MBConvArgs struct {
	OutC    int     `arg:"out_channels" doc:"Number of output channels."`
	Kernel  int     `arg:"kernel_size,optional" doc:"Height and width of the depthwise kernel; padding keeps the map's size at stride 1."`
	Stride  int     `arg:"stride,optional" doc:"Rows and columns from one place of the depthwise kernel to the next."`
	Expand  int     `arg:"expand_ratio,optional" doc:"Channels between its convolutions for each input channel; with 1 the first convolution is left out."`
	SERatio float64 `arg:"se_ratio,optional" doc:"Channels of squeeze-and-excitation for each input channel, rounded down, but at least 1; with 0 it is left out."`
	Act     string  `arg:"act,optional" oneof:"relu relu6 hard_swish silu" doc:"Activation function, also in squeeze-and-excitation."`
	Gate    string  `arg:"gate,optional" oneof:"sigmoid hard_sigmoid" doc:"Function of what squeeze-and-excitation multiplies by."`
	NormArgs
}

// MBConvDefaults returns MBConv's defaults.
func MBConvDefaults() MBConvArgs {
	return MBConvArgs{Kernel: 3, Stride: 1, Expand: 6, SERatio: 0.25, Act: "silu", Gate: "sigmoid", NormArgs: NormDefaults()}
}

// Validate implements the language's check after decoding.
func (a MBConvArgs) Validate() error {
	if !(a.SERatio >= 0 && a.SERatio <= 1) {
		return part.Bad("se_ratio", "%v; it must be from 0 to 1", a.SERatio)
	}
	return errors.Join(positive("out_channels", a.OutC), odd("kernel_size", a.Kernel), positive("stride", a.Stride),
		positive("expand_ratio", a.Expand), a.validate())
}

// mbConv is a block whose widths follow from the input's.
type mbConv struct {
	modules.MBConv
	expand int
	ratio  float64
}

// Add appends the block to the graph and returns its output.
func (m mbConv) Add(b *nn.Builder, name string, x nn.Value) nn.Value {
	c := x.Shape().C
	m.MidC = c * m.expand
	if m.ratio > 0 {
		m.Squeeze = max(1, int(float64(c)*m.ratio))
	}
	return m.MBConv.Add(b, name, x)
}

// NewMBConv returns the block of EfficientNet.
func NewMBConv(a MBConvArgs) (part.Layer, error) {
	act := activation(a.Act)
	block := modules.MBConv{OutC: a.OutC, Kernel: a.Kernel, Stride: a.Stride, Act: act, SqueezeAct: act, Gate: activation(a.Gate), Norm: a.norm()}
	return module{mbConv{block, a.Expand, a.SERatio}}, a.Validate()
}
