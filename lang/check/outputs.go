package check

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/lang/scope"
	"qpipe/lang/syntax"
)

func (c *checker) outputs() {
	for _, b := range c.cfg.Outputs {
		in, ok := inside[config.Output](c, b)
		o := &program.Output{Name: b.Name, Origin: c.origin(b.Address(), b.Header)}
		record(&o.Origin, in.Value, in.Description)
		c.Get(b.Address(), in.Description, &o.Description)
		if in.Value == nil && ok {
			c.Missing(b.Address(), b.Header, "value", "Say what to print: value = stage.name.metrics.accuracy")
		}
		if in.Value != nil {
			o.Refs = c.deferrable(in.Value, b.Address())
			o.Value = c.Deferred(in.Value.Expr, b.Address(), scope.Any)
		}
		o.Conditions = c.conditions(in.Preconditions, in.Asserts, b.Address())
		c.prog.Outputs = append(c.prog.Outputs, o)
	}
}

// deferrable checks an expression that may depend on the run: what it refers to
// must exist, and what is known must evaluate.
func (c *checker) deferrable(a *hcl.Attribute, address string) []program.Ref {
	refs, ok := c.References(a.Expr, address, a.Name)
	if !ok {
		return nil
	}
	v, ok := c.Value(a.Expr, address)
	if ok && v.IsWhollyKnown() && len(refs) == 0 {
		if _, err := scope.Plain(v); err != nil {
			c.Errorf(diag.WrongType, scope.At{Address: address, Subject: syntax.Range(a.Expr.Range())},
				"Take a metric, a checkpoint's path, a variable or a local value.", "%q %s", a.Name, err)
		}
	}
	return refs
}

func (c *checker) conditions(pre, post []*config.Condition, address string) []program.Condition {
	var out []program.Condition
	for _, set := range []struct {
		kind   string
		blocks []*config.Condition
	}{{"precondition", pre}, {"assert", post}} {
		for i, b := range set.blocks {
			at := fmt.Sprintf("%s.%s[%d]", address, set.kind, i)
			if cond, ok := c.decodeCondition(b, set.kind, at); ok {
				out = append(out, cond)
			}
		}
	}
	return out
}

func (c *checker) decodeCondition(b *config.Condition, kind, address string) (program.Condition, bool) {
	cond := program.Condition{Kind: kind, Origin: c.origin(address, b.Header)}
	record(&cond.Origin, b.Condition, b.Message)
	holds, known, message, ok := c.Condition(b, address, kind)
	if !ok {
		return cond, false
	}
	if known && !holds {
		c.Errorf(diag.ConditionFalse, scope.At{Address: address, Subject: cond.Origin.At("condition")}, message, "this %s does not hold", kind)
	}
	first, _ := c.References(b.Condition.Expr, address, "condition")
	second, _ := c.References(b.Message.Expr, address, "error_message")
	cond.Refs = append(first, second...)
	cond.Holds = c.Deferred(b.Condition.Expr, address, scope.Bool)
	cond.Message = c.Deferred(b.Message.Expr, address, scope.Text)
	return cond, true
}
