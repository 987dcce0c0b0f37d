package nn

import "math"

// NotFinite names the first node (in order) with a parameter, gradient or scale that is not finite, and what it is:
// a tensor's name, "gradient of" one, "activation range", "weight scale" or "output".
func (e *Net) NotFinite() (node, what string, bad bool) {
	for _, n := range e.g.nodes {
		if what := e.g.notFinite(n, e.training); what != "" {
			return n.name, what, true
		}
	}
	return "", "", false
}

func (g *Graph) notFinite(n *node, grads bool) string {
	switch c := n.conv; {
	case n.quant.Ready() && !(finite(n.quant.Min) && finite(n.quant.Max)):
		return "activation range"
	case c == nil:
	case !allFinite(c.W.Data):
		return "weight"
	case grads && !allFinite(c.W.Grad):
		return "gradient of the weight"
	case !allFinite(c.B.Data):
		return "bias"
	case grads && !allFinite(c.B.Grad):
		return "gradient of the bias"
	case g.form != Float && !allFinite(c.WScale):
		return "weight scale"
	}
	b := n.bnOf()
	switch {
	case b == nil:
	case !allFinite(b.Gamma.Data) || !allFinite(b.Beta.Data):
		return "BN weight or bias"
	case grads && !(allFinite(b.Gamma.Grad) && allFinite(b.Beta.Grad)):
		return "gradient of the BN weight or bias"
	case !allFinite(b.Mean) || !allFinite(b.Var):
		return "BN's running mean or variance"
	}
	return ""
}

// allFinite multiplies by zero and adds: infinities and NaN leave a NaN.
func allFinite(x []float32) bool {
	var a, b, c, d float32
	i := 0
	for ; i+4 <= len(x); i += 4 {
		a += x[i] * 0
		b += x[i+1] * 0
		c += x[i+2] * 0
		d += x[i+3] * 0
	}
	for ; i < len(x); i++ {
		a += x[i] * 0
	}
	return !math.IsNaN(float64(a + b + c + d))
}
