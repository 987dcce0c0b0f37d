package exec

import (
	"fmt"
	"reflect"
	"slices"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/event"
	"qpipe/interp/feed"
	"qpipe/interp/graph"
	"qpipe/interp/place"
	"qpipe/interp/runs"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/engine"
	"qpipe/ops/nn"
)

// measured is a conversion that is held against the model before it.
type measured struct {
	*session
	*conversion
	stage *graph.Stage
	feed  *feed.Feed
	call  program.Call // the converter
}

// probeImages bounds the images that receipts are measured on, and that a proof runs
// at a time: every node's output is kept meanwhile.
const probeImages = 32

// both runs two models on the first images.
func (m *measured) both(a, b *nn.Graph) (before, after *engine.Net, err error) {
	x, n, err := m.feed.First(probeImages, m.prog.Settings.Seed)
	if err != nil {
		return nil, nil, err
	}
	if before, err = m.forward(a, x, n); err == nil {
		after, err = m.forward(b, x, n)
	}
	return before, after, err
}

func (s *session) forward(g *nn.Graph, x []float32, n int) (*engine.Net, error) {
	net, err := s.keeping(g, n)
	if err != nil {
		return nil, err
	}
	net.Forward(x, n, engine.Eval)
	return net, nil
}

// keeping is a net for up to n images that keeps every node's output.
func (s *session) keeping(g *nn.Graph, n int) (*engine.Net, error) {
	net, err := engine.Compile(g, n, false, s.Kernels, s.pool)
	if err == nil {
		net.Keep()
	}
	return net, err
}

// quantized compares the integers of the int8 model with those of the eval forward of
// the model that was trained, node by node, and leaves a receipt of every BN that the
// conversion has absorbed. Integers that differ are an error.
func (m *measured) quantized(qat, int8 *nn.Graph) error {
	trained, against, err := m.trained(qat)
	if err != nil {
		return err
	}
	p, err := m.prove(trained, int8)
	if err != nil {
		return err
	}
	p.Model, _ = artifact.KindOf(int8)
	p.Against = against
	m.proof = p
	if err := m.absorb(qat); err != nil {
		return err
	}
	m.emit(m.stage.Name, event.Proof{Message: sentence(p), Proof: p})
	if p.Changed > 0 {
		return &place.Error{Diagnostic: m.unequal(p)}
	}
	return nil
}

// trained is the model of the checkpoint that was loaded last, as it was when the
// checkpoint was written, with that time's qconfig: the stage's own may be another. Where
// no such model was loaded, or the stage has made other tensors of it, it is the model
// in front of the conversion.
func (m *measured) trained(qat *nn.Graph) (g *nn.Graph, against string, err error) {
	const front = "the model in front of QAT2Quantize"
	snap := m.last
	if snap == nil || snap.Form != nn.QAT && snap.Form != nn.Calibration || len(snap.Structure) == 0 {
		return qat, front, nil
	}
	if g, err = checkpoint.Restore(snap, m.options.LoadEMAModel); err != nil {
		return nil, "", err
	}
	if !sameTensors(g, qat) {
		return qat, front, nil
	}
	return g, m.conversion.from, nil
}

// sameTensors reports whether two models have the same tensors with the same values.
func sameTensors(a, b *nn.Graph) bool {
	return slices.EqualFunc(a.Tensors(), b.Tensors(), func(s, t nn.Tensor) bool {
		return s.Name == t.Name && reflect.DeepEqual(s.Data, t.Data)
	})
}

// images is on how many images the stage's conversion is proved.
func (m *measured) images() int {
	switch n := m.stage.Proof; {
	case n == 0:
		return min(program.DefaultProof, m.feed.Samples.Len())
	case n == program.AllImages:
		return m.feed.Samples.Len()
	default:
		return min(n, m.feed.Samples.Len())
	}
}

// prove runs both models on the images and compares every node.
func (m *measured) prove(trained, int8 *nn.Graph) (*runs.Proof, error) {
	p := &runs.Proof{Images: m.images()}
	batch := min(probeImages, p.Images)
	a, err := m.keeping(trained, batch)
	if err != nil {
		return nil, err
	}
	b, err := m.keeping(int8, batch)
	if err != nil {
		return nil, err
	}
	for _, node := range trained.Modules() {
		p.Nodes = append(p.Nodes, runs.NodeProof{Node: node.Name})
	}
	began, done := m.now(), 0
	err = m.feed.Each(p.Images, batch, m.prog.Settings.Seed, func(x []float32, labels []int32) error {
		if err := m.stopping(); err != nil {
			return err
		}
		a.Forward(x, len(labels), engine.Eval)
		b.Forward(x, len(labels), engine.Eval)
		for i := range p.Nodes {
			compare(&p.Nodes[i], a, b)
		}
		done += len(labels)
		m.progress(done, p.Images, m.now().Sub(began).Seconds())
		return nil
	})
	for _, n := range p.Nodes {
		p.Total, p.Changed, p.MaxStep = p.Total+n.Total, p.Changed+n.Changed, max(p.MaxStep, n.MaxStep)
	}
	return p, err
}

