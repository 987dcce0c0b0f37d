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

// configured is the configuration of a network's nodes by a qconfig. It is kept, because stages often have the same network.
type configured struct {
	block  *program.QConfig
	own    []program.Override // of the network's definitions
	byNode map[string]nodeConfig
	nodes  []graph.NodeQConfig
	fine   bool // there is no mistake; one has been reported
}

// configuredKey is what a configuration depends on.
type configuredKey struct {
	block *program.QConfig
	built *nn.Graph
}

// configured computes the configurations of the nodes that a network has for the qconfig's target. It does so once for each
// qconfig and network.
func (l *lowerer) configured(c *program.Convert, built *nn.Graph) *configured {
	key := configuredKey{c.QConfig, built}
	q, known := l.qconfigs[key]
	if known {
		return q
	}
	q = &configured{block: c.QConfig, own: c.Own, byNode: map[string]nodeConfig{}}
	l.qconfigs[key] = q
	g := built.Clone()
	if g.SetTarget(nn.Target(c.QConfig.Target)) != nil {
		return q
	}
	if q.fine = l.resolve(q, g); q.fine {
		l.dtypes(q, g)
		q.nodes = q.configs(g)
	}
	return q
}

// nodeNames are names of nodes, each once.
type nodeNames struct {
	list  []string
	known map[string]bool
}

func (n *nodeNames) add(names []string) {
	for _, name := range names {
		if !n.known[name] {
			n.known[name], n.list = true, append(n.list, name)
		}
	}
}

// overrideKey is an override block: of a qconfig, or, as it is in the text of a definition, of all that are made of it.
type overrideKey struct {
	block *program.Override
	text  diag.Range
}

// overriding is what is known of an override block after all stages.
type overriding struct {
	matched bool        // it matches a node
	takes   bool        // it matches a node that has something to quantize
	grids   []nn.Module // those whose grid the target prescribes
	keeps   nn.Module   // one that has its operand's grid because of the target
}

// match records that the block matches a node.
func (o *overriding) match(m nn.Module) {
	takes := m.HasQuant || m.HasWeight
	o.matched, o.takes = true, o.takes || takes
	switch {
	case m.Prescribed.Keeps && !takes:
		o.keeps = m
	case m.Prescribed.Scale != 0:
		if !slices.ContainsFunc(o.grids, func(g nn.Module) bool { return g.Name == m.Name }) {
			o.grids = append(o.grids, m)
		}
	}
}

// overrides are the override blocks that apply, the last ones winning.
func (q *configured) overrides(yield func(overrideKey, *program.Override) bool) {
	for i := range q.own {
		if o := &q.own[i]; !yield(overrideKey{text: o.Selector.Range}, o) {
			return
		}
	}
	for i := range q.block.Overrides {
		if o := &q.block.Overrides[i]; !yield(overrideKey{block: o}, o) {
			return
		}
	}
}

// nodeConfig is the configuration of a node, as the blocks of the text say it and as the
// network takes it.
type nodeConfig struct {
	activation, weight setting
	cfg                nn.QConfig
}

// setting is the activation or weight block for one node: the block of the qconfig, changed
// attribute by attribute by the overrides that match the node.
type setting struct {
	program.Quant
	by map[string]program.Origin // for each attribute, the block in which it is written; no entry for a default
}

// base returns the setting without any overrides.
func base(q program.Quant) setting {
	s := setting{Quant: q, by: map[string]program.Origin{}}
	for attr := range q.Origin.Attrs {
		s.by[attr] = q.Origin
	}
	return s
}

// dequantize makes the tensor float32, as a DeQuantStub in front of it wants.
func (s *setting) dequantize() {
	s.DType, s.by["dtype"] = "float32", program.Origin{Address: graph.Stub}
}

// over returns the setting with the attributes that are written in the override's block o,
// which may be nil.
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

// observe replaces the observer and all of its arguments.
func (s *setting) observe(o program.Call) {
	for _, attr := range slices.Collect(maps.Keys(s.by)) {
		if argument(s.Observer.Args, attr).IsValid() {
			delete(s.by, attr)
		}
	}
	s.Observer = o
}

// argue sets one argument of the observer to its value in another observer, if this one has that argument.
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

// argument returns an argument of an Args struct, or of a pointer to one; the zero Value if it has none of the name.
func argument(args any, name string) reflect.Value {
	for f, v := range program.Arguments(args) {
		if f.Name == name {
			return v
		}
	}
	return reflect.Value{}
}

// at returns the block in which an attribute is written, or the qconfig's own block if it has its default.
func (s *setting) at(attr string) program.Origin {
	if o, ok := s.by[attr]; ok {
		return o
	}
	return s.Origin
}

