package lower

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
)

// forTarget says which setting of a tensor the qconfig's target has no integers for.
func forTarget(s quant.Spec, weight bool, b *program.QConfig) *misfit {
	rules, known := nn.Target(b.Target).Rules()
	if !known {
		return nil
	}
	takes, what := rules.Activations, "activation"
	if weight {
		takes, what = rules.Weights, "weight"
	}
	bad := func(attr, way, format string, args ...any) *misfit {
		return &misfit{attr: attr, text: fmt.Sprintf("%s: ", rules.Target) + fmt.Sprintf(format, args...), way: way, target: true}
	}
	switch {
	case !slices.Contains(takes, s.DType):
		var words []string
		for _, t := range takes {
			words = append(words, fmt.Sprintf("dtype = %q", t))
		}
		return bad("dtype", "Write "+strings.Join(words, " or ")+".", "%s is no type of its %ss", s.DType, what)
	case !weight && s.Scheme == quant.Affine && !rules.Affine:
		return bad("scheme", `Write scheme = "symmetric".`, "its activations have no zero point")
	case weight && s.Rule == quant.HalfRange && rules.Narrow:
		return bad("scale_rule", `Write scale_rule = "max".`, "its weights do not use the smallest code")
	case s.Rounding == quant.HalfUp && rules.HalfEven:
		return bad("rounding", `Write rounding = "half_even".`, "it rounds halves to the even code")
	}
	return nil
}

// prescribe replaces a setting by the grid that the target prescribes, unless the output is to be float32.
func (l *lowerer) prescribe(s *setting, p layer.Prescribed, q *program.QConfig) {
	sig, known := l.plan.Catalog.Signature(program.ObserverKind, "fixed_scale")
	if p.Scale == 0 || s.DType == "float32" || !known {
		return
	}
	args := reflect.ValueOf(sig.Args())
	argument(args.Interface(), "scale").SetFloat(p.Scale)
	argument(args.Interface(), "zero_point").SetInt(int64(p.Zero))
	s.DType, s.Scheme, s.ScaleRule = "int8", "affine", "max"
	s.Observer = program.Call{Kind: program.ObserverKind, Type: "fixed_scale", Args: args.Elem().Interface(), Origin: q.Origin}
	for _, attr := range gridAttrs() {
		s.by[attr] = program.Origin{Address: q.Origin.Address, Header: q.Origin.At("target")}
	}
}

// gridAttrs are the attributes that a prescribed grid replaces.
func gridAttrs() []string {
	return []string{"dtype", "scheme", "scale_rule", "observer", "scale", "zero_point"}
}

// prescribed warns of an override all of whose nodes have a grid that the target prescribes, m being one of them.
func (l *lowerer) prescribed(o *program.Override, m nn.Module, q *program.QConfig) {
	if o.General || o.Activation == nil || o.Activation.DType == "float32" {
		return
	}
	for _, attr := range gridAttrs() {
		at, written := o.Activation.Origin.Attrs[attr]
		if !written {
			continue
		}
		l.fail(diag.Diagnostic{
			Code: diag.BadDType, Severity: diag.Warning, Subject: at, Address: o.Activation.Origin.Address, Module: m.Name,
			Summary: fmt.Sprintf("%s prescribes the grid of %s: scale %s, zero point %d", q.Target, m.Op, fraction(m.Prescribed.Scale), m.Prescribed.Zero),
			Detail:  "What the override says of it has no effect. Remove it, or write dtype = \"float32\".",
			Related: []diag.Related{{Message: "the target", Range: q.Origin.At("target")}},
		})
		return
	}
}

// fraction writes a scale as the fraction that it is.
func fraction(scale float64) string {
	if n := 1 / scale; n == math.Trunc(n) {
		return fmt.Sprintf("1/%g", n)
	}
	return fmt.Sprintf("%g", scale)
}

// noQuantization says why an override's nodes take none.
func noQuantization(o overriding, q *program.QConfig) string {
	if o.keeps.Name != "" {
		return fmt.Sprintf("For %s the output of %s has the grid of its input: override the node before it.", q.Target, o.keeps.Op)
	}
	return "Such a node passes on the integers that it gets, or is a DeQuantStub: override the node before it."
}
