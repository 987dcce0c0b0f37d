package pass

import (
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/formula"
)

// FormulaLoops are the loops of a set for formulas. Numbers are float64 but for x, g and y of Begin and End. Binary and Ternary compute
// whole pieces of formula.Width numbers, at least n, each operand as many bytes after the piece before as its step says.
type FormulaLoops struct {
	Begin func(x *float32, y *float64, n int)    // y = x
	End   func(x *float64, g, y *float32, n int) // y = float32(x), times g unless that is nil

	Unary   [formula.Ops]func(a, y *float64, n int)
	Binary  [formula.Ops]func(a, b, y *float64, n, stepA, stepB int)
	Ternary [formula.Ops]func(a, b, c, y *float64, n, stepA, stepB, stepC int)
}

// number is where the numbers of a register or a constant begin, and how many bytes a piece of them has.
func number(f *formula.Formula, registers []float64, i int) (at *float64, step int) {
	if i < 0 {
		return &f.Constants[^i][0], 0
	}
	return &registers[i*formula.Block], 8 * formula.Width
}

func (p *passes) formula(f *formula.Formula, x, g, y []float32, s *kernel.Scratch) {
	registers, loops := s.F64[:f.Room()], &p.asm.Formula
	for from := 0; from < len(x); from += formula.Block {
		n := min(formula.Block, len(x)-from)
		loops.Begin(&x[from], &registers[0], n)
		for i := range f.Steps {
			st := &f.Steps[i]
			to := &registers[st.To*formula.Block]
			a, stepA := number(f, registers, st.Args[0])
			if st.Op.Arity() == 1 {
				loops.Unary[st.Op](a, to, n)
				continue
			}
			b, stepB := number(f, registers, st.Args[1])
			if st.Op.Arity() == 2 {
				loops.Binary[st.Op](a, b, to, n, stepA, stepB)
				continue
			}
			c, stepC := number(f, registers, st.Args[2])
			loops.Ternary[st.Op](a, b, c, to, n, stepA, stepB, stepC)
		}
		loops.End(&registers[f.Result()*formula.Block], first(part(g, from, from+n), n), first(y[from:], n), n)
	}
}
