// Package proof compares a model after a conversion with the model before it. It proves that
// an int8 model computes the same integers as the model that was trained, and measures
// what the absorption of a BN changes.
package proof

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/event"
	"qpipe/interp/feed"
	"qpipe/interp/place"
	"qpipe/interp/runs"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/engine"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
)

// Prover compares the models before and after a converter, on the data of its stage.
type Prover struct {
	Stage   string
	Call    program.Call // the converter
	Mode    nn.Mode
	Images  int // the stage's proof_images
	Loaded  Loaded
	Feed    *feed.Feed
	Seed    int64
	Kernels *kernel.Set
	Workers *engine.Workers
	Clock   func() time.Time
	Stop    <-chan struct{} // once closed, a proof ends with stage.ErrInterrupted
	Events  func(event.Event)
}

// Loaded is the checkpoint that was loaded last before the conversion.
type Loaded struct {
	Snapshot *checkpoint.Snapshot // nil if none was loaded
	From     string               // as the pipeline names it
	EMA      bool                 // the averaged weights were loaded
}

// probeImages is the number of images that receipts are measured on, and the batch size of
// a proof. It is small because the outputs of all nodes are kept in memory.
const probeImages = 32

// forward runs a model on n samples and returns the net, which has the outputs of all nodes.
func (p *Prover) forward(g *nn.Graph, x [][]float32, n int) (*engine.Net, error) {
	net, err := p.keeping(g, n)
	if err != nil {
		return nil, err
	}
	net.ForwardAll(x, n, engine.Eval)
	return net, nil
}

// keeping returns a net for up to n images that keeps the outputs of all nodes.
func (p *Prover) keeping(g *nn.Graph, n int) (*engine.Net, error) {
	net, err := engine.Compile(g, n, false, p.Kernels, p.Workers)
	if err == nil {
		net.Keep()
	}
	return net, err
}

// Quantized proves an int8 model: it compares the output of every node with that of the
// model that was trained, evaluated on the same images. It is an error if any integer
// differs. qat is the model before the conversion. Quantized also returns and logs a
// receipt for every BN that the conversion has absorbed.
func (p *Prover) Quantized(ctx context.Context, qat, int8 *nn.Graph) (*runs.Proof, []checkpoint.Absorption, error) {
	trained, against, err := p.trained(qat)
	if err != nil {
		return nil, nil, err
	}
	found, err := p.prove(ctx, trained, int8)
	if err != nil {
		return nil, nil, err
	}
	found.Model, _ = artifact.KindOf(int8)
	found.Against = against
	absorbed, err := p.absorb(qat)
	if err != nil {
		return nil, nil, err
	}
	p.emit(event.Proof{Message: sentence(found), Proof: found})
	if found.Changed > 0 {
		return nil, nil, &place.Error{Diagnostic: p.unequal(found)}
	}
	return found, absorbed, nil
}

// emit emits an event of the stage.
func (p *Prover) emit(data event.Data) { p.Events(event.Event{Stage: p.Stage, Data: data}) }

// trained returns the model to compare with. It is the model of the checkpoint that was
// loaded last, exactly as it was trained: with the qconfig of that time, which may differ
// from the stage's. If no quantized model was loaded, or the stage has changed its
// tensors since, it is the model before the conversion. against names it, for messages.
func (p *Prover) trained(qat *nn.Graph) (g *nn.Graph, against string, err error) {
	const front = "the model in front of QAT2Quantize"
	snap := p.Loaded.Snapshot
	if snap == nil || snap.Form != nn.QAT && snap.Form != nn.Calibration || len(snap.Structure) == 0 {
		return qat, front, nil
	}
	if g, err = checkpoint.Restore(snap, p.Loaded.EMA); err != nil {
		return nil, "", err
	}
	if !sameTensors(g, qat) {
		return qat, front, nil
	}
	return g, p.Loaded.From, nil
}

