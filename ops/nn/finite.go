package nn

// NotFinite names the first node (in order) with a parameter, gradient or scale that is not finite, and what it is:
// a tensor's name, "gradient of" one, "activation range", "weight scale" or "output".
func (e *Net) NotFinite() (node, what string, bad bool) {
	if e.faults == nil {
		e.faults, e.faultTask = make([]string, len(e.g.nodes)), e.lookForFault
	}
	e.pool.Run(len(e.g.nodes), e.faultTask)
	for i, what := range e.faults {
		if what != "" {
			return e.g.nodes[i].name, what, true
		}
	}
	return "", "", false
}

func (e *Net) lookForFault(i, _ int) {
	e.faults[i] = e.g.notFinite(e.g.nodes[i], e.training, e.set.Finite)
}

func (g *Graph) notFinite(n *node, grads bool, allFinite func([]float32) bool) string {
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
