package exporter

import (
	"errors"
	"fmt"
	"slices"

	"qpipe/ops/convbn"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
)

// Check tells whether a network can be written, from its nodes alone: before it has parameters. It names all nodes that cannot, as
// Model does.
func Check(net *nn.Graph, o Options) error {
	if err := o.suits(net.Form()); err != nil {
		return err
	}
	var errs []error
	nodes, _ := net.Nodes()
	for _, n := range nodes {
		if err := o.writes(n); err != nil {
			errs = append(errs, &nn.NodeError{Node: n.Name, Err: err})
		}
	}
	return errors.Join(errs...)
}

// suits tells whether a model of that form can be written in the format.
func (o Options) suits(f nn.Form) error {
	switch {
	case o.Opset != 0 && (o.Opset < FirstOpset || o.Opset > LastOpset):
		return fmt.Errorf("operator set %d cannot be written; %d to %d can", o.Opset, FirstOpset, LastOpset)
	case o.Format == Float && f == nn.Quantized:
		return errors.New(`an int8 model has no float weights; export the model of a stage before it, or with format = "qdq"`)
	case o.Format != Float && f != nn.Quantized:
		return fmt.Errorf(`a %s model has no integers; format = "float" writes its float weights, and a stage with QAT2Quantize leaves an int8 model`, f)
	}
	return nil
}

// writes tells whether a node can be written.
func (o Options) writes(n *layer.Node) error {
	c := convbn.Of(n)
	switch {
	case !slices.Contains(ops(), n.Kind.Name):
		return fmt.Errorf("the op %s has no form in ONNX here", n.Kind.Name)
	case o.Format != Float && n.Quant.Spec.Quantized() && n.Quant.Spec.Rounding == quant.HalfUp:
		return errors.New(`its outputs are rounded half up, which ONNX cannot say; rounding = "half_even" can be exported`)
	case o.Format == QOperator && c != nil && c.Add && !n.Island && !o.Glue:
		return errors.New("it adds before it rounds, which no operator of ONNX does; glue = true writes it with ConvInteger and float ops, " +
			`and a model for target = "onnxruntime" has additions of their own`)
	}
	return nil
}

// ops are those that can be written.
func ops() []string {
	return []string{
		"input", "conv", "conv_transpose", "linear", "bn", "act", "quant", "dequant", "dropout",
		"add", "sub", "mul", "max", "min", "scale", "prelu", "softmax", "log_softmax", "group_norm", "layer_norm",
		"max_pool", "avg_pool", "global_max_pool", "global_avg_pool", "adaptive_max_pool", "adaptive_avg_pool", "reduce_max", "reduce_mean", "reduce_sum",
		"concat", "flatten", "reshape", "transpose", "slice", "pad", "channel_shuffle", "pixel_shuffle", "pixel_unshuffle", "resize_nearest", "resize_bilinear",
		"hard_swish", "sigmoid", "tanh", "silu", "gelu", "gelu_tanh", "mish", "softplus", "leaky_relu", "elu", "hard_sigmoid", "clip",
		"exp", "log", "sqrt", "abs", "neg", "reciprocal", "erf", "power",
	}
}
