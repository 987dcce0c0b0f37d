package ref

import (
	"qpipe/ops/elementary"
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/formula"
)

// Formula computes y = float32(f(x)), the steps of f one after another in float64; with g, y = g·float32(f(x)) in float32.
func Formula(f *formula.Formula, x, g, y []float32, s *kernel.Scratch) {
	numbers := s.F64[:f.Registers]
	at := func(i int) float64 {
		if i < 0 {
			return f.Constants[^i][0]
		}
		return numbers[i]
	}
	for i, v := range x {
		numbers[0] = float64(v)
		for _, st := range f.Steps {
			numbers[st.To] = operate(st.Op, at(st.Args[0]), at(st.Args[1]), at(st.Args[2]))
		}
		v = float32(numbers[f.Result()])
		if g != nil {
			v = g[i] * v
		}
		y[i] = v
	}
}

// operate is the definition of the operations.
func operate(o formula.Op, a, b, c float64) float64 {
	switch o {
	case formula.Add:
		return a + b
	case formula.Sub:
		return a - b
	case formula.Mul:
		return a * b
	case formula.Div:
		return a / b
	case formula.Max:
		if b > a {
			return b
		}
		return a
	case formula.Min:
		if b < a {
			return b
		}
		return a
	case formula.MulAdd:
		return float64(a*b) + c
	case formula.Choose:
		if a > 0 {
			return b
		}
		return c
	case formula.Exp:
		return elementary.Exp(a)
	}
	return elementary.Expm1(a)
}
