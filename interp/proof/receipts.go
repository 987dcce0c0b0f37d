package proof

import (
	"slices"

	"qpipe/interp/checkpoint"
	"qpipe/interp/event"
	"qpipe/ops/engine"
	"qpipe/ops/nn"
)

// absorb returns and logs a receipt for every BN that the conversion has absorbed. It
// absorbs them again, one after the other, and compares each model with the one before. So
// a receipt shows the change by its own node alone.
func (p *Prover) absorb(qat *nn.Graph) (absorbed []checkpoint.Absorption, err error) {
	if !slices.ContainsFunc(qat.Modules(), nn.Module.Absorbable) {
		return nil, nil
	}
	g, scale := qat, "keep"
	if p.Mode == nn.WithBN {
		scale = "recompute" // the scale is multiplied by |s|, just as the weights are multiplied by s
	}
	x, n, err := p.Feed.First(probeImages, p.Seed)
	if err != nil {
		return nil, err
	}
	before, err := p.forward(g, x, n)
	if err != nil {
		return nil, err
	}
	for _, node := range qat.Modules() {
		if !node.Absorbable() {
			continue
		}
		g = g.Clone()
		if err := g.Absorb(node.Name, true); err != nil {
			return nil, err
		}
		after, err := p.forward(g, x, n)
		if err != nil {
			return nil, err
		}
		absorbed = append(absorbed, p.receipt(node, before, after, scale))
		before = after
	}
	return absorbed, nil
}

// Folded logs a receipt for every BN that was folded when the float model was prepared for
// quantization. It compares the float model with a folded one that is not quantized, so
// that the receipts show only the effect of folding.
func (p *Prover) Folded(float, prepared *nn.Graph) error {
	plain := float.Clone()
	plain.SetQConfig(func(nn.Module) nn.QConfig { return nn.QConfig{} })
	if err := plain.Prepare(nn.Calibration, nn.FuseBN); err != nil {
		return err
	}
	a, b, err := p.both(float, plain)
	if err != nil {
		return err
	}
	left := map[string]bool{}
	for _, node := range prepared.Modules() {
		left[node.Name] = node.BN != ""
	}
	for _, node := range float.Modules() {
		if node.BN != "" && !left[node.Name] {
			p.receipt(node, a, b, "recompute")
		}
	}
	return nil
}

// both runs two models on the first images.
func (p *Prover) both(a, b *nn.Graph) (before, after *engine.Net, err error) {
	x, n, err := p.Feed.First(probeImages, p.Seed)
	if err != nil {
		return nil, nil, err
	}
	if before, err = p.forward(a, x, n); err == nil {
		after, err = p.forward(b, x, n)
	}
	return before, after, err
}

// receipt returns and logs the receipt of an absorbed BN, given nets with the outputs
// before and after.
func (p *Prover) receipt(node nn.Module, before, after *engine.Net, scale string) checkpoint.Absorption {
	r := checkpoint.Absorption{Module: node.Name, BN: node.BN, Mode: p.Mode, WeightScale: scale}
	if p.Loaded.Snapshot != nil {
		r.Epoch, r.Step = p.Loaded.Snapshot.Epoch, p.Loaded.Snapshot.Step
	}
	r.Compare(checkpoint.ReadOutput(before, node.Name), checkpoint.ReadOutput(after, node.Name))
	p.Events(event.Event{Stage: p.Stage, Epoch: r.Epoch, Step: r.Step, Data: r.Event()})
	return r
}
