package convbn

import (
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
)

// Linear is a fully connected layer: over all features of its operand, which it flattens by itself, or PerPixel over the
// channels of each pixel, as PyTorch's Linear is over the last axis.
type Linear struct {
	Out      int
	Bias     bool
	PerPixel bool
}

var linearKind = weighted(layer.Kind{Name: "linear", Restore: restoreLinear, Flat: true})

// Kind implements layer.Op.
func (Linear) Kind() *layer.Kind { return linearKind }

// Node implements layer.Op.
func (a Linear) Node(in []layer.Source) (*layer.Node, error) {
	if a.Out < 1 {
		return nil, layer.BadArg("out", "%d output features", a.Out)
	}
	s := in[0].Origin
	g := kernel.Conv{
		H: s.H, W: s.W, C: s.C, OutC: a.Out, OH: 1, OW: 1, KH: s.H, KW: s.W,
		StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1,
	}
	if a.PerPixel && s == in[0].Shape { // a flattened map is one pixel, whose channels are all there is
		g.OH, g.OW, g.KH, g.KW = s.H, s.W, 1, 1
	}
	return node(linearKind, &Node{Linear: true, Bias: a.Bias, Geom: g})
}

func restoreLinear(n *layer.Node, f layer.Fields) (layer.Body, error) {
	return restore(n, f, true)
}

func restoreConv(n *layer.Node, f layer.Fields) (layer.Body, error) {
	return restore(n, f, false)
}
