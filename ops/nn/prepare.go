package nn

import (
	"fmt"

	"qpipe/ops/convbn"
	"qpipe/ops/quant"
)

// Prepare turns a float graph into its calibration or QAT form, or a calibration graph into its QAT form. Under
// FuseBN it folds every BN that follows a convolution. A graph without parameters may be prepared too (validation does).
func (g *Graph) Prepare(f Form, m Mode) error {
	mode, ok := convMode(m)
	switch {
	case !ok:
		return fmt.Errorf("there is no qat_mode %q; fuse_bn, with_bn and with_bn_reverse_fold are", m)
	case f != Calibration && f != QAT:
		return fmt.Errorf("a model is prepared for calibration or for QAT, not to be %s", f)
	case g.form != Float && (g.form != Calibration || f != QAT):
		return fmt.Errorf("a %s model cannot become a %s model", g.form, f)
	case !g.configured:
		return fmt.Errorf("the model has no quantization configuration: set one before it is prepared")
	}
	from := g.form
	g.form, g.mode = f, m
	g.version++
	for _, n := range g.nodes {
		g.prepareNode(n, mode, from)
	}
	return g.verify()
}

func convMode(m Mode) (convbn.Mode, bool) {
	switch m {
	case FuseBN:
		return convbn.FuseBN, true
	case WithBN:
		return convbn.WithBN, true
	case ReverseFold:
		return convbn.ReverseFold, true
	}
	return 0, false
}

func (g *Graph) prepareNode(n *node, mode convbn.Mode, from Form) {
	a := n.qcfg.Activation
	if from == Calibration && n.Quant.Spec == a.Spec && !(a.Observer != nil && a.Observer.Fixed()) {
		n.Quant.Observer = a.Observer // keeps the range that calibration found
	} else {
		n.Quant, n.observed = quant.NewNode(a.Spec, a.Observer), false
	}
	c := conv(n)
	if c == nil {
		return
	}
	c.Weight, c.Mode = n.qcfg.Weight.Spec, mode
	if mode == convbn.FuseBN && c.BN != nil {
		c.Fold()
	}
	c.Update()
}
