package layers

import (
	"qpipe/interp/part"
	"qpipe/ops/op"
)

// PoolArgs are the arguments that pooling layers share.
type PoolArgs struct {
	Kernel  []int `arg:"kernel_size,single" doc:"Height and width of the window, or one number for both."`
	Stride  []int `arg:"stride,optional,single" doc:"Rows and columns from one window to the next, or one number for both; without it the window's size."`
	Padding []int `arg:"padding,optional,single" doc:"Rows and columns on each side that windows may reach beyond the image, or one number for both."`
}

// args are the op's arguments.
func (a PoolArgs) args() (p op.PoolArgs, err error) {
	if p.Kernel, err = pair("kernel_size", a.Kernel, 1); err != nil {
		return p, err
	}
	if p.Stride, err = pair("stride", a.Stride, 1); err != nil {
		return p, err
	}
	p.Padding, err = pair("padding", a.Padding, 0)
	return p, err
}

// MaxPoolArgs are the arguments of MaxPool2d.
type MaxPoolArgs struct{ PoolArgs }

// Validate implements the language's check after decoding.
func (a MaxPoolArgs) Validate() error {
	_, err := a.args()
	return err
}

// NewMaxPool2d returns the maximum over windows.
func NewMaxPool2d(a MaxPoolArgs) (part.Layer, error) {
	p, err := a.args()
	return applied{op.MaxPool(p)}, err
}

// AvgPoolArgs are the arguments of AvgPool2d.
type AvgPoolArgs struct {
	PoolArgs
	CountIncludePad bool `arg:"count_include_pad,optional" doc:"Whether places beyond the image count in the mean, as zeros."`
}

// AvgPoolDefaults returns AvgPool2d's defaults.
func AvgPoolDefaults() AvgPoolArgs { return AvgPoolArgs{CountIncludePad: true} }

// Validate implements the language's check after decoding.
func (a AvgPoolArgs) Validate() error {
	_, err := a.args()
	return err
}

// NewAvgPool2d returns the mean over windows.
func NewAvgPool2d(a AvgPoolArgs) (part.Layer, error) {
	p, err := a.args()
	p.CountIncludePad = a.CountIncludePad
	return applied{op.AvgPool(p)}, err
}
