package engine

import (
	"qpipe/ops/arith"
	"qpipe/ops/layer"
	"qpipe/ops/op"
)

// torchArith are the ops of package arith, and softmax, in testdata/torch.
func torchArith() map[string]layer.Op {
	return map[string]layer.Op{
		"add_gate":             arith.Add{},
		"add_outer":            arith.Add{},
		"scale":                arith.Scale{},
		"scale_bias":           arith.Scale{Bias: true},
		"softmax_channels":     op.Softmax{Axis: 2},
		"softmax_rows":         op.Softmax{Axis: 0},
		"softmax_columns":      op.Softmax{Axis: 1},
		"log_softmax_channels": op.LogSoftmax{Axis: 2},
		"log_softmax_rows":     op.LogSoftmax{Axis: 0},
		"log_softmax_columns":  op.LogSoftmax{Axis: 1},
		"sub":                  arith.Sub{},
		"sub_row":              arith.Sub{},
		"mul":                  arith.Mul{},
		"mul_gate":             arith.Mul{},
		"mul_plane":            arith.Mul{},
		"max":                  arith.Max{},
		"max_column":           arith.Max{},
		"min":                  arith.Min{},
		"min_plane":            arith.Min{},
	}
}
