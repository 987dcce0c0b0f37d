package check

import (
	"fmt"
	"reflect"

	"github.com/hashicorp/hcl/v2"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/notation"
	"qpipe/lang/program"
	"qpipe/lang/scope"
	"qpipe/lang/syntax"
)

func (c *checker) qconfigs() {
	for _, b := range c.cfg.QConfigs {
		in, ok := inside[config.QConfig](c, b)
		before := len(c.List)
		q := &program.QConfig{Name: b.Name, Origin: c.origin(b.Address(), b.Header)}
		q.Target = c.target(in.Target, q)
		q.Activation = c.quant(in.Activation, c.defaultQuant(false, q.Origin), b.Address()+".activation", false)
		if q.Activation.DType == "uint8" && q.Activation.Scheme == "symmetric" { // in an override: interp/graph, which knows what it is over
			c.Errorf(diag.BadValue, scope.At{Address: q.Activation.Origin.Address, Subject: q.Activation.Origin.At("dtype")},
				`Add scheme = "affine" (a zero point), or take dtype = "int8".`, "uint8 has no symmetric range")
		}
		q.Weight = c.quant(in.Weight, c.defaultQuant(true, q.Origin), b.Address()+".weight", true)
		for i, o := range in.Overrides {
			q.Overrides = append(q.Overrides, c.override(o, q, fmt.Sprintf("%s.override[%d]", b.Address(), i), ok))
		}
		c.prog.QConfigs = append(c.prog.QConfigs, q)
		if n := c.Lookup("qconfig", b.Name); n.Block == b {
			n.Bad = !ok || c.List[before:].HasErrors()
		}
	}
}

// target is what the qconfig is for: "" for the default.
func (c *checker) target(a *hcl.Attribute, q *program.QConfig) string {
	word := ""
	record(&q.Origin, a)
	if a == nil || !c.Get(q.Origin.Address, a, &word) || !c.oneOf(q.Origin.Address, a, word, program.Targets()) || word == program.Targets()[0] {
		return ""
	}
	return word
}

// defaultQuant is what a block that is not written means. The default
// observer may be unknown to the catalogue: then its arguments are nil.
func (c *checker) defaultQuant(weight bool, o program.Origin) program.Quant {
	of := func(attr string) string { return program.QuantDefault(attr, weight) }
	q := program.Quant{
		DType: of("dtype"), Scheme: of("scheme"), ScaleRule: of("scale_rule"), Rounding: of("rounding"), PerChannel: of("per_channel") == "true", Origin: o,
		Observer: program.Call{Kind: program.ObserverKind, Type: program.QuantDefault("observer", false), Origin: o},
	}
	if sig, ok := c.opt.Signatures.Signature(program.ObserverKind, q.Observer.Type); ok {
		q.Observer.Args = reflect.ValueOf(sig.Args()).Elem().Interface()
	}
	return q
}

func (c *checker) override(o *config.Override, q *program.QConfig, address string, whole bool) program.Override {
	out := program.Override{Origin: c.origin(address, o.Header)}
	sel, err := notation.Selector(o.Selector)
	if err != nil {
		c.Errorf(diag.BadSelector, scope.At{Address: address, Subject: c.inLiteral(o.SelectorRange, err)}, err.Help, "%s", err.Message)
	}
	sel.Range = syntax.Range(o.SelectorRange)
	out.Selector = sel
	c.overridden(&out, o.Activation, o.Weight, q)
	if whole {
		c.saysSomething(&out, "override")
	}
	return out
}

// overridden decodes the blocks of an override of q.
func (c *checker) overridden(o *program.Override, activation, weight *config.Quant, q *program.QConfig) {
	if activation != nil {
		a := c.quant(activation, q.Activation, o.Origin.Address+".activation", false)
		o.Activation = &a
	}
	if weight != nil {
		w := c.quant(weight, q.Weight, o.Origin.Address+".weight", true)
		o.Weight = &w
	}
}

// saysSomething reports an override without blocks.
func (c *checker) saysSomething(o *program.Override, word string) {
	if o.Activation == nil && o.Weight == nil {
		c.Errorf(diag.MissingBlock, scope.At{Address: o.Origin.Address, Subject: o.Origin.Header},
			`Say what is different: activation { dtype = "float32" }, weight { … } or both.`, "this %s overrides nothing", word)
	}
}

