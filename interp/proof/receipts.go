package proof

import (
	"slices"

	"qpipe/interp/checkpoint"
	"qpipe/interp/event"
	"qpipe/ops/engine"
	"qpipe/ops/nn"
)

// absorb leaves a receipt of every BN that the conversion has absorbed. One is
// absorbed after the other, so that a receipt tells of its own node alone and not
// of what those before it have changed.
func (p *Prover) absorb(qat *nn.Graph) (absorbed []checkpoint.Absorption, err error) {
	if !slices.ContainsFunc(qat.Modules(), nn.Module.Absorbable) {
		return nil, nil
	}
	g, scale := qat, "keep"
	if p.Mode == nn.WithBN {
		scale = "recompute" // the scale is multiplied by |s|, as the weight is
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

// Folded leaves a receipt of every BN that was folded while the model was
// prepared. The folded model is compared as it was before quantization.
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

// receipt says what the absorption of a node's BN has done to its output, in the
// event log.
func (p *Prover) receipt(node nn.Module, before, after *engine.Net, scale string) checkpoint.Absorption {
	r := checkpoint.Absorption{Module: node.Name, BN: node.BN, Mode: p.Mode, WeightScale: scale}
	if p.Loaded.Snapshot != nil {
		r.Epoch, r.Step = p.Loaded.Snapshot.Epoch, p.Loaded.Snapshot.Step
	}
	r.Compare(checkpoint.ReadOutput(before, node.Name), checkpoint.ReadOutput(after, node.Name))
	p.Events(event.Event{Stage: p.Stage, Epoch: r.Epoch, Step: r.Step, Data: r.Event()})
	return r
}
