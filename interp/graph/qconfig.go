package graph

import (
	"fmt"
	"slices"

	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
)

// qconfig is a qconfig block made ready: what each node gets.
type qconfig struct {
	block     *program.QConfig
	all       nn.QConfig
	overrides []override
	nodes     []string // names of all nodes that it has been asked about
}

type override struct {
	block   *program.Override
	cfg     nn.QConfig
	matched bool // some node
	takes   bool // some node that has something to quantize
}

// qconfig makes a qconfig block ready; nil after a mistake in it.
func (l *lowerer) qconfig(b *program.QConfig) *qconfig {
	if q, known := l.qconfigs[b]; known {
		return q
	}
	l.qconfigs[b] = nil
	q := &qconfig{block: b}
	var ok bool
	if q.all, ok = l.pair(b.Activation, b.Weight); !ok {
		return nil
	}
	for i := range b.Overrides {
		o := override{block: &b.Overrides[i]}
		if o.cfg, ok = l.pair(o.block.Activation, o.block.Weight); !ok {
			return nil
		}
		q.overrides = append(q.overrides, o)
	}
	l.qconfigs[b] = q
	return q
}

func (l *lowerer) pair(activation, weight program.Quant) (nn.QConfig, bool) {
	a, ok := l.quant(activation, false)
	if !ok {
		return nn.QConfig{}, false
	}
	w, ok := l.quant(weight, true)
	return nn.QConfig{Activation: a, Weight: w}, ok
}

// quant makes an activation or weight block ready.
func (l *lowerer) quant(q program.Quant, weight bool) (nn.Quant, bool) {
	s, err := spec(q, weight)
	if err != nil {
		l.fail(diag.Diagnostic{Code: diag.BadDType, Subject: q.Origin.Header, Address: q.Origin.Address, Summary: err.Error()})
		return nn.Quant{}, false
	}
	if s.DType == quant.Float32 {
		return nn.Quant{}, true
	}
	out := nn.Quant{Spec: s}
	if q.Observer.Type == "" && weight {
		return out, true
	}
	out.Observer, err = stage.New[stage.Observer](l.plan.Catalog, q.Observer)
	if err != nil {
		l.part(diag.BadPart, q.Observer, err)
		return nn.Quant{}, false
	}
	return out, true
}

// spec translates the words. Weights leave out the most negative code, so that
// the negative of every weight is one; scale_rule = "half_range" uses them all.
func spec(q program.Quant, weight bool) (s quant.Spec, err error) {
	if s.DType, err = quant.ParseDType(q.DType); err != nil {
		return s, err
	}
	if s.Scheme, err = quant.ParseScheme(q.Scheme); err != nil {
		return s, err
	}
	if s.Rule, err = quant.ParseScaleRule(q.ScaleRule); err != nil {
		return s, err
	}
	s.Rounding, err = quant.ParseRounding(q.Rounding)
	s.PerChannel = q.PerChannel
	s.Narrow = weight && s.Scheme == quant.Symmetric && s.Rule == quant.MaxRule
	return s, err
}

// of is the node's configuration: that of the last override that matches.
func (q *qconfig) of(m nn.Module) nn.QConfig {
	cfg := q.all
	for i := range q.overrides {
		if matches(q.overrides[i].block.Selector, m) {
			cfg = q.overrides[i].cfg
		}
	}
	return cfg
}

// note remembers which nodes the overrides meet.
func (q *qconfig) note(g *nn.Graph) {
	for _, m := range g.Modules() {
		for _, name := range names(m) {
			if !slices.Contains(q.nodes, name) {
				q.nodes = append(q.nodes, name)
			}
		}
		for i := range q.overrides {
			o := &q.overrides[i]
			if matches(o.block.Selector, m) {
				o.matched = true
				o.takes = o.takes || m.HasQuant || m.HasWeight
			}
		}
	}
}

// unmatchedOverrides reports the overrides that met no node in any stage.
func (l *lowerer) unmatchedOverrides() {
	for _, b := range l.plan.Program.QConfigs {
		q := l.qconfigs[b]
		if q == nil || q.nodes == nil {
			continue
		}
		for _, o := range q.overrides {
			switch {
			case !o.matched:
				l.selectsNothing(o.block.Selector, o.block.Origin, q.nodes)
			case !o.takes:
				l.fail(diag.Diagnostic{
					Code: diag.BadDType, Subject: o.block.Selector.Range, Address: o.block.Origin.Address,
					Summary: fmt.Sprintf("the nodes of %q have no quantization of their own", o.block.Selector.Text),
					Detail:  "Such a node passes on the integers that it gets: override the node before it.",
				})
			}
		}
	}
}

// dtypes reports the types that nodes cannot have, each mistake once, at the
// block that says it.
func (l *lowerer) dtypes(q *qconfig, g *nn.Graph) {
	activations := g.Clone().SetQConfig(func(m nn.Module) nn.QConfig { return nn.QConfig{Activation: q.of(m).Activation} })
	weights := g.Clone().SetQConfig(func(m nn.Module) nn.QConfig { return nn.QConfig{Weight: q.of(m).Weight} })
	for _, e := range activations {
		a, _ := q.origins(g, e.Node)
		l.dtype(a, e)
	}
	for _, e := range weights {
		_, w := q.origins(g, e.Node)
		l.dtype(w, e)
	}
}

func (l *lowerer) dtype(o program.Origin, e nn.NodeError) {
	l.once(fmt.Sprint("dtype ", o.Address, e.Err), diag.Diagnostic{
		Code: diag.BadDType, Subject: o.At("dtype"), Address: o.Address, Module: e.Node,
		Summary: e.Err.Error(), Detail: way(e.Way),
	})
}

// origins are the places of the blocks that configure a node.
func (q *qconfig) origins(g *nn.Graph, node string) (activation, weight program.Origin) {
	activation, weight = q.block.Activation.Origin, q.block.Weight.Origin
	for _, m := range g.Modules() {
		if m.Name != node {
			continue
		}
		for i := range q.overrides {
			if o := q.overrides[i].block; matches(o.Selector, m) {
				activation, weight = o.Activation.Origin, o.Weight.Origin
			}
		}
	}
	return activation, weight
}
