package quantized

import (
	"qpipe/onnx/op"
	"qpipe/onnx/value"
)

// tableRows are functions of one integer.
func tableRows() []*op.Row {
	row := func(name string, f func(c *op.Call) func(x float32) float32, attrs ...op.Attr) *op.Row {
		return &op.Row{
			Name: name, Domain: microsoft, Since: []int{1}, Least: 4, Most: 5, Outputs: 1, Attrs: attrs, Shape: likeBytes,
			Eval: func(c *op.Call) {
				q, out := c.Ints(0), c.Out[0]
				x, y, g := gridOf(c, 1, 2, out.Type), gridOf(c, 3, 4, out.Type), f(c)
				c.Work(len(q))
				least, most := value.Limits(out.Type)
				table := make([]int64, most-least+1)
				for i := range table {
					table[i] = y.quantize(g(x.value(int64(i) + least)))
				}
				for i, n := range q {
					out.I[i] = table[n-least]
				}
			},
		}
	}
	return []*op.Row{
		row("QLinearSigmoid", func(*op.Call) func(float32) float32 { return logistic }),
		row("QLinearLeakyRelu", func(c *op.Call) func(float32) float32 {
			alpha := float32(c.Float("alpha"))
			return func(x float32) float32 {
				if x >= 0 {
					return x
				}
				return alpha * x
			}
		}, op.Float("alpha", 0.01)),
	}
}

// logistic is the sigmoid as ONNX Runtime approximates it: the rational function of Eigen, in float32 with FMA.
func logistic(x float32) float32 {
	above := [...]float32{4.37031012579801e-11, 1.15627324459942e-07, 6.08574864600143e-05, 8.51377133304701e-03, 2.48287947061529e-01}
	below := [...]float32{6.10247389755681e-13, 5.76102136993427e-09, 6.29106785017040e-06, 1.70198817374094e-03, 1.16817656904453e-01, 9.93151921023180e-01}
	x = min(max(x, -18), 18)
	square := x * x
	p, q := above[0], below[0]
	for _, k := range above[1:] {
		p = fma(p, square, k)
	}
	for _, k := range below[1:] {
		q = fma(q, square, k)
	}
	return min(max(float32(p*x)/q+0.5, 0), 1)
}
