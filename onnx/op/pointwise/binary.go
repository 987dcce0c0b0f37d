package pointwise

import (
	"math"
	"slices"

	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/value"
	"qpipe/ops/elementary"
)

// binary is a function of two numbers; the shapes of its inputs are broadcast.
type binary struct {
	name  string
	since []int
	f     func(c *op.Call, a, b float64) float64
	i     func(c *op.Call, t model.Type, a, b int64) int64
	test  bool // whether the output is a bool, 0 or 1
}

func binaryRows() []*op.Row {
	var rows []*op.Row
	for _, b := range append(arithmetic(), tests()...) {
		row := &op.Row{Name: b.name, Since: b.since, Least: 2, Most: 2, Outputs: 1, Shape: b.shape, Eval: b.eval}
		if b.since[0] == 1 {
			row.Attrs = []op.Attr{op.Int("broadcast", 0).Until(7), op.Int("axis", 0).Until(7), op.Ints("consumed_inputs").Until(6)}
		}
		rows = append(rows, row)
	}
	mod := binary{name: "Mod", f: remainder, i: modulo}
	pow := binary{name: "Pow", f: power, i: integerPower}
	return append(rows,
		&op.Row{Name: "Mod", Since: []int{10, 13}, Least: 2, Most: 2, Outputs: 1, Attrs: []op.Attr{op.Int("fmod", 0)}, Shape: mod.shape, Eval: mod.eval},
		&op.Row{
			Name: "Pow", Since: []int{1, 7, 12, 13, 15}, Least: 2, Most: 2, Outputs: 1, Attrs: []op.Attr{op.Int("broadcast", 0).Until(7), op.Int("axis", 0).Until(7)},
			Shape: pow.shapeOfBase, Eval: pow.evalMixed,
		})
}

func arithmetic() []binary {
	versions := []int{1, 6, 7, 13, 14}
	return []binary{
		{name: "Add", since: versions, f: func(_ *op.Call, a, b float64) float64 { return a + b }, i: func(_ *op.Call, _ model.Type, a, b int64) int64 { return a + b }},
		{name: "Sub", since: versions, f: func(_ *op.Call, a, b float64) float64 { return a - b }, i: func(_ *op.Call, _ model.Type, a, b int64) int64 { return a - b }},
		{name: "Mul", since: versions, f: func(_ *op.Call, a, b float64) float64 { return a * b }, i: func(_ *op.Call, _ model.Type, a, b int64) int64 { return a * b }},
		{name: "Div", since: versions, f: func(_ *op.Call, a, b float64) float64 { return a / b }, i: quotient},
	}
}

func tests() []binary {
	ones := func(b bool) int64 {
		if b {
			return 1
		}
		return 0
	}
	test := func(name string, since []int, f func(a, b float64) bool, i func(t model.Type, a, b int64) bool) binary {
		return binary{
			name: name, since: since, test: true,
			f: func(_ *op.Call, a, b float64) float64 { return float64(ones(f(a, b))) },
			i: func(_ *op.Call, t model.Type, a, b int64) int64 { return ones(i(t, a, b)) },
		}
	}
	return []binary{
		test("Equal", []int{1, 7, 11, 13, 19}, func(a, b float64) bool { return a == b }, func(_ model.Type, a, b int64) bool { return a == b }),
		test("Less", []int{1, 7, 9, 13}, func(a, b float64) bool { return a < b }, less),
		test("Greater", []int{1, 7, 9, 13}, func(a, b float64) bool { return a > b }, func(t model.Type, a, b int64) bool { return less(t, b, a) }),
		test("LessOrEqual", []int{12, 16}, func(a, b float64) bool { return a <= b }, func(t model.Type, a, b int64) bool { return !less(t, b, a) }),
		test("GreaterOrEqual", []int{12, 16}, func(a, b float64) bool { return a >= b }, func(t model.Type, a, b int64) bool { return !less(t, a, b) }),
		test("And", []int{1, 7}, nil, func(_ model.Type, a, b int64) bool { return a != 0 && b != 0 }),
		test("Or", []int{1, 7}, nil, func(_ model.Type, a, b int64) bool { return a != 0 || b != 0 }),
	}
}

// less compares integers of a type.
func less(t model.Type, a, b int64) bool {
	if t == model.Uint64 {
		return uint64(a) < uint64(b)
	}
	return a < b
}

func quotient(c *op.Call, t model.Type, a, b int64) int64 {
	switch {
	case b == 0:
		c.Fail("an integer is divided by 0")
	case t == model.Uint64:
		return int64(uint64(a) / uint64(b))
	case b == -1:
		return -a
	}
	return a / b
}

