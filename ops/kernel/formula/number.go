package formula

import "math"

// Number is x, a constant, or what an operation makes of others.
type Number struct {
	op       Op
	args     []*Number // none of x and of constants
	constant bool
	value    float64
}

// New is the formula of a function. What is used several times is computed once.
func New(of func(x *Number) *Number) *Formula {
	x := &Number{}
	y := of(x)
	if len(y.args) == 0 {
		y = y.Max(y)
	}
	var steps []*Number
	seen := map[*Number]bool{}
	var visit func(n *Number)
	visit = func(n *Number) {
		if seen[n] || len(n.args) == 0 {
			return
		}
		seen[n] = true
		for _, a := range n.args {
			visit(a)
		}
		steps = append(steps, n)
	}
	visit(y)
	return assign(x, steps)
}

// assign gives numbers registers, which are used again after the last step that reads them.
func assign(x *Number, steps []*Number) *Formula {
	last := map[*Number]int{}
	for i, n := range steps {
		for _, a := range n.args {
			last[a] = i
		}
	}
	f, at, constants, free := &Formula{Registers: 1}, map[*Number]int{x: 0}, map[uint64]int{}, []int(nil)
	for i, n := range steps {
		s := Step{Op: n.op}
		for k, a := range n.args {
			if a.constant {
				s.Args[k] = ^f.constant(constants, a.value)
				continue
			}
			s.Args[k] = at[a]
			if last[a] == i {
				free = append(free, at[a])
				last[a] = -1
			}
		}
		if len(free) == 0 {
			free = append(free, f.Registers)
			f.Registers++
		}
		s.To = free[len(free)-1]
		free = free[:len(free)-1]
		at[n] = s.To
		f.Steps = append(f.Steps, s)
	}
	return f
}

// constant is the place of a constant.
func (f *Formula) constant(places map[uint64]int, v float64) int {
	bits := math.Float64bits(v)
	k, there := places[bits]
	if !there {
		k = len(f.Constants)
		places[bits] = k
		var c Constant
		for i := range c {
			c[i] = v
		}
		f.Constants = append(f.Constants, c)
	}
	return k
}

// Const is a constant.
func Const(v float64) *Number { return &Number{constant: true, value: v} }

func apply(o Op, args ...*Number) *Number { return &Number{op: o, args: args} }

// Add is n + m.
func (n *Number) Add(m *Number) *Number { return apply(Add, n, m) }

// Sub is n - m.
func (n *Number) Sub(m *Number) *Number { return apply(Sub, n, m) }

// Mul is n·m.
func (n *Number) Mul(m *Number) *Number { return apply(Mul, n, m) }

// Div is n/m.
func (n *Number) Div(m *Number) *Number { return apply(Div, n, m) }

// Max is m where that is larger, else n.
func (n *Number) Max(m *Number) *Number { return apply(Max, n, m) }

// Min is m where that is smaller, else n.
func (n *Number) Min(m *Number) *Number { return apply(Min, n, m) }

// MulAdd is n·m + k.
func (n *Number) MulAdd(m, k *Number) *Number { return apply(MulAdd, n, m, k) }

// Choose is m where n > 0, else k.
func (n *Number) Choose(m, k *Number) *Number { return apply(Choose, n, m, k) }

// Exp is eⁿ.
func (n *Number) Exp() *Number { return apply(Exp, n) }

// Expm1 is eⁿ - 1.
func (n *Number) Expm1() *Number { return apply(Expm1, n) }

// Neg is -n, and 0 of both zeros.
func (n *Number) Neg() *Number { return Const(0).Sub(n) }

// Abs is the larger of n and -n.
func (n *Number) Abs() *Number { return n.Max(n.Neg()) }

// Horner is the polynomial c[0]·n^k + … + c[k], by Horner's rule.
func (n *Number) Horner(c ...float64) *Number {
	sum := Const(c[0])
	for _, v := range c[1:] {
		sum = sum.MulAdd(n, Const(v))
	}
	return sum
}
