package layers

import (
	"qpipe/interp/part"
	"qpipe/ops/op"
)

// DropoutArgs are the arguments of Dropout and Dropout2d.
type DropoutArgs struct {
	P float64 `arg:"p,optional" doc:"Probability with which training makes an element (Dropout) or a channel of an image (Dropout2d) zero; the others are multiplied by 1/(1 - p)."`
}

// DropoutDefaults returns their defaults.
func DropoutDefaults() DropoutArgs { return DropoutArgs{P: 0.5} }

// Validate implements the language's check after decoding.
func (a DropoutArgs) Validate() error {
	if !(a.P >= 0 && a.P < 1) {
		return part.Bad("p", "%v; it must be at least 0 and below 1", a.P)
	}
	return nil
}

// NewDropout returns what drops elements while training.
func NewDropout(a DropoutArgs) (part.Layer, error) { return applied{op.Dropout{P: a.P}}, a.Validate() }

// NewDropout2d returns what drops channels while training.
func NewDropout2d(a DropoutArgs) (part.Layer, error) {
	return applied{op.Dropout{P: a.P, Channels: true}}, a.Validate()
}