// modulo has the sign of the divisor or, with fmod, of the dividend.
func modulo(c *op.Call, t model.Type, a, b int64) int64 {
	switch {
	case b == 0:
		c.Fail("an integer is divided by 0")
	case t == model.Uint64:
		return int64(uint64(a) % uint64(b))
	case b == -1:
		return 0
	}
	r := a % b
	if !c.Flag("fmod") && r != 0 && (r < 0) != (b < 0) {
		r += b
	}
	return r
}

// remainder is modulo of floats.
func remainder(c *op.Call, a, b float64) float64 {
	r := math.Mod(a, b)
	if !c.Flag("fmod") && r != 0 && (r < 0) != (b < 0) {
		r += b
	}
	return r
}

// power is exact for the exponents that networks have: small integers, as far as float64 has the result, and a half.
func power(_ *op.Call, a, b float64) float64 {
	if n := math.Abs(b); n <= 64 && n == math.Trunc(n) {
		r := 1.0
		for k := int(n); k > 0; k >>= 1 {
			if k&1 == 1 {
				r = float64(r * a)
			}
			a = float64(a * a)
		}
		if b < 0 {
			return 1 / r
		}
		return r
	}
	if b == 0.5 {
		return math.Sqrt(a)
	}
	if a <= 0 || math.IsInf(a, 0) || a != a || b != b {
		return math.Pow(a, b)
	}
	return elementary.Exp(b * elementary.Log(a))
}

func integerPower(_ *op.Call, _ model.Type, a, b int64) int64 {
	if b < 0 {
		switch a {
		case 1:
			return 1
		case -1:
			return 1 - 2*(b&1)
		}
		return 0
	}
	r := int64(1)
	for ; b > 0; b >>= 1 {
		if b&1 == 1 {
			r *= a
		}
		a *= a
	}
	return r
}

func (b binary) shape(c *op.Call) []op.Type {
	c.Same(0, 1)
	t := c.Arg(0).Type
	if b.test {
		t = model.Bool
	}
	if c.Arg(0).Type.Float() && b.f == nil {
		c.Fail("input 0 is %s; it must be a bool", c.Arg(0).Type)
	}
	return []op.Type{{Elem: t, Dims: joined(c)}}
}

func (b binary) shapeOfBase(c *op.Call) []op.Type {
	return []op.Type{{Elem: c.Arg(0).Type, Dims: joined(c)}}
}

// joined is the broadcast shape of both inputs.
func joined(c *op.Call) []int {
	dims, err := value.Broadcast(c.Arg(0).Dims, second(c))
	c.Check(err)
	return dims
}

// second is the shape of the second input as it is aligned with the first. Before operator set 7 it began at an axis, and
// had to be asked for.
func second(c *op.Call) []int {
	a, b := c.Arg(0).Dims, c.Arg(1).Dims
	if c.Since >= 7 || !c.Given("axis") {
		return b
	}
	axis := c.Axis(c.Int("axis"), len(a)+1)
	if axis+len(b) > len(a) {
		c.Fail("the shapes %v and %v do not fit each other at axis %d", a, b, axis)
	}
	out := slices.Repeat([]int{1}, len(a)-axis)
	copy(out, b)
	return out
}

func (b binary) eval(c *op.Call) {
	x, y, out := c.Known(0), c.Known(1), c.Out[0]
	c.Work(out.Len())
	switch {
	case x.F == nil:
		walk(c, func(o, i, k int) { out.I[o] = b.i(c, x.Type, x.I[i], y.I[k]) })
	case b.test:
		walk(c, func(o, i, k int) { out.I[o] = int64(b.f(c, x.F[i], y.F[k])) })
	default:
		walk(c, func(o, i, k int) { out.F[o] = b.f(c, x.F[i], y.F[k]) })
	}
}

// evalMixed is eval where the second input may have another type.
func (b binary) evalMixed(c *op.Call) {
	x, y, out := c.Known(0), c.Known(1), c.Out[0]
	c.Work(out.Len())
	switch {
	case x.F != nil:
		walk(c, func(o, i, k int) { out.F[o] = b.f(c, x.F[i], y.Number(k)) })
	case y.F == nil:
		walk(c, func(o, i, k int) { out.I[o] = b.i(c, x.Type, x.I[i], y.I[k]) })
	default:
		walk(c, func(o, i, k int) { out.I[o] = truncate(b.f(c, x.Number(i), y.F[k])) })
	}
}

// walk visits the elements of the output with those of both inputs.
func walk(c *op.Call, f func(o, i, k int)) {
	dims := c.Out[0].Dims
	sx, sy := value.Spread(c.Arg(0).Dims, dims), value.Spread(second(c), dims)
	n, step := value.Last(dims, sx, sy)
	value.Rows(dims, [][]int{sx, sy}, func(row int, at []int) {
		for j := range n {
			f(row+j, at[0]+j*step[0], at[1]+j*step[1])
		}
	})
}
