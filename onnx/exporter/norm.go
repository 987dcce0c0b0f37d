package exporter

import (
	"fmt"

	"qpipe/onnx/model"
	"qpipe/ops/elementary"
)

// Statistics of codes are computed in float64, as in the int8 model: their sums are whole numbers.

// normalized is a group or a layer norm.
func (s *step) normalized() *value {
	a, x := attrsOf[normAttrs](s, s.Kind.Name), s.in[0]
	d := s.cast(s.mapped(s.centered(x)), model.Double)
	dims := d.dims
	axes := []int{0}
	switch {
	case s.Kind.Name == "group_norm":
		d, axes = s.reshape(d, a.Groups, dims[0]/a.Groups, dims[1]*dims[2]), []int{1, 2}
	case a.Whole:
		axes = []int{0, 1, 2}
	}
	n := 1
	for _, k := range axes {
		n *= d.dims[k]
	}
	number := func(v float64) string {
		return s.constant(model.OfFloats(fmt.Sprintf("double_%g", v), model.Double, nil, []float64{v}))
	}
	with := func(op string, t array, v float64) array { return s.like(op, t, []string{number(v)}) }
	u := float64(x.q.Scale)
	m := with("Div", s.reduced("ReduceSum", d, axes...), float64(n))
	v := with("Div", s.reduced("ReduceSum", s.both("Mul", d, d), axes...), float64(n))
	v = with("Max", s.both("Sub", v, s.both("Mul", m, m)), 0)
	v = s.like("Sqrt", with("Add", with("Mul", with("Mul", v, u), u), a.Eps), nil)
	one := array{number(1), model.Double, nil}
	f := with("Mul", s.both("Div", one, v), u)
	var y array
	narrow := func(t array) array { return s.cast(t, model.Float) }
	if s.Kind.Name == "group_norm" {
		weight, bias := f, array{number(0), model.Double, nil}
		if a.Affine {
			each := []int{a.Groups, dims[0] / a.Groups, 1}
			double := func(t string) array {
				return array{s.constant(model.OfFloats(s.Name+"."+t, model.Double, each, wide(s.values32(t)))), model.Double, each}
			}
			weight, bias = s.both("Mul", f, double("weight")), double("bias")
		}
		b := narrow(s.both("Sub", bias, s.both("Mul", m, weight)))
		y = s.reshape(s.both("Add", s.both("Mul", narrow(d), narrow(weight)), b), dims...)
	} else {
		y = s.both("Mul", narrow(d), narrow(f))
		y = s.both("Add", y, narrow(s.like("Neg", s.both("Mul", m, f), nil)))
		if a.Affine {
			each := []int{dims[0], 1, 1}
			if a.Whole {
				each = dims
			}
			y = s.scaled(y, s.own("weight", each...), s.own("bias", each...))
		}
	}
	if len(x.codes.dims) == 1 {
		y = s.reshape(y, x.codes.dims...)
	}
	return s.divided(y)
}

// shares is a softmax or its logarithm. The exponentials are a table by how far a code is below the largest of its line.
func (s *step) shares() *value {
	x, log := s.in[0], s.Kind.Name == "log_softmax"
	axis := axisOf(attrsOf[struct{ Axis int }](s, s.Kind.Name).Axis, x.codes)
	codes := s.cast(x.codes, model.Int32)
	below := s.both("Sub", s.reduced("ReduceMax", codes, axis), codes)
	us, es := make([]float32, 256), make([]float32, 256)
	for i := range us {
		us[i] = -float32(float32(i) * x.q.Scale)
		es[i] = float32(elementary.Exp(float64(us[i])))
	}
	look := func(name string, table []float32) array {
		return s.op("Gather", model.Float, below.dims, []string{s.floats(s.Name+name, []int{256}, table...), below.name}, attr("axis", 0))
	}
	e := look(".exp", es)
	sum := s.reduced("ReduceSum", s.cast(e, model.Double), axis)
	if log {
		return s.divided(s.both("Sub", look(".log", us), s.cast(s.like("Log", sum, nil), model.Float)))
	}
	return s.divided(s.both("Div", e, s.cast(sum, model.Float)))
}
