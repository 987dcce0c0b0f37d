package lower

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"qpipe/interp/graph"
	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
)

// qconfig is a qconfig block made ready: what each node gets.
type qconfig struct {
	block     *program.QConfig
	overrides []override
	nodes     []string        // names of all nodes that it has been asked about
	known     map[string]bool // the same
	byNode    map[string]nodeConfig
	faulty    bool // a node's configuration is no good: reported
	done      map[*nn.Graph]configured
}

// configured is the configuration of a network's nodes: stages have the same often.
type configured struct {
	nodes []graph.NodeQConfig
	fine  bool
}

// configured resolves the nodes of g, a copy of built, once.
func (l *lowerer) configured(q *qconfig, built, g *nn.Graph) ([]graph.NodeQConfig, bool) {
	c, known := q.done[built]
	if !known {
		if c.fine = l.resolve(q, g); c.fine {
			l.dtypes(q, g)
			c.nodes = q.configs(g)
		}
		q.done[built] = c
	}
	return c.nodes, c.fine
}

type override struct {
	block   *program.Override
	matched bool // some node
	takes   bool // some node that has something to quantize
}

// nodeConfig is a node's configuration: what the blocks say of it, and the same for the network.
type nodeConfig struct {
	activation, weight setting
	cfg                nn.QConfig
}

// setting is an activation or weight block as a node gets it: that of the qconfig with what the
// overrides that match the node have changed in it, attribute by attribute.
type setting struct {
	program.Quant
	by map[string]program.Origin // attribute → the block that says it; none for a default
}

// qconfig makes a qconfig block ready.
func (l *lowerer) qconfig(b *program.QConfig) *qconfig {
	if q, known := l.qconfigs[b]; known {
		return q
	}
	q := &qconfig{block: b, byNode: map[string]nodeConfig{}, done: map[*nn.Graph]configured{}, known: map[string]bool{}}
	for i := range b.Overrides {
		q.overrides = append(q.overrides, override{block: &b.Overrides[i]})
	}
	l.qconfigs[b] = q
	return q
}

// base is a block of the qconfig itself.
func base(q program.Quant) setting {
	s := setting{Quant: q, by: map[string]program.Origin{}}
	for attr := range q.Origin.Attrs {
		s.by[attr] = q.Origin
	}
	return s
}

// over changes what an override's block has written; a nil one changes nothing.
func (s setting) over(o *program.Quant) setting {
	if o == nil {
		return s
	}
	s.by = maps.Clone(s.by)
	if _, written := o.Origin.Attrs["observer"]; written && o.Observer.Type != s.Observer.Type {
		s.observe(o.Observer)
	}
	for _, attr := range slices.Sorted(maps.Keys(o.Origin.Attrs)) {
		switch attr {
		case "dtype":
			s.DType = o.DType
		case "scheme":
			s.Scheme = o.Scheme
		case "scale_rule":
			s.ScaleRule = o.ScaleRule
		case "rounding":
			s.Rounding = o.Rounding
		case "per_channel":
			s.PerChannel = o.PerChannel
		case "observer":
		default:
			s.argue(o.Observer, attr)
		}
		s.by[attr] = o.Origin
	}
	return s
}

// observe takes another observer, with its own arguments.
func (s *setting) observe(o program.Call) {
	for _, attr := range slices.Collect(maps.Keys(s.by)) {
		if argument(s.Observer.Args, attr).IsValid() {
			delete(s.by, attr)
		}
	}
	s.Observer = o
}

// argue takes over one argument of an observer, where this one has it too.
func (s *setting) argue(from program.Call, attr string) {
	value := argument(from.Args, attr)
	if !value.IsValid() || s.Observer.Args == nil {
		return
	}
	args := reflect.New(reflect.TypeOf(s.Observer.Args))
	args.Elem().Set(reflect.ValueOf(s.Observer.Args))
	if to := argument(args.Interface(), attr); to.IsValid() && to.Type() == value.Type() {
		to.Set(value)
		s.Observer.Args = args.Elem().Interface()
	}
}

// argument finds an argument of an Args struct, or of a pointer to one; the zero Value where it has none.
func argument(args any, name string) reflect.Value {
	for f, v := range program.Arguments(args) {
		if f.Name == name {
			return v
		}
	}
	return reflect.Value{}
}

// at is the block that says an attribute, the qconfig's own where none does.
func (s *setting) at(attr string) program.Origin {
	if o, ok := s.by[attr]; ok {
		return o
	}
	return s.Origin
}

