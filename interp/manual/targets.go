package manual

import (
	"fmt"
	"strings"

	"qpipe/ops/nn"
	"qpipe/ops/quant"
)

const targetsHead = `
## Targets

` + "`qconfig \"int8\" { target = \"onnxruntime\" }`" + ` says which runtime the int8 model is for. Runtimes differ in where a value is quantized. A network that is
trained with other quant nodes than its runtime has does not compute there what was trained. The default is ` + "`horizon`" + `, the rules of Horizon's toolkit.

`

const targetsTail = `
Two nodes instead of one: the convolution's node ends with its BN and keeps its name. The addition's node has the addition's name, and takes the activation
behind it; ` + "`override`" + ` can name either. In every target the int8 model computes the integers of the QAT evaluation. A checkpoint that was
calibrated or trained quantized for one target does not fit another one; a float checkpoint fits all.

Sources: ONNX's operators [QLinearConv](https://onnx.ai/onnx/operators/onnx__QLinearConv.html) and ONNX Runtime's
[QLinearAdd](https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QLinearAdd), which adds two quantized operands;
the [quantization specification](https://ai.google.dev/edge/litert/models/quantization_spec) of TensorFlow Lite; NVIDIA's
[TensorRT on quantized networks](https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/work-quantized-types.html). The rounding of
TensorFlow Lite's requantization is in fixed point, and differs from ours next to ties.
`

// targets writes the rules of the targets.
func targets(b *strings.Builder) {
	b.WriteString(targetsHead)
	all := nn.Targets()
	row := func(head string, of func(r nn.TargetRules) string) {
		fmt.Fprintf(b, "| %s |", head)
		for _, r := range all {
			fmt.Fprintf(b, " %s |", of(r))
		}
		b.WriteByte('\n')
	}
	either := func(is func(r nn.TargetRules) bool, yes, no string) func(nn.TargetRules) string {
		return func(r nn.TargetRules) string {
			if is(r) {
				return yes
			}
			return no
		}
	}
	apart := func(r nn.TargetRules) bool { return r.SumsApart }
	types := func(of func(r nn.TargetRules) []quant.DType) func(nn.TargetRules) string {
		return func(r nn.TargetRules) string {
			var words []string
			for _, t := range of(r) {
				words = append(words, "`"+t.String()+"`")
			}
			return strings.Join(words, ", ")
		}
	}
	row("", func(r nn.TargetRules) string { return "`" + string(r.Target) + "`" })
	b.WriteString("|---" + strings.Repeat("|---", len(all)) + "|\n")
	row("convolution or linear layer [+ BN] [+ activation]", func(nn.TargetRules) string { return "one node" })
	row("addition behind it", either(apart, "a node of its own", "in the same node, in the accumulator"))
	row("ReLU or ReLU6 behind an addition", either(apart, "in the addition's node, unless that repeats an operand", "in the convolution's node; behind a separate addition passes its codes on"))
	for _, p := range nn.Prescriptions() {
		what := "its operand's grid"
		if !p.Keeps {
			what = fmt.Sprintf("scale %s, zero point %d", fraction(p.Scale), p.Zero)
		}
		row("output of `"+p.Op+"`", either(func(r nn.TargetRules) bool { return r.Prescribes }, what, "its own grid"))
	}
	row("activations", types(func(r nn.TargetRules) []quant.DType { return r.Activations }))
	row("weights", types(func(r nn.TargetRules) []quant.DType { return r.Weights }))
	row("`scheme = \"affine\"`", either(func(r nn.TargetRules) bool { return r.Affine }, "yes", "no"))
	row("`scale_rule = \"half_range\"` of weights", either(func(r nn.TargetRules) bool { return r.Narrow }, "no", "yes"))
	row("`rounding = \"half_up\"`", either(func(r nn.TargetRules) bool { return r.HalfEven }, "no", "yes"))
	b.WriteString("\nEvery target takes `float32`, too. `qpipe validate` reports a setting that the target does not take, and `qpipe plan -nodes` shows the nodes.\n")
	b.WriteString(targetsTail)
}

// fraction is a power of two below 1 as people write it.
func fraction(v float64) string { return fmt.Sprintf("1/%g", 1/v) }
