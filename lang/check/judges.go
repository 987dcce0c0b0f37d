package check

import (
	"math"

	"github.com/hashicorp/hcl/v2"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/lang/scope"
	"qpipe/lang/syntax"
)

// losses decodes the losses of a trainer; without any there is a cross-entropy.
func (c *checker) losses(in []*config.Loss, trainer string, o program.Origin) []program.Judge {
	if len(in) == 0 {
		return []program.Judge{{Call: c.standard(program.LossKind, "CrossEntropyLoss", o)}}
	}
	var out []program.Judge
	count := map[string]int{}
	for _, l := range in {
		address := trainer + ".loss." + l.Type
		if len(in) > 1 {
			address = numbered(trainer+".loss", l.Type, count)
		}
		call, _ := c.call(program.LossKind, &config.Part{Type: l.Type, TypeRange: l.TypeRange, Header: l.Header, Rest: l.Rest}, address, "output", "target", "weight")
		j := c.judge(call, l.Output, l.Target)
		record(&j.Origin, l.Weight)
		j.Weight = c.weight(l.Weight, address)
		out = append(out, j)
	}
	return out
}

// metrics decodes the metrics of a validation.
func (c *checker) metrics(in []*config.Metric, prefix string) []program.Judge {
	var out []program.Judge
	count := map[string]int{}
	for _, m := range in {
		call, _ := c.call(program.MetricKind, &config.Part{Type: m.Type, TypeRange: m.TypeRange, Header: m.Header, Rest: m.Rest}, numbered(prefix, m.Type, count), "output", "target")
		out = append(out, c.judge(call, m.Output, m.Target))
	}
	return out
}

// judge adds the meta-arguments that losses and metrics have.
func (c *checker) judge(call program.Call, output, target *hcl.Attribute) program.Judge {
	j := program.Judge{Call: call}
	record(&j.Origin, output, target)
	for _, f := range []struct {
		a  *hcl.Attribute
		to *string
	}{{output, &j.Output}, {target, &j.Target}} {
		if f.a != nil && c.Get(call.Origin.Address, f.a, f.to) && *f.to == "" {
			c.Errorf(diag.BadValue, scope.At{Address: call.Origin.Address, Subject: syntax.Range(f.a.Expr.Range())},
				"Name one, or remove the attribute.", "%q names nothing", f.a.Name)
		}
	}
	return j
}

// weight decodes a loss's weight, 0 for none.
func (c *checker) weight(a *hcl.Attribute, address string) float64 {
	w := 1.0
	if a == nil || !c.Get(address, a, &w) {
		return 0
	}
	if w > math.MaxFloat32 {
		c.Errorf(diag.BadValue, scope.At{Address: address, Subject: syntax.Range(a.Expr.Range())},
			"Write a smaller number; most weights are between 0.01 and 100.", "the weight %g of a loss is larger than a float32 can be (3.4e+38)", w)
		return 0
	}
	if !(w > 0) {
		c.Errorf(diag.BadValue, scope.At{Address: address, Subject: syntax.Range(a.Expr.Range())},
			"Write a positive number, as in weight = 0.4, or remove the loss.", "a loss cannot have the weight %v", w)
		return 0
	}
	if w == 1 {
		return 0
	}
	return w
}
