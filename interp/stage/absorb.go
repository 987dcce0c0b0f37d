package stage

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"qpipe/interp/checkpoint"
	"qpipe/interp/event"
	"qpipe/ops/engine"
	"qpipe/ops/nn"
)

// probeImages is the size of the fixed batch that receipts are measured on.
const probeImages = 32

// probe is a fixed batch, and the model compiled for it. It measures how an
// absorption changes the model's outputs.
type probe struct {
	run *run
	x   [][]float32 // the batch: a slice for each input
	n   int         // samples in the batch
	net engine.Compiled
}

// newProbe reads the batch: the first images of the validation data, or of the
// training data if the stage has no validation data.
func newProbe(r *run) (*probe, error) {
	feed := r.Val
	if feed == nil {
		feed = r.Train
	}
	x, n, err := feed.First(probeImages, r.seed)
	if err != nil {
		return nil, err
	}
	return &probe{run: r, x: x, n: n}, nil
}

// measure compiles the model as it is now and runs it on the batch.
func (p *probe) measure() (err error) {
	r := p.run
	p.net = nil // so that its memory can be collected before the next net is made
	if p.net, err = r.engine().Compile(r.Model, p.n, false); err != nil {
		return err
	}
	p.net.Keep()
	p.net.ForwardAll(p.x, p.n, engine.Eval)
	return nil
}

// absorb does the work of [part.State.AbsorbBN].
func (r *run) absorb(modules []string, recompute bool) error {
	p, err := newProbe(r)
	if err != nil {
		return err
	}
	touched := map[string]bool{}
	for _, name := range modules {
		m, err := moduleOf(r.Model, name)
		if err != nil {
			return err
		}
		if !m.Absorbable() {
			continue
		}
		if err := r.absorbOne(p, m, recompute); err != nil {
			return err
		}
		for _, member := range m.Members {
			touched[member+".weight"], touched[member+".bias"] = true, true
		}
	}
	if len(touched) == 0 {
		return nil
	}
	r.unvalidated()
	p.net = nil
	if err := r.rebuild(); err != nil {
		return err
	}
	if r.worker != nil {
		r.worker.slots().reset(touched)
	}
	return nil
}

// absorbOne absorbs one BN, in the model and in the averaged weights, and logs its receipt.
func (r *run) absorbOne(p *probe, m nn.Module, recompute bool) error {
	if p.net == nil {
		if err := p.measure(); err != nil {
			return err
		}
	}
	before := checkpoint.ReadOutput(p.net, m.Name)
	if err := r.Model.Absorb(m.Name, recompute); err != nil {
		return &Failure{Module: m.Name, Attr: "modules", Err: err}
	}
	if g := r.shadow(); g != nil {
		if err := g.Absorb(m.Name, recompute); err != nil {
			return &Failure{Module: m.Name, Attr: "modules", Err: fmt.Errorf("averaged weights: %w", err)}
		}
	}
	if err := p.measure(); err != nil {
		return err
	}
	if node, what, bad := p.net.NotFinite(); bad {
		return &Failure{Module: node, Attr: "modules", Err: fmt.Errorf("%s is not finite after absorption", what)}
	}
	a := r.receipt(m, recompute)
	a.Compare(before, checkpoint.ReadOutput(p.net, m.Name))
	r.absorbed = append(slices.Clip(r.absorbed), a)
	r.emit(a.Event())
	return nil
}

// receipt returns a receipt without measurements.
func (r *run) receipt(m nn.Module, recompute bool) checkpoint.Absorption {
	a := checkpoint.Absorption{
		Module: m.Name, BN: m.BN, Mode: r.Mode, WeightScale: "keep",
		Epoch: r.state.Epoch, Step: r.state.Step,
	}
	if recompute {
		a.WeightScale = "recompute"
	}
	return a
}

// inherited returns receipts, without measurements, for the BNs that the model had
// already absorbed when this stage began.
func (r *run) inherited() []checkpoint.Absorption {
	var list []checkpoint.Absorption
	for _, b := range r.Model.Absorbed() {
		a := checkpoint.Absorption{Module: b.Node, BN: b.BN, Mode: r.Mode, WeightScale: "recompute"}
		if !b.Recompute {
			a.WeightScale, a.Mode = "keep", nn.ReverseFold
			if b.Frozen {
				a.Mode = nn.WithBN
			}
		}
		list = append(list, a)
	}
	return list
}

// freeze does the work of [part.State.FreezeBN].
func (r *run) freeze(modules []string) error {
	var names []string
	for _, name := range modules {
		m, err := moduleOf(r.Model, name)
		if err != nil {
			return err
		}
		if m.BN != "" && !r.isFrozen(m.Name) {
			names = append(names, m.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	if err := r.freezeGraphs(names); err != nil {
		return err
	}
	r.frozen = append(slices.Clip(r.frozen), names...)
	slices.Sort(r.frozen)
	r.emit(event.Freeze{Modules: names})
	return r.rebuild()
}

func (r *run) isFrozen(node string) bool { return slices.Contains(r.frozen, node) }

func (r *run) freezeGraphs(names []string) error {
	if err := r.Model.FreezeBN(names); err != nil {
		return &Failure{Attr: "modules", Err: err}
	}
	if g := r.shadow(); g != nil {
		return g.FreezeBN(names)
	}
	return nil
}

// rebuild compiles the nets again after a change of the model's structure. It drops the
// old nets and collects their memory first, so that old and new nets never exist together.
func (r *run) rebuild() error {
	r.eval = evaluator{}
	if r.worker == nil {
		return nil
	}
	r.worker.release()
	runtime.GC()
	return r.worker.rebuild()
}

// moduleOf finds a node by its own name or by the name of one of its members.
func moduleOf(g *nn.Graph, name string) (nn.Module, error) {
	for _, m := range g.Modules() {
		if m.Name == name || slices.Contains(m.Members, name) {
			return m, nil
		}
	}
	return nn.Module{}, &Failure{Attr: "modules", Err: fmt.Errorf("the model has no module %q", name)}
}

// nodeOf returns the name of the node that a tensor belongs to, "" if there is none.
func nodeOf(g *nn.Graph, tensor string) string {
	node, longest := "", 0
	for _, m := range g.Modules() {
		for _, member := range append([]string{m.Name}, m.Members...) {
			if len(member) > longest && strings.HasPrefix(tensor, member+".") {
				node, longest = m.Name, len(member)
			}
		}
	}
	return node
}