// sameTensors reports whether two models have the same tensors with the same values.
func sameTensors(a, b *nn.Graph) bool {
	return slices.EqualFunc(a.Tensors(), b.Tensors(), func(s, t nn.Tensor) bool {
		return s.Name == t.Name && reflect.DeepEqual(s.Data, t.Data)
	})
}

// images returns the number of images that the conversion is proved on.
func (p *Prover) images() int {
	switch n := p.Images; {
	case n == 0:
		return min(program.DefaultProof, p.Feed.Samples.Len())
	case n == program.AllImages:
		return p.Feed.Samples.Len()
	default:
		return min(n, p.Feed.Samples.Len())
	}
}

// prove runs both models on the images and compares every node.
func (p *Prover) prove(ctx context.Context, trained, int8 *nn.Graph) (*runs.Proof, error) {
	found := &runs.Proof{Images: p.images()}
	batch := min(probeImages, found.Images)
	a, err := p.keeping(trained, batch)
	if err != nil {
		return nil, err
	}
	b, err := p.keeping(int8, batch)
	if err != nil {
		return nil, err
	}
	why := map[string]string{}
	for _, i := range int8.Islands() {
		why[i.Node] = i.Why
	}
	for _, node := range trained.Modules() {
		found.Nodes = append(found.Nodes, runs.NodeProof{Node: node.Name, Island: why[node.Name]})
	}
	began, done := p.Clock(), 0
	err = p.Feed.Each(found.Images, batch, p.Seed, func(images *feed.Batch) error {
		if err := p.stopping(ctx); err != nil {
			return err
		}
		x, n := images.Inputs(), len(images.Index)
		a.ForwardAll(x, n, engine.Eval)
		b.ForwardAll(x, n, engine.Eval)
		for i := range found.Nodes {
			compare(&found.Nodes[i], a, b)
		}
		done += n
		p.emit(event.After("prove", done, found.Images, p.Clock().Sub(began).Seconds()))
		return nil
	})
	for _, n := range found.Nodes {
		found.Total, found.Changed, found.MaxStep = found.Total+n.Total, found.Changed+n.Changed, max(found.MaxStep, n.MaxStep)
	}
	return found, err
}

// stopping returns an error if the run was interrupted or cancelled.
func (p *Prover) stopping(ctx context.Context) error {
	select {
	case <-p.Stop:
		return stage.ErrInterrupted
	default:
		return ctx.Err()
	}
}

// unequal returns the error for a conversion that has changed integers.
func (p *Prover) unequal(found *runs.Proof) *diag.Diagnostic {
	d := &diag.Diagnostic{
		Code: diag.UnequalIntegers, Subject: p.Call.Origin.Header, Address: p.Call.Origin.Address,
		Summary: fmt.Sprintf("%s: %s", p.Call.Type, sentence(found)),
		Detail: "The int8 model would not compute what was trained, so it is not written. Give the stage the qat_mode and the qconfig " +
			"that the checkpoint was trained with. If it has them already, this is a bug in qpipe.",
	}
	for _, n := range found.Nodes {
		if n.Changed > 0 {
			d.Module = n.Node
			break
		}
	}
	return d
}

// compare counts the differences between a node's outputs in the last forward passes of two
// nets. It compares integers if both nets have them, and values if neither has.
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

// sentence describes the result of a proof.
func sentence(p *runs.Proof) string {
	if p.Changed == 0 {
		return fmt.Sprintf("the %s has the same integers as %s at all %s, on %s", p.Model, p.Against, diag.Count(len(p.Nodes), "node"), diag.Count(p.Images, "image"))
	}
	return fmt.Sprintf("%d of %s of the %s differ from those of %s, by at most %s, on %s",
		p.Changed, diag.Count(p.Total, "integer"), p.Model, p.Against, diag.Count(p.MaxStep, "step"), diag.Count(p.Images, "image"))
}
