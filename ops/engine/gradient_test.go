package engine

import (
	"math"
	"math/rand/v2"
	"testing"

	"qpipe/internal/netdraw"
	"qpipe/ops/convbn"
	"qpipe/ops/nn"
)

// TestGradients compares Backward with central differences, for every parameter
// of a graph with every op, with batch statistics and with frozen BN.
func TestGradients(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		r := rand.New(rand.NewPCG(3, 5))
		g := everyOp(t)
		g.Init(1)
		netdraw.Jitter(g, r)
		if frozen {
			var names []string
			for _, m := range g.Modules() {
				if m.BN != "" {
					names = append(names, m.BN)
				}
			}
			must(t, g.FreezeBN(names))
		}
		const n = 3
		e := compile(t, g, n, true)
		x, dy := randn(r, n*g.Input().WithN(1).Len(), 1), randn(r, n*5, 1)
		state := g.Clone()
		loss := func() float64 {
			copyState(g, state)
			return dot(e.Forward(x, n, Train), dy)
		}
		loss()
		e.Backward(dy)
		for _, p := range g.Params() {
			grad := append([]float32(nil), p.Grad...)
			scale := 0.0
			for _, v := range grad {
				scale = max(scale, math.Abs(float64(v)))
			}
			for try := range 6 {
				i := r.IntN(len(p.Data))
				if try == 0 {
					i = 0
				}
				want, ok := difference(p, i, loss)
				if ok && math.Abs(want-float64(grad[i])) > 2e-2*scale+2e-3 {
					t.Errorf("frozen %t: %s[%d]: gradient %g, difference %g", frozen, p.Name, i, grad[i], want)
				}
			}
		}
	}
}

// difference is the central difference at two step sizes; where they disagree
// a kink is near and neither counts.
func difference(p *nn.Param, i int, loss func() float64) (float64, bool) {
	v := p.Data[i]
	at := func(h float32) float64 {
		p.Data[i] = v + h
		up := loss()
		p.Data[i] = v - h
		down := loss()
		p.Data[i] = v
		return (up - down) / float64(2*h)
	}
	a, b := at(4e-3), at(2e-3)
	return b, math.Abs(a-b) < 1e-2*max(math.Abs(a), 0.1)
}

// copyState sets the running statistics of g to those of from.
func copyState(g, from *nn.Graph) {
	for i, n := range nodesOf(g) {
		if b := convbn.BNOf(n); b != nil {
			copy(b.Mean, convbn.BNOf(nodesOf(from)[i]).Mean)
			copy(b.Var, convbn.BNOf(nodesOf(from)[i]).Var)
		}
	}
}