// quant decodes an activation or weight block over what is in force around it.
func (c *checker) quant(b *config.Quant, q program.Quant, address string, weight bool) program.Quant {
	if b == nil {
		return q
	}
	q.Origin = c.origin(address, b.Header)
	record(&q.Origin, b.DType, b.Scheme, b.ScaleRule, b.Rounding, b.PerChannel, b.Observer)
	before := q.Observer.Type
	fine := c.Get(address, b.PerChannel, &q.PerChannel)
	for _, f := range []struct {
		attr *hcl.Attribute
		to   *string
	}{{b.DType, &q.DType}, {b.Scheme, &q.Scheme}, {b.ScaleRule, &q.ScaleRule}, {b.Rounding, &q.Rounding}} {
		fine = c.choice(address, f.attr, f.to) && fine
	}
	if fine = c.Get(address, b.Observer, &q.Observer.Type) && fine; fine {
		c.quantRules(b, q, address, weight)
	}
	if weight {
		c.weightObserver(b, &q, address)
	} else {
		c.observer(b, &q, before, address)
	}
	return q
}

// choice is get for an attribute that takes one of a few words.
func (c *checker) choice(address string, a *hcl.Attribute, to *string) bool {
	if a == nil {
		return true
	}
	if !c.Get(address, a, to) {
		return false
	}
	return c.oneOf(address, a, *to, program.QuantWords(a.Name))
}

func (c *checker) oneOf(address string, a *hcl.Attribute, word string, words []string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	c.Errorf(diag.BadValue, scope.At{Address: address, Subject: syntax.Range(a.Expr.Range())},
		diag.DidYouMean(word, words, "values allowed"), "%q cannot be %q", a.Name, word)
	return false
}

func (c *checker) quantRules(b *config.Quant, q program.Quant, address string, weight bool) {
	if !weight && q.PerChannel && b.PerChannel != nil {
		c.Errorf(diag.BadValue, scope.At{Address: address, Subject: q.Origin.At("per_channel")},
			"An activation has one scale for the whole tensor; per_channel belongs in weight {}.", "activations are not quantized per channel")
	}
	if weight && q.DType == "uint8" {
		c.Errorf(diag.BadValue, scope.At{Address: address, Subject: q.Origin.At("dtype")},
			"Weights take int4, int8 or float32.", "weights are quantized to signed integers")
	}
	if weight && q.Scheme == "affine" && b.Scheme != nil {
		c.Errorf(diag.BadValue, scope.At{Address: address, Subject: q.Origin.At("scheme")},
			"Weights have no zero point: the integer kernels need it to be 0.", "weights are quantized symmetrically")
	}
}

// weightObserver refuses what has no meaning for a weight: its range is that of its values,
// which are all there at every step, so nothing is observed and nothing averaged.
func (c *checker) weightObserver(b *config.Quant, q *program.Quant, address string) {
	const way = "A weight's scale follows from its present values at every step, channel by channel or over all. Remove the line."
	content, list := config.Arguments(b.Rest, "weight", nil)
	attrs := content.Attributes
	c.Add(address, list)
	if b.Observer != nil && q.Observer.Type != "min_max" {
		if _, known := c.signature(program.ObserverKind, q.Observer.Type, scope.At{Address: address, Subject: q.Origin.At("observer")}); !known {
			return
		}
		c.Errorf(diag.BadValue, scope.At{Address: address, Subject: q.Origin.At("observer")}, way, "a weight has no observer %q", q.Observer.Type)
		for _, a := range attrs {
			delete(attrs, a.Name)
		}
	}
	q.Observer.Type = "min_max"
	for _, a := range scope.SortedAttrs(attrs) {
		c.Errorf(diag.UnknownAttribute, scope.At{Address: address, Subject: syntax.Range(a.NameRange)},
			way+" "+diag.DidYouMean(a.Name, program.QuantAttributeNames(true), "attributes of weight"), "a weight has no %q", a.Name)
	}
}

// observer decodes the attributes that are not the block's own as the observer's
// arguments. A changed observer starts from its own defaults.
func (c *checker) observer(b *config.Quant, q *program.Quant, before, address string) {
	p := scope.At{Address: address, Subject: q.Origin.At("observer")}
	content, list := config.Arguments(b.Rest, fmt.Sprintf("observer %q", q.Observer.Type), nil)
	c.Add(address, list)
	sig, ok := c.signature(program.ObserverKind, q.Observer.Type, p)
	if !ok {
		q.Observer.Args = nil
		return
	}
	same := q.Observer.Type == before && q.Observer.Args != nil
	if len(content.Attributes) == 0 && same {
		return // nothing new about the observer
	}
	args := reflect.ValueOf(sig.Args()).Elem()
	if same {
		args.Set(reflect.ValueOf(q.Observer.Args))
	}
	q.Observer.Origin = q.Origin
	q.Observer.Args, _, ok = c.arguments(sig, args, same, content, &q.Observer.Origin, program.QuantAttributeNames(false)...)
	q.Observer.Faulty = !ok
}
