package layers

import (
	"qpipe/interp/part"
	"qpipe/ops/op"
)

// PoolArgs are the arguments that pooling layers share.
type PoolArgs struct {
	Kernel  []int  `arg:"kernel_size,single" doc:"Height and width of the window, or one number for both."`
	Stride  []int  `arg:"stride,optional,single" doc:"Rows and columns from one window to the next, or one number for both; without it the window's size."`
	Padding []int  `arg:"padding,optional,single" doc:"Rows and columns on each side that windows may reach beyond the image: one number, two (height and width), or four (top, left, bottom and right)."`
	Auto    string `arg:"auto_pad,optional" oneof:"none same_upper same_lower valid" doc:"Padding that follows from the image, as in ONNX."`
	Ceil    bool   `arg:"ceil_mode,optional" doc:"Whether a last window may reach beyond the padding, as in PyTorch."`
}

// PoolDefaults returns their defaults.
func PoolDefaults() PoolArgs { return PoolArgs{Auto: none} }

// args are the op's arguments.
func (a PoolArgs) args() (op.PoolArgs, error) {
	var r reading
	p := op.PoolArgs{Kernel: r.pair("kernel_size", a.Kernel, 1), Stride: r.pair("stride", a.Stride, 1), Ceil: a.Ceil}
	p.Padding, p.Pads = r.pads(a.Padding)
	p.Auto = r.auto(a.Auto, a.Padding)
	return p, r.err
}

// MaxPoolArgs are the arguments of MaxPool2d.
type MaxPoolArgs struct {
	PoolArgs
	Dilation []int `arg:"dilation,optional,single" doc:"Distance of the window's elements, or one number for both directions."`
}

// MaxPoolDefaults returns MaxPool2d's defaults.
func MaxPoolDefaults() MaxPoolArgs { return MaxPoolArgs{PoolArgs: PoolDefaults(), Dilation: []int{1}} }

// pool is the op.
func (a MaxPoolArgs) pool() (op.MaxPool, error) {
	p, err := a.args()
	if err == nil {
		p.Dilation, err = pair("dilation", a.Dilation, 1)
	}
	return op.MaxPool(p), err
}

// Validate implements the language's check after decoding.
func (a MaxPoolArgs) Validate() error {
	_, err := a.pool()
	return err
}

// NewMaxPool2d returns the maximum over windows.
func NewMaxPool2d(a MaxPoolArgs) (part.Layer, error) {
	p, err := a.pool()
	return applied{p}, err
}

// AvgPoolArgs are the arguments of AvgPool2d.
type AvgPoolArgs struct {
	PoolArgs
	CountIncludePad bool `arg:"count_include_pad,optional" doc:"Whether places beyond the image count in the mean, as zeros."`
}

// AvgPoolDefaults returns AvgPool2d's defaults.
func AvgPoolDefaults() AvgPoolArgs {
	return AvgPoolArgs{PoolArgs: PoolDefaults(), CountIncludePad: true}
}

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

// AdaptivePoolArgs are the arguments of AdaptiveAvgPool2d and AdaptiveMaxPool2d.
type AdaptivePoolArgs struct {
	Size []int `arg:"output_size,single" doc:"Height and width of the output, or one number for both; 0 keeps the input's."`
}

func (a AdaptivePoolArgs) size() ([2]int, error) {
	if len(a.Size) == 0 {
		return [2]int{}, part.Bad("output_size", "is empty; give one number, or two: height and width")
	}
	return pair("output_size", a.Size, 0)
}

// Validate implements the language's check after decoding.
func (a AdaptivePoolArgs) Validate() error {
	_, err := a.size()
	return err
}

// NewAdaptiveAvgPool2d returns the means of blocks.
func NewAdaptiveAvgPool2d(a AdaptivePoolArgs) (part.Layer, error) {
	size, err := a.size()
	return applied{op.AdaptiveAvgPool{Size: size}}, err
}

// NewAdaptiveMaxPool2d returns the maxima of blocks.
func NewAdaptiveMaxPool2d(a AdaptivePoolArgs) (part.Layer, error) {
	size, err := a.size()
	return applied{op.AdaptiveMaxPool{Size: size}}, err
}

// ReduceArgs are the arguments of ReduceMean, ReduceSum and ReduceMax.
type ReduceArgs struct {
	Axes []string `arg:"axes" doc:"Axes along which all elements become one: of height, width and channels. The output keeps them with an extent of 1."`
}

func (a ReduceArgs) axes() (list [3]bool, err error) {
	if len(a.Axes) == 0 {
		return list, part.Bad("axes", "is empty; name one or more of height, width and channels")
	}
	for _, name := range a.Axes {
		k, err := axis("axes", name)
		if err != nil {
			return list, err
		}
		if list[k] {
			return list, part.Bad("axes", "has %q twice", name)
		}
		list[k] = true
	}
	return list, nil
}

// Validate implements the language's check after decoding.
func (a ReduceArgs) Validate() error {
	_, err := a.axes()
	return err
}

// Reduce returns what makes a layer of a reduction.
func Reduce(function string) func(ReduceArgs) (part.Layer, error) {
	return func(a ReduceArgs) (part.Layer, error) {
		axes, err := a.axes()
		return applied{op.Reduce{Function: function, Axes: axes}}, err
	}
}
