package engine

import (
	"qpipe/ops/layer"
	"qpipe/ops/op"
)

// torchCurves are the curves in testdata/torch.
func torchCurves() map[string]layer.Op {
	ops := map[string]layer.Op{
		"prelu":          op.PReLU{},
		"prelu_channels": op.PReLU{PerChannel: true},
		"leaky_relu_03":  op.Pointwise{Function: "leaky_relu", Args: map[string]float64{"negative_slope": 0.3}},
		"elu_07":         op.Pointwise{Function: "elu", Args: map[string]float64{"alpha": 0.7}},
		"clip":           op.Pointwise{Function: "clip", Args: map[string]float64{"min": -0.5, "max": 1.25}},
		"clip_max":       op.Pointwise{Function: "clip", Args: map[string]float64{"max": 0.75}},
	}
	for _, name := range op.Functions() {
		if ops[name] == nil {
			ops[name] = op.Pointwise{Function: name}
		}
	}
	return ops
}
