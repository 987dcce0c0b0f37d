package optest

import (
	"qpipe/ops/norm"
	"qpipe/ops/op"
	"qpipe/ops/tensor"
)

// normCases are those of normalizations and of dropout.
func normCases() []Case {
	s, small := tensor.Shape{H: 6, W: 5, C: 4}, tensor.Shape{H: 6, W: 5, C: 3}
	return []Case{
		{norm.GroupNorm{Groups: 2, Affine: true}, []tensor.Shape{s}},
		{norm.GroupNorm{Groups: 1, Eps: 1e-3}, []tensor.Shape{small}},
		{norm.InstanceNorm{Affine: true}, []tensor.Shape{s}},
		{norm.InstanceNorm{}, []tensor.Shape{small}},
		{norm.LayerNorm{Affine: true}, []tensor.Shape{s}},
		{norm.LayerNorm{Eps: 1e-3}, []tensor.Shape{small}},
		{norm.LayerNorm{Whole: true, Affine: true}, []tensor.Shape{s}},
		{norm.LayerNorm{Whole: true}, []tensor.Shape{small}},
		{op.Dropout{P: 0.3}, []tensor.Shape{s}},
		{op.Dropout{P: 0.5, Channels: true}, []tensor.Shape{small}},
	}
}
