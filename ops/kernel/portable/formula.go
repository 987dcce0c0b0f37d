package portable

import (
	"qpipe/ops/elementary"
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/formula"
)

// Formula is ref.Formula, for as many numbers at a time as there are copies of a constant.
func Formula(f *formula.Formula, x, g, y []float32, s *kernel.Scratch) {
	const width = formula.Width
	registers := s.F64[:f.Registers*width]
	for from := 0; from < len(x); from += width {
		n := min(width, len(x)-from)
		at := func(i int) []float64 {
			if i < 0 {
				return f.Constants[^i][:n]
			}
			return registers[i*width:][:n]
		}
		for i, v := range x[from : from+n] {
			registers[i] = float64(v)
		}
		for _, st := range f.Steps {
			operate(st.Op, at(st.Args[0]), at(st.Args[1]), at(st.Args[2]), at(st.To))
		}
		result := at(f.Result())
		to := y[from:][:n]
		if g == nil {
			for i, v := range result {
				to[i] = float32(v)
			}
			continue
		}
		for i, v := range g[from:][:n] {
			to[i] = v * float32(result[i])
		}
	}
}

// operate computes y of a, b and c, as many as the operation has; y may be one of them.
func operate(o formula.Op, a, b, c, y []float64) {
	a, b, c = a[:len(y)], b[:len(y)], c[:len(y)]
	switch o {
	case formula.Add:
		for i := range y {
			y[i] = a[i] + b[i]
		}
	case formula.Sub:
		for i := range y {
			y[i] = a[i] - b[i]
		}
	case formula.Mul:
		for i := range y {
			y[i] = a[i] * b[i]
		}
	case formula.Div:
		for i := range y {
			y[i] = a[i] / b[i]
		}
	case formula.MulAdd:
		for i := range y {
			y[i] = float64(a[i]*b[i]) + c[i]
		}
	case formula.Exp:
		for i := range y {
			y[i] = elementary.Exp(a[i])
		}
	case formula.Expm1:
		for i := range y {
			y[i] = elementary.Expm1(a[i])
		}
	default:
		compare(o, a, b, c, y)
	}
}

// compare is operate for the operations that choose.
func compare(o formula.Op, a, b, c, y []float64) {
	a, b, c = a[:len(y)], b[:len(y)], c[:len(y)]
	for i := range y {
		v, when := a[i], false
		switch o {
		case formula.Max:
			when = b[i] > v
		case formula.Min:
			when = b[i] < v
		default:
			when, v = v > 0, c[i]
		}
		if when {
			v = b[i]
		}
		y[i] = v
	}
}
