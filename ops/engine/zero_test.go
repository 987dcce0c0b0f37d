package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"qpipe/ops/nn"
	"qpipe/ops/quant"
)

// TestFilesSayWhatTheyContain: of every node of an int8 model, in every dtype, the
// codes and (code - act_zero_point)·act_scale are its output, and the zero point is
// a code of the node's own dtype.
func TestFilesSayWhatTheyContain(t *testing.T) {
	for _, spec := range []quant.Spec{
		{DType: quant.Int8},
		{DType: quant.Int8, Scheme: quant.Affine},
		{DType: quant.UInt8, Scheme: quant.Affine},
		{DType: quant.Int4},
		{DType: quant.Int4, Scheme: quant.Affine, Rounding: quant.HalfUp},
	} {
		t.Run(fmt.Sprint(spec.DType, spec.Scheme), func(t *testing.T) {
			g := everyOp(t)
			g.Init(3)
			g.SetQConfig(func(nn.Module) nn.QConfig {
				return nn.QConfig{Activation: nn.Quant{Spec: spec, Observer: minMax{1}}, Weight: weight8()}
			})
			must(t, g.Prepare(nn.QAT, nn.ReverseFold))
			r := rand.New(rand.NewPCG(8, 8))
			x := randn(r, 4*g.Input().WithN(1).Len(), 1)
			e := compile(t, g, 4, true)
			e.Forward(x, 4, Train)
			e.Backward(randn(r, 20, 1))
			int8, err := g.Convert()
			must(t, err)
			file := map[string]any{}
			for _, s := range int8.Tensors() {
				file[s.Name] = s.Data
			}
			net := compile(t, int8, 4, false)
			net.Keep()
			net.Forward(x, 4, Eval)
			lo, hi := spec.Limits()
			checked := 0
			for _, m := range int8.Modules() {
				scale, ok := file[m.Name+".act_scale"].([]float32)
				if !ok {
					continue // passes on what it gets
				}
				zero := file[m.Name+".act_zero_point"].([]int32)[0]
				if zero < lo || zero > hi {
					t.Errorf("%s: the zero point %d is no code of %v", m.Name, zero, spec.DType)
				}
				values, _, _, _ := net.Output(m.Name)
				codes, _ := net.Codes(m.Name)
				for i, c := range codes {
					code := int32(c)
					if spec.DType == quant.UInt8 {
						code += 128
					}
					if code < lo || code > hi || float32(code-zero)*scale[0] != values[i] {
						t.Fatalf("%s: code %d, scale %g and zero point %d are not %g", m.Name, code, scale[0], zero, values[i])
					}
				}
				checked++
			}
			if checked < 8 {
				t.Errorf("only %d nodes were looked at", checked)
			}
		})
	}
}