// stopping tells a long proof that the run was interrupted.
func (m *measured) stopping() error {
	select {
	case <-m.Stop:
		return stage.ErrInterrupted
	default:
		return m.ctx.Err()
	}
}

// progress shows how far the proof has come.
func (m *measured) progress(done, total int, seconds float64) {
	m.emit(m.stage.Name, event.After("prove", done, total, seconds))
}

// unequal is the error of a conversion that has changed integers.
func (m *measured) unequal(p *runs.Proof) *diag.Diagnostic {
	d := &diag.Diagnostic{
		Code: diag.UnequalIntegers, Subject: m.call.Origin.Header, Address: m.call.Origin.Address,
		Summary: fmt.Sprintf("%s: %s", m.call.Type, sentence(p)),
		Detail: "What was trained is not what would ship, so no int8 model is written. Give the stage the qat_mode and the qconfig " +
			"that the checkpoint was trained with; if it has them, this is a bug of qpipe.",
	}
	for _, n := range p.Nodes {
		if n.Changed > 0 {
			d.Module = n.Node
			break
		}
	}
	return d
}

// absorb leaves a receipt of every BN that the conversion has absorbed. One is
// absorbed after the other, so that a receipt tells of its own node alone and not
// of what those before it have changed.
func (m *measured) absorb(qat *nn.Graph) error {
	if !slices.ContainsFunc(qat.Modules(), nn.Module.Absorbable) {
		return nil
	}
	g, scale := qat, "keep"
	if m.Mode == nn.WithBN {
		scale = "recompute" // the scale is multiplied by |s|, as the weight is
	}
	x, n, err := m.feed.First(probeImages, m.prog.Settings.Seed)
	if err != nil {
		return err
	}
	before, err := m.forward(g, x, n)
	if err != nil {
		return err
	}
	for _, node := range qat.Modules() {
		if !node.Absorbable() {
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
	a, b, err := m.both(float, plain)
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
func (m *measured) receipt(node nn.Module, before, after *engine.Net, scale string) checkpoint.Absorption {
	r := checkpoint.Absorption{Module: node.Name, BN: node.BN, Mode: m.Mode, WeightScale: scale}
	if m.last != nil {
		r.Epoch, r.Step = m.last.Epoch, m.last.Step
	}
	r.Compare(checkpoint.ReadOutput(before, node.Name), checkpoint.ReadOutput(after, node.Name))
	m.journal.Event(event.Event{Stage: m.stage.Name, Epoch: r.Epoch, Step: r.Step, Data: r.Event()})
	return r
}

// compare counts what differs between a node's outputs in the last forward passes of two
// nets: integers where it has them, else values.
func compare(p *runs.NodeProof, want, got *engine.Net) {
	codes, quantized := want.Codes(p.Node)
	others, also := got.Codes(p.Node)
	switch {
	case quantized && also && len(codes) == len(others):
		p.Total += len(codes)
		for i, w := range codes {
			if d := int(w) - int(others[i]); d != 0 {
				p.Changed++
				p.MaxStep = max(p.MaxStep, d, -d)
			}
		}
	case quantized || also:
		p.Total, p.Changed = p.Total+len(codes), p.Changed+max(len(codes), len(others))
	default:
		x, _, _, _ := want.Output(p.Node)
		y, _, _, _ := got.Output(p.Node)
		p.Total += len(x)
		for i, v := range x {
			if i >= len(y) || v != y[i] {
				p.Changed++
			}
		}
	}
}

// sentence says what a proof found.
func sentence(p *runs.Proof) string {
	if p.Changed == 0 {
		return fmt.Sprintf("the %s has the same integers as %s at all %s, on %s", p.Model, p.Against, diag.Count(len(p.Nodes), "node"), diag.Count(p.Images, "image"))
	}
	return fmt.Sprintf("%d of %s of the %s differ from those of %s, by at most %s, on %s",
		p.Changed, diag.Count(p.Total, "integer"), p.Model, p.Against, diag.Count(p.MaxStep, "step"), diag.Count(p.Images, "image"))
}