// settings returns the settings of a node: of the qconfig and of definitions in general, and with all overrides that match it. Behind a
// DeQuantStub nothing is quantized unless an override says so.
func (q *configured) settings(m nn.Module) (activation, weight setting) {
	activation, weight = base(q.block.Activation), base(q.block.Weight)
	apply := func(general bool) {
		for _, o := range q.overrides {
			if o.General == general && matches(o.Selector, m) {
				activation, weight = activation.over(o.Activation), weight.over(o.Weight)
			}
		}
	}
	apply(true)
	if m.Dequantized {
		activation.dequantize()
		weight.dequantize()
	}
	apply(false)
	return activation, weight
}

// resolve computes the configuration of every node of a network, and records which overrides
// match a node. It returns false after a mistake.
func (l *lowerer) resolve(q *configured, g *nn.Graph) bool {
	fine, all := true, l.nodes[q.block]
	if all == nil {
		all = &nodeNames{known: map[string]bool{}}
		l.nodes[q.block] = all
	}
	for _, m := range g.Modules() {
		all.add(names(m))
		for key, o := range q.overrides {
			seen := l.overriding[key]
			if matches(o.Selector, m) {
				seen.match(m)
			}
			l.overriding[key] = seen
		}
		c := nodeConfig{}
		c.activation, c.weight = q.settings(m)
		l.prescribe(&c.activation, m.Prescribed, q.block)
		var good, too bool
		c.cfg.Activation, good = l.quant(&c.activation, false, q.block)
		c.cfg.Weight, too = l.quant(&c.weight, true, q.block)
		fine = fine && good && too
		q.byNode[m.Name] = c
	}
	return fine
}

// of returns the configuration of a node.
func (q *configured) of(m nn.Module) nn.QConfig { return q.byNode[m.Name].cfg }

// quant turns a setting into what the network takes. It returns false after a mistake, which it reports.
func (l *lowerer) quant(s *setting, weight bool, q *program.QConfig) (nn.Quant, bool) {
	sp, err := spec(s, weight)
	if err == nil && sp.Quantized() {
		err = forTarget(sp, weight, q)
	}
	if err != nil {
		o := s.at(err.attr)
		d := diag.Diagnostic{Code: diag.BadDType, Subject: o.At(err.attr), Address: o.Address, Summary: err.text, Detail: err.way}
		if at, written := q.Origin.Attrs["target"]; written && err.target {
			d.Related = []diag.Related{{Message: "the target", Range: at}}
		}
		l.once(fmt.Sprint("spec ", o.Address, err.text), d)
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
	if f, ok := o.(part.SpecFitter); ok && bad == nil {
		bad = f.Fits(sp)
	}
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

// misfit is an attribute whose value does not fit the others, or the target.
type misfit struct {
	attr, text, way string
	target          bool
}

// spec turns the words of a setting into a quant.Spec. Symmetric weights do not use the
// most negative code, so that the negative of each code is a code, too; only with
// scale_rule = "half_range" they use all codes.
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
		return s, &misfit{attr: "dtype", text: "uint8 has no symmetric range", way: `Add scheme = "affine" (with a zero point), or write dtype = "int8".`}
	case s.Quantized() && s.Scheme == quant.Affine && s.Rule == quant.HalfRange && ruled:
		return s, &misfit{attr: "scale_rule", text: "scale_rule has no effect with a zero point", way: `An affine scale divides the whole range by all codes. Remove scale_rule, or write scheme = "symmetric".`}
	}
	s.PerChannel = q.PerChannel
	s.Narrow = weight && s.Scheme == quant.Symmetric && s.Rule == quant.MaxRule
	return s, nil
}

// unmatchedOverrides reports overrides that match no node in any stage, or only nodes that have nothing to quantize.
func (l *lowerer) unmatchedOverrides() {
	said := map[overrideKey]bool{}
	for _, s := range l.plan.Stages {
		if s.Convert == nil || s.Convert.QConfig == nil {
			continue
		}
		for key, o := range (&configured{block: s.Convert.QConfig, own: s.Convert.Own}).overrides {
			seen, known := l.overriding[key]
			switch {
			case !known || said[key]:
			case !seen.matched:
				l.selectsNothing(o.Selector, o.Origin, l.nodes[s.Convert.QConfig].list)
			case !seen.takes:
				l.fail(diag.Diagnostic{
					Code: diag.BadDType, Subject: o.Selector.Range, Address: o.Origin.Address,
					Summary: fmt.Sprintf("the nodes of %q have no quantization of their own", o.Selector.Text),
					Detail:  noQuantization(seen, s.Convert.QConfig),
				})
			default:
				l.prescribed(o, seen.grids, s.Convert.QConfig)
			}
			said[key] = true
		}
	}
}

// dtypes reports dtypes that nodes cannot have, each mistake once, at the block in which the
// dtype is written.
func (l *lowerer) dtypes(q *configured, g *nn.Graph) {
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

// dtype reports one of them.
func (l *lowerer) dtype(o program.Origin, e nn.NodeError) {
	l.once(fmt.Sprint("dtype ", o.Address, e.Err), diag.Diagnostic{
		Code: diag.BadDType, Subject: o.At("dtype"), Address: o.Address, Module: e.Node,
		Summary: e.Err.Error(), Detail: way(e.Way),
	})
}
