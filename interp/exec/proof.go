package exec

import (
	"fmt"
	"slices"

	"qpipe/interp/artifact"
	"qpipe/interp/graph"
	"qpipe/interp/stage"
	"qpipe/ops/nn"
)

// measured is a conversion that is held against the model before it, on the first
// batch of the validation data.
type measured struct {
	*session
	*conversion
	stage *graph.Stage
	feed  *stage.Feed
	batch int
}

// both runs two models on the batch.
func (m *measured) both(a, b *nn.Graph) (before, after *nn.Net, n int, err error) {
	x, n, err := m.feed.First(m.batch, m.prog.Settings.Seed)
	if err != nil {
		return nil, nil, 0, err
	}
	if before, err = m.forward(a, x, n); err == nil {
		after, err = m.forward(b, x, n)
	}
	return before, after, n, err
}

func (s *session) forward(g *nn.Graph, x []float32, n int) (*nn.Net, error) {
	net, err := nn.Compile(g, n, false, s.Kernels, s.pool)
	if err != nil {
		return nil, err
	}
	net.Keep()
	net.Forward(x, n, nn.Eval)
	return net, nil
}

// quantized compares the integers of the int8 model with those of the QAT model's
// eval forward, node by node, and leaves a receipt of every BN that the conversion
// has absorbed.
func (m *measured) quantized(qat, int8 *nn.Graph) error {
	a, b, n, err := m.both(qat, int8)
	if err != nil {
		return err
	}
	p := &artifact.Proof{Images: n}
	for _, node := range qat.Modules() {
		want, ok := a.Codes(node.Name)
		got, also := b.Codes(node.Name)
		if ok && also && len(want) == len(got) {
			c := compare(want, got)
			c.Node = node.Name
			p.Nodes = append(p.Nodes, c)
			p.Changed += c.Changed
			p.MaxStep = max(p.MaxStep, c.MaxStep)
		}
	}
	m.proof = p
	if err := m.absorb(qat); err != nil {
		return err
	}
	m.emit(EventProof, m.stage.Name, sentence(p), map[string]any{"proof": p})
	return nil
}

// probeImages bounds the images that the receipts of a conversion are measured on.
const probeImages = 32

// absorb leaves a receipt of every BN that the conversion has absorbed. One is
// absorbed after the other, so that a receipt tells of its own node alone and not
// of what those before it have changed.
func (m *measured) absorb(qat *nn.Graph) error {
	absorbed := func(node nn.Module) bool { return node.BN != "" }
	if !slices.ContainsFunc(qat.Modules(), absorbed) {
		return nil
	}
	g, scale := qat, "keep"
	if m.Mode == nn.WithBN {
		scale = "recompute" // the scale is multiplied by |s|, as the weight is
	}
	x, n, err := m.feed.First(min(m.batch, probeImages), m.prog.Settings.Seed)
	if err != nil {
		return err
	}
	before, err := m.forward(g, x, n)
	if err != nil {
		return err
	}
	for _, node := range qat.Modules() {
		if !absorbed(node) {
			continue
		}
		g = g.Clone()
		if err := g.Absorb(node.Name, true); err != nil {
			return err
		}
		after, err := m.forward(g, x, n)
		if err != nil {
			return err
		}
		m.absorbed = append(m.absorbed, m.receipt(node, before, after, scale))
		before = after
	}
	return nil
}

// folded leaves a receipt of every BN that was folded while the model was
// prepared. The folded model is compared as it was before quantization.
func (m *measured) folded(float, prepared *nn.Graph) error {
	plain := float.Clone()
	plain.SetQConfig(func(nn.Module) nn.QConfig { return nn.QConfig{} })
	if err := plain.Prepare(nn.Calibration, nn.FuseBN); err != nil {
		return err
	}
	a, b, _, err := m.both(float, plain)
	if err != nil {
		return err
	}
	left := map[string]bool{}
	for _, node := range prepared.Modules() {
		left[node.Name] = node.BN != ""
	}
	for _, node := range float.Modules() {
		if node.BN != "" && !left[node.Name] {
			m.receipt(node, a, b, "recompute")
		}
	}
	return nil
}

// receipt says what the absorption of a node's BN has done to its output, in the
// event log.
func (m *measured) receipt(node nn.Module, before, after *nn.Net, scale string) stage.Absorption {
	r := stage.Absorption{Module: node.Name, BN: node.BN, Mode: m.Mode, WeightScale: scale}
	if m.last != nil {
		r.Epoch, r.Step = m.last.Epoch, m.last.Step
	}
	want, step, _, ok := before.Output(node.Name)
	got, _, _, also := after.Output(node.Name)
	if ok && also && len(want) == len(got) {
		r.Compare(want, got, float64(step))
	}
	m.journal.event(stage.Event{Kind: stage.EventAbsorb, Stage: m.stage.Name, Epoch: r.Epoch, Step: r.Step, Data: r.Data()})
	return r
}

func compare(want, got []int8) artifact.NodeProof {
	p := artifact.NodeProof{Total: len(want)}
	for i := range want {
		if d := int(want[i]) - int(got[i]); d != 0 {
			p.Changed++
			p.MaxStep = max(p.MaxStep, d, -d)
		}
	}
	return p
}

// sentence says what a proof found.
func sentence(p *artifact.Proof) string {
	if p.Changed == 0 {
		return fmt.Sprintf("the int8 model has the same integers as the QAT model at all %d nodes, on %d images", len(p.Nodes), p.Images)
	}
	total := 0
	for _, n := range p.Nodes {
		total += n.Total
	}
	steps := "one step"
	if p.MaxStep > 1 {
		steps = fmt.Sprintf("%d steps", p.MaxStep)
	}
	return fmt.Sprintf("%d of %d integers of the int8 model differ from the QAT model's, by at most %s, on %d images", p.Changed, total, steps, p.Images)
}
