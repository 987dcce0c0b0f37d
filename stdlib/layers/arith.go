package layers

import (
	"qpipe/interp/part"
	"qpipe/ops/arith"
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
