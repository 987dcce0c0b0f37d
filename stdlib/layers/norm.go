package layers

import (
	"errors"

	"qpipe/interp/part"
	"qpipe/ops/norm"
)

// GroupNormArgs are the arguments of GroupNorm.
type GroupNormArgs struct {
	Groups int     `arg:"num_groups" doc:"Number of groups that the channels are divided into."`
	Eps    float64 `arg:"eps,optional" doc:"What is added to the variance."`
	Affine bool    `arg:"affine,optional" doc:"Whether each channel has a trained weight and bias."`
}

// GroupNormDefaults returns GroupNorm's defaults.
func GroupNormDefaults() GroupNormArgs { return GroupNormArgs{Eps: 1e-5, Affine: true} }

// Validate implements the language's check after decoding.
func (a GroupNormArgs) Validate() error {
	return errors.Join(positive("num_groups", a.Groups), checkEps("eps", a.Eps))
}

// NewGroupNorm returns the normalization of groups of channels.
func NewGroupNorm(a GroupNormArgs) (part.Layer, error) {
	return applied{norm.GroupNorm(a)}, a.Validate()
}

// InstanceNormArgs are the arguments of InstanceNorm2d.
type InstanceNormArgs struct {
	Eps    float64 `arg:"eps,optional" doc:"What is added to the variance."`
	Affine bool    `arg:"affine,optional" doc:"Whether each channel has a trained weight and bias."`
}

// InstanceNormDefaults returns InstanceNorm2d's defaults.
func InstanceNormDefaults() InstanceNormArgs { return InstanceNormArgs{Eps: 1e-5} }

// Validate implements the language's check after decoding.
func (a InstanceNormArgs) Validate() error { return checkEps("eps", a.Eps) }

// NewInstanceNorm2d returns the normalization of each channel.
func NewInstanceNorm2d(a InstanceNormArgs) (part.Layer, error) {
	return applied{norm.InstanceNorm(a)}, a.Validate()
}

// LayerNormArgs are the arguments of LayerNorm.
type LayerNormArgs struct {
	Over   string  `arg:"over,optional" oneof:"channels all" doc:"What is normalized: the channels of each pixel, as in ConvNeXt, with a weight and a bias for each channel; or all elements of an image, as PyTorch's LayerNorm over all axes, with a weight and a bias for each element."`
	Eps    float64 `arg:"eps,optional" doc:"What is added to the variance."`
	Affine bool    `arg:"elementwise_affine,optional" doc:"Whether there are trained weights and biases."`
}

// LayerNormDefaults returns LayerNorm's defaults.
func LayerNormDefaults() LayerNormArgs {
	return LayerNormArgs{Over: "channels", Eps: 1e-5, Affine: true}
}

// Validate implements the language's check after decoding.
func (a LayerNormArgs) Validate() error { return checkEps("eps", a.Eps) }

// NewLayerNorm returns the normalization of pixels or images.
func NewLayerNorm(a LayerNormArgs) (part.Layer, error) {
	return applied{norm.LayerNorm{Whole: a.Over == "all", Eps: a.Eps, Affine: a.Affine}}, a.Validate()
}
