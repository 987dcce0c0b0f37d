package engine

import (
	"qpipe/ops/curve"
	"qpipe/ops/layer"
)

// torchCurves are the curves in testdata/torch.
func torchCurves() map[string]layer.Op {
	ops := map[string]layer.Op{
		"prelu":          curve.PReLU{},
		"prelu_channels": curve.PReLU{PerChannel: true},
		"leaky_relu_03":  curve.Pointwise{Function: "leaky_relu", Args: map[string]float64{"negative_slope": 0.3}},
		"elu_07":         curve.Pointwise{Function: "elu", Args: map[string]float64{"alpha": 0.7}},
		"clip":           curve.Pointwise{Function: "clip", Args: map[string]float64{"min": -0.5, "max": 1.25}},
		"power_3":        curve.Pointwise{Function: "power", Args: map[string]float64{"exponent": 3}},
		"power_15":       curve.Pointwise{Function: "power", Args: map[string]float64{"exponent": 1.5}},
		"clip_max":       curve.Pointwise{Function: "clip", Args: map[string]float64{"max": 0.75}},
	}
	for _, name := range curve.Functions() {
		if ops[name] == nil {
			ops[name] = curve.Pointwise{Function: name}
		}
	}
	return ops
}
