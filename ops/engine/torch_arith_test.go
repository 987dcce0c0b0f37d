package engine

import (
	"qpipe/ops/arith"
	"qpipe/ops/layer"
)

// torchArith are the ops of package arith in testdata/torch.
func torchArith() map[string]layer.Op {
	return map[string]layer.Op{
		"add_gate":   arith.Add{},
		"add_outer":  arith.Add{},
		"scale":      arith.Scale{},
		"scale_bias": arith.Scale{Bias: true},
		"sub":        arith.Sub{},
		"sub_row":    arith.Sub{},
		"mul":        arith.Mul{},
		"mul_gate":   arith.Mul{},
		"mul_plane":  arith.Mul{},
		"max":        arith.Max{},
		"max_column": arith.Max{},
		"min":        arith.Min{},
		"min_plane":  arith.Min{},
	}
}
