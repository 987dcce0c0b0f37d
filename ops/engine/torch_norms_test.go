package engine

import (
	"qpipe/ops/layer"
	"qpipe/ops/norm"
)

// torchNorms are the ops of the function norms in tools/torchvec/torchvec.py.
func torchNorms() map[string]layer.Op {
	return map[string]layer.Op{
		"group_norm":             norm.GroupNorm{Groups: 2, Affine: true},
		"group_norm_plain":       norm.GroupNorm{Groups: 1, Eps: 1e-3},
		"instance_norm":          norm.InstanceNorm{Affine: true},
		"instance_norm_plain":    norm.InstanceNorm{},
		"layer_norm":             norm.LayerNorm{Affine: true},
		"layer_norm_plain":       norm.LayerNorm{},
		"layer_norm_whole":       norm.LayerNorm{Whole: true, Affine: true},
		"layer_norm_whole_plain": norm.LayerNorm{Whole: true, Eps: 1e-3},
	}
}
