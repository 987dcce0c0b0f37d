package layers

import (
	"errors"

	"qpipe/interp/part"
	"qpipe/ops/convbn"
	modules "qpipe/ops/module"
)

// WindowArgs are the arguments of a convolution without those that say how many channels it has.
type WindowArgs struct {
	Kernel   []int `arg:"kernel_size,single" doc:"Height and width of the first convolution's kernel, or one number for both."`
	Stride   []int `arg:"stride,optional,single" doc:"Rows and columns from one place of it to the next, or one number for both."`
	Padding  []int `arg:"padding,optional,single" doc:"Rows and columns of zeros on each side: one number, two (height and width), or four (top, left, bottom and right)."`
	Dilation []int `arg:"dilation,optional,single" doc:"Distance of the kernel's elements, or one number for both directions."`
}

// WindowDefaults returns their defaults.
func WindowDefaults() WindowArgs {
	return WindowArgs{Stride: []int{1}, Padding: []int{0}, Dilation: []int{1}}
}

// conv is a convolution with that window, without bias.
func (a WindowArgs) conv(outC, groups int) (convbn.Conv, error) {
	c := ConvArgs{OutC: outC, Groups: groups, Kernel: a.Kernel, Stride: a.Stride, Padding: a.Padding, Dilation: a.Dilation, Auto: none}
	return c.conv(false)
}

// TwoActs are the activations of a convolution and of the 1×1 convolution behind it.
type TwoActs struct {
	DwAct string `arg:"dw_act,optional" oneof:"none relu relu6 hard_swish silu" doc:"Activation function behind the first convolution."`
	PwAct string `arg:"pw_act,optional" oneof:"none relu relu6 hard_swish silu" doc:"Activation function behind the 1×1 convolution."`
}

// SeparableConvArgs are the arguments of SeparableConvModule2d.
type SeparableConvArgs struct {
	OutC int `arg:"out_channels" doc:"Number of output channels."`
	WindowArgs
	TwoActs
	NormArgs
}

// SeparableConvDefaults returns SeparableConvModule2d's defaults.
func SeparableConvDefaults() SeparableConvArgs {
	return SeparableConvArgs{WindowArgs: WindowDefaults(), TwoActs: TwoActs{"relu", "relu"}, NormArgs: NormDefaults()}
}

// Validate implements the language's check after decoding.
func (a SeparableConvArgs) Validate() error {
	_, err := a.conv(a.OutC, 1)
	return errors.Join(err, a.validate())
}

// NewSeparableConvModule2d returns a depthwise convolution and a 1×1 convolution.
func NewSeparableConvModule2d(a SeparableConvArgs) (part.Layer, error) {
	c, err := a.conv(a.OutC, 1)
	return module{modules.SeparableConvModule2d{Conv: c, DwAct: activation(a.DwAct), PwAct: activation(a.PwAct), Norm: a.norm()}}, err
}

// SeparableGroupConvArgs are the arguments of SeparableGroupConvModule2d.
type SeparableGroupConvArgs struct {
	OutC   int `arg:"dw_channels" doc:"Number of channels between the group convolution and the 1×1 convolution."`
	PwC    int `arg:"pw_channels" doc:"Number of output channels."`
	Groups int `arg:"groups,optional" doc:"Number of groups that the first convolution divides its channels into."`
	WindowArgs
	TwoActs
	NormArgs
}

// SeparableGroupConvDefaults returns SeparableGroupConvModule2d's defaults.
func SeparableGroupConvDefaults() SeparableGroupConvArgs {
	return SeparableGroupConvArgs{Groups: 1, WindowArgs: WindowDefaults(), TwoActs: TwoActs{"relu", "relu"}, NormArgs: NormDefaults()}
}

// Validate implements the language's check after decoding.
func (a SeparableGroupConvArgs) Validate() error {
	if err := errors.Join(positive("dw_channels", a.OutC), positive("pw_channels", a.PwC)); err != nil {
		return err
	}
	_, err := a.conv(a.OutC, a.Groups)
	return errors.Join(err, a.validate())
}

// NewSeparableGroupConvModule2d returns a group convolution and a 1×1 convolution.
func NewSeparableGroupConvModule2d(a SeparableGroupConvArgs) (part.Layer, error) {
	c, err := a.conv(a.OutC, a.Groups)
	return module{modules.SeparableGroupConvModule2d{
		Conv: c, PwC: a.PwC, DwAct: activation(a.DwAct), PwAct: activation(a.PwAct), Norm: a.norm(),
	}}, errors.Join(err, a.Validate())
}

// BasicVarGBlockArgs are the arguments of BasicVarGBlock.
type BasicVarGBlockArgs struct {
	MidC      int  `arg:"mid_channels" doc:"Channels between its two halves."`
	OutC      int  `arg:"out_channels" doc:"Number of output channels."`
	Kernel    int  `arg:"kernel_size,optional" doc:"Height and width of the group convolutions' kernels; padding keeps the map's size at stride 1."`
	Factor    int  `arg:"factor,optional" doc:"How many times as many channels the group convolutions give as they read."`
	GroupBase int  `arg:"group_base,optional" doc:"Channels in each group."`
	Merge     bool `arg:"merge_branch,optional" doc:"Whether the first half is the sum of two branches."`
	ResidualArgs
}

// BasicVarGBlockDefaults returns BasicVarGBlock's defaults.
func BasicVarGBlockDefaults() BasicVarGBlockArgs {
	return BasicVarGBlockArgs{Kernel: 3, Factor: 2, GroupBase: 8, ResidualArgs: ResidualDefaults()}
}

// Validate implements the language's check after decoding.
func (a BasicVarGBlockArgs) Validate() error {
	return errors.Join(positive("mid_channels", a.MidC), positive("out_channels", a.OutC), odd("kernel_size", a.Kernel),
		positive("factor", a.Factor), positive("group_base", a.GroupBase), a.validate())
}

// NewBasicVarGBlock returns the block of VarGNet.
func NewBasicVarGBlock(a BasicVarGBlockArgs) (part.Layer, error) {
	return module{modules.BasicVarGBlock{
		MidC: a.MidC, OutC: a.OutC, Kernel: a.Kernel, Stride: a.Stride, Factor: a.Factor, GroupBase: a.GroupBase, Merge: a.Merge,
		Act: a.activation(), Norm: a.norm(),
	}}, a.Validate()
}
