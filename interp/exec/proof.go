package exec

import (
	"fmt"

	"qpipe/interp/artifact"
	"qpipe/interp/stage"
	"qpipe/ops/nn"
)

// prove runs the QAT model's eval forward and the int8 model on one batch and
// compares their integers, node by node.
func (s *session) prove(qat, int8 *nn.Graph, feed *stage.Feed, batch int) (*artifact.Proof, error) {
	x, n, err := feed.First(max(batch, 1), s.prog.Settings.Seed)
	if err != nil {
		return nil, err
	}
	a, err := s.forward(qat, x, n)
	if err != nil {
		return nil, err
	}
	b, err := s.forward(int8, x, n)
	if err != nil {
		return nil, err
	}
	p := &artifact.Proof{Images: n}
	for _, m := range int8.Modules() {
		want, ok := a.Codes(m.Name)
		got, also := b.Codes(m.Name)
		if !ok || !also || len(want) != len(got) {
			continue
		}
		node := compare(want, got)
		node.Node = m.Name
		p.Nodes = append(p.Nodes, node)
		p.Changed += node.Changed
		p.MaxStep = max(p.MaxStep, node.MaxStep)
	}
	return p, nil
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
	return fmt.Sprintf("%d of %d integers of the int8 model differ from the QAT model's, by at most %d step(s), on %d images", p.Changed, total, p.MaxStep, p.Images)
}
