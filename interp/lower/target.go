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

// prescribed warns of an override that says something else of nodes than the grid that the target prescribes for them.
func (l *lowerer) prescribed(o *program.Override, nodes []nn.Module, q *program.QConfig) {
	if o.General || o.Activation == nil || o.Activation.DType == "float32" {
		return
	}
	var grids, names []string
	at := diag.Range{}
	for _, m := range nodes {
		attr := differs(o.Activation, m.Prescribed)
		if attr == "" {
			continue
		}
		if at.Empty() {
			at = o.Activation.Origin.Attrs[attr]
		}
		grid := fmt.Sprintf("%s: scale %s, zero point %d", m.Op, fraction(m.Prescribed.Scale), m.Prescribed.Zero)
		if names = append(names, m.Name); !slices.Contains(grids, grid) {
			grids = append(grids, grid)
		}
	}
	if len(names) == 0 {
		return
	}
	l.fail(diag.Diagnostic{
		Code: diag.BadDType, Severity: diag.Warning, Subject: at, Address: o.Activation.Origin.Address, Module: names[0],
		Summary: fmt.Sprintf("%s prescribes the grid of %s", q.Target, strings.Join(grids, ", and of ")),
		Detail:  fmt.Sprintf("What the override says has no effect on %s. Let it select other nodes only, or write dtype = \"float32\".", some(names)),
		Related: []diag.Related{{Message: "the target", Range: q.Origin.At("target")}},
	})
}

// differs is a written attribute that says something else than a prescribed grid, "" for none.
func differs(a *program.Quant, p layer.Prescribed) string {
	said := map[string]any{"dtype": a.DType, "scheme": a.Scheme, "scale_rule": a.ScaleRule, "observer": a.Observer.Type}
	want := map[string]any{"dtype": "int8", "scheme": "affine", "scale_rule": "max", "observer": "fixed_scale", "scale": p.Scale, "zero_point": int64(p.Zero)}
	for f, v := range program.Arguments(a.Observer.Args) {
		switch {
		case v.CanFloat():
			said[f.Name] = v.Float()
		case v.CanInt():
			said[f.Name] = v.Int()
		}
	}
	for _, attr := range gridAttrs() {
		if _, written := a.Origin.Attrs[attr]; written && said[attr] != want[attr] {
			return attr
		}
	}
	return ""
}

// some names at most four.
func some(names []string) string {
	const most = 4
	if len(names) <= most {
		return diag.Enumerate(names)
	}
	return fmt.Sprintf("%s and %d others", strings.Join(names[:most-1], ", "), len(names)-most+1)
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