// settings are what the blocks say of a node.
func (q *qconfig) settings(m nn.Module) (activation, weight setting) {
	activation, weight = base(q.block.Activation), base(q.block.Weight)
	for i := range q.overrides {
		if o := q.overrides[i].block; matches(o.Selector, m) {
			activation, weight = activation.over(o.Activation), weight.over(o.Weight)
		}
	}
	return activation, weight
}

// resolve works out the configuration of every node of a network, and remembers which
// nodes the overrides meet. It is false after a mistake.
func (l *lowerer) resolve(q *qconfig, g *nn.Graph) bool {
	for _, m := range g.Modules() {
		for _, name := range names(m) {
			if !q.known[name] {
				q.known[name], q.nodes = true, append(q.nodes, name)
			}
		}
		for i := range q.overrides {
			o := &q.overrides[i]
			if matches(o.block.Selector, m) {
				o.matched = true
				o.takes = o.takes || m.HasQuant || m.HasWeight
			}
		}
		c := nodeConfig{}
		c.activation, c.weight = q.settings(m)
		var fine, too bool
		c.cfg.Activation, fine = l.quant(&c.activation, false)
		c.cfg.Weight, too = l.quant(&c.weight, true)
		q.faulty = q.faulty || !fine || !too
		q.byNode[m.Name] = c
	}
	return !q.faulty
}

// of is the node's configuration.
func (q *qconfig) of(m nn.Module) nn.QConfig { return q.byNode[m.Name].cfg }

// quant makes an activation or weight block ready.
func (l *lowerer) quant(s *setting, weight bool) (nn.Quant, bool) {
	sp, err := spec(s, weight)
	if err != nil {
		o := s.at(err.attr)
		l.once(fmt.Sprint("spec ", o.Address, err.text), diag.Diagnostic{Code: diag.BadDType, Subject: o.At(err.attr), Address: o.Address, Summary: err.text, Detail: err.way})
		return nn.Quant{}, false
	}
	if sp.DType == quant.Float32 {
		return nn.Quant{}, true
	}
	out := nn.Quant{Spec: sp}
	if s.Observer.Type == "" && weight {
		return out, true
	}
	o, bad := part.New[part.Observer](l.plan.Catalog, s.Observer)
	if bad != nil {
		if key := "observer " + s.Observer.Origin.Address; !l.said[key] {
			l.said[key] = true
			l.part(diag.BadPart, s.Observer, bad)
		}
		return nn.Quant{}, false
	}
	out.Observer = o
	return out, true
}

// misfit is a value that does not go with the others.
type misfit struct{ attr, text, way string }

// spec translates the words. Weights leave out the most negative code, so that
// the negative of every weight is one; scale_rule = "half_range" uses them all.
func spec(q *setting, weight bool) (s quant.Spec, bad *misfit) {
	parse := func(attr string, err error) {
		if err != nil && bad == nil {
			bad = &misfit{attr: attr, text: err.Error()}
		}
	}
	var err error
	s.DType, err = quant.ParseDType(q.DType)
	parse("dtype", err)
	s.Scheme, err = quant.ParseScheme(q.Scheme)
	parse("scheme", err)
	s.Rule, err = quant.ParseScaleRule(q.ScaleRule)
	parse("scale_rule", err)
	s.Rounding, err = quant.ParseRounding(q.Rounding)
	parse("rounding", err)
	if bad != nil {
		return s, bad
	}
	_, ruled := q.by["scale_rule"]
	switch {
	case !weight && s.DType == quant.UInt8 && s.Scheme == quant.Symmetric:
		return s, &misfit{"dtype", "uint8 has no symmetric range", `Add scheme = "affine" (a zero point), or take dtype = "int8".`}
	case s.Quantized() && s.Scheme == quant.Affine && s.Rule == quant.HalfRange && ruled:
		return s, &misfit{"scale_rule", "scale_rule has no effect with a zero point", `An affine scale divides the whole range by all codes. Remove scale_rule, or take scheme = "symmetric".`}
	}
	s.PerChannel = q.PerChannel
	s.Narrow = weight && s.Scheme == quant.Symmetric && s.Rule == quant.MaxRule
	return s, nil
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
		c := q.byNode[e.Node]
		l.dtype(c.activation.at("dtype"), e)
	}
	for _, e := range weights {
		c := q.byNode[e.Node]
		l.dtype(c.weight.at("dtype"), e)
	}
}

func (l *lowerer) dtype(o program.Origin, e nn.NodeError) {
	l.once(fmt.Sprint("dtype ", o.Address, e.Err), diag.Diagnostic{
		Code: diag.BadDType, Subject: o.At("dtype"), Address: o.Address, Module: e.Node,
		Summary: e.Err.Error(), Detail: way(e.Way),
	})
}
