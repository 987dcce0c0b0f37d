package layers

import (
	"cmp"
	"math"

	"qpipe/interp/part"
	"qpipe/ops/curve"
)

// Curve returns what makes a layer of a function without numbers.
func Curve(name string) func(NoArgs) (part.Layer, error) { return Of(curve.Pointwise{Function: name}) }

// shaped is a layer of a function with numbers.
func shaped(name string, args map[string]float64) part.Layer {
	return applied{curve.Pointwise{Function: name, Args: args}}
}

// finite checks a number.
func finite(attr string, v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) || math.Abs(v) > 1e6 {
		return part.Bad(attr, "%v; it must be a number of at most a million", v)
	}
	return nil
}

// LeakyReLUArgs are the arguments of LeakyReLU.
type LeakyReLUArgs struct {
	NegativeSlope float64 `arg:"negative_slope,optional" doc:"Slope below 0."`
}

// LeakyReLUDefaults returns LeakyReLU's defaults.
func LeakyReLUDefaults() LeakyReLUArgs { return LeakyReLUArgs{0.01} }

// Validate implements the language's check after decoding.
func (a LeakyReLUArgs) Validate() error { return finite("negative_slope", a.NegativeSlope) }

// NewLeakyReLU returns x above 0 and negative_slope·x below.
func NewLeakyReLU(a LeakyReLUArgs) (part.Layer, error) {
	return shaped("leaky_relu", map[string]float64{"negative_slope": a.NegativeSlope}), a.Validate()
}

// ELUArgs are the arguments of ELU.
type ELUArgs struct {
	Alpha float64 `arg:"alpha,optional" doc:"What the function approaches far below 0 is -alpha."`
}

// ELUDefaults returns ELU's defaults.
func ELUDefaults() ELUArgs { return ELUArgs{1} }

// Validate implements the language's check after decoding.
func (a ELUArgs) Validate() error { return finite("alpha", a.Alpha) }

// NewELU returns x above 0 and alpha·(exp(x)-1) below.
func NewELU(a ELUArgs) (part.Layer, error) {
	return shaped("elu", map[string]float64{"alpha": a.Alpha}), a.Validate()
}

// HardsigmoidArgs are the arguments of Hardsigmoid.
type HardsigmoidArgs struct {
	Alpha float64 `arg:"alpha,optional" doc:"Slope between 0 and 1; PyTorch's is 1/6, ONNX's 0.2."`
	Beta  float64 `arg:"beta,optional" doc:"Value at 0."`
}

// HardsigmoidDefaults returns Hardsigmoid's defaults.
func HardsigmoidDefaults() HardsigmoidArgs { return HardsigmoidArgs{1.0 / 6, 0.5} }

// Validate implements the language's check after decoding.
func (a HardsigmoidArgs) Validate() error {
	return cmp.Or(finite("alpha", a.Alpha), finite("beta", a.Beta))
}

// NewHardsigmoid returns alpha·x + beta between 0 and 1.
func NewHardsigmoid(a HardsigmoidArgs) (part.Layer, error) {
	return shaped("hard_sigmoid", map[string]float64{"alpha": a.Alpha, "beta": a.Beta}), a.Validate()
}

// ClipArgs are the arguments of Clip.
type ClipArgs struct {
	Min float64 `arg:"min" doc:"The least value."`
	Max float64 `arg:"max" doc:"The largest value."`
}

// Validate implements the language's check after decoding.
func (a ClipArgs) Validate() error {
	if err := cmp.Or(finite("min", a.Min), finite("max", a.Max)); err != nil {
		return err
	}
	if a.Min >= a.Max {
		return part.Bad("max", "%v; it must be larger than min, which is %v", a.Max, a.Min)
	}
	return nil
}

// NewClip returns x between min and max.
func NewClip(a ClipArgs) (part.Layer, error) {
	return shaped("clip", map[string]float64{"min": a.Min, "max": a.Max}), a.Validate()
}

// PowerArgs are the arguments of Power.
type PowerArgs struct {
	Exponent float64 `arg:"exponent" doc:"The exponent."`
}

// Validate implements the language's check after decoding.
func (a PowerArgs) Validate() error {
	if math.IsNaN(a.Exponent) || math.Abs(a.Exponent) > 1e4 {
		return part.Bad("exponent", "%v; it must be a number of at most 10000", a.Exponent)
	}
	return nil
}

// NewPower returns x to an exponent.
func NewPower(a PowerArgs) (part.Layer, error) {
	return shaped("power", map[string]float64{"exponent": a.Exponent}), a.Validate()
}

// GELUArgs are the arguments of GELU.
type GELUArgs struct {
	Approximate string `arg:"approximate,optional" oneof:"none tanh" doc:"With tanh the approximation 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))."`
}

// GELUDefaults returns GELU's defaults.
func GELUDefaults() GELUArgs { return GELUArgs{none} }

// NewGELU returns x·Φ(x).
func NewGELU(a GELUArgs) (part.Layer, error) {
	if a.Approximate == "tanh" {
		return applied{curve.Pointwise{Function: "gelu_tanh"}}, nil
	}
	return applied{curve.Pointwise{Function: "gelu"}}, nil
}

// PReLUArgs are the arguments of PReLU.
type PReLUArgs struct {
	PerChannel bool `arg:"per_channel,optional" doc:"Whether each channel has a slope of its own."`
}

// NewPReLU returns x above 0 and a trained slope times x below.
func NewPReLU(a PReLUArgs) (part.Layer, error) {
	return applied{curve.PReLU{PerChannel: a.PerChannel}}, nil
}
