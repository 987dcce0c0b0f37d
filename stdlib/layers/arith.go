package layers

import (
	"qpipe/interp/part"
	"qpipe/ops/arith"
	"qpipe/ops/op"
)

// ScaleArgs are the arguments of Scale.
type ScaleArgs struct {
	Begin float64 `arg:"init,optional" doc:"What the factors are before training; as a layer scale of a residual branch a small number."`
	Bias  bool    `arg:"bias,optional" doc:"Adds a trained number to every channel."`
}

// ScaleDefaults returns Scale's defaults.
func ScaleDefaults() ScaleArgs { return ScaleArgs{Begin: 1} }

// Validate implements the language's check after decoding.
func (a ScaleArgs) Validate() error { return finite("init", a.Begin) }

// NewScale returns a trained factor for each channel.
func NewScale(a ScaleArgs) (part.Layer, error) {
	return applied{arith.Scale{Begin: a.Begin, Bias: a.Bias}}, a.Validate()
}

// SoftmaxArgs are the arguments of Softmax and LogSoftmax.
type SoftmaxArgs struct {
	Axis string `arg:"dim,optional" oneof:"height width channels" doc:"The axis along which the shares add up to 1."`
}

// SoftmaxDefaults returns their defaults.
func SoftmaxDefaults() SoftmaxArgs { return SoftmaxArgs{Axis: "channels"} }

// NewSoftmax returns exp(x), divided by the sum along an axis.
func NewSoftmax(a SoftmaxArgs) (part.Layer, error) {
	k, err := axis("dim", a.Axis)
	return applied{op.Softmax{Axis: k}}, err
}

// NewLogSoftmax returns the logarithm of that.
func NewLogSoftmax(a SoftmaxArgs) (part.Layer, error) {
	k, err := axis("dim", a.Axis)
	return applied{op.LogSoftmax{Axis: k}}, err
}
