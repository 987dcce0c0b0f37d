package lower

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

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
	for _, attr := range []string{"dtype", "scheme", "scale_rule", "observer", "scale", "zero_point"} {
		s.by[attr] = program.Origin{Address: q.Origin.Address, Header: q.Origin.At("target")}
	}
}
