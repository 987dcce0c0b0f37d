package quantized

import (
	"math"

	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/op/move"
	"qpipe/onnx/op/reduce"
	"qpipe/onnx/value"
	"qpipe/ops/elementary"
)

// runtimeRows are ops on two values and more, of ONNX Runtime's own.
func runtimeRows() []*op.Row {
	row := func(name string, eval func(c *op.Call)) *op.Row {
		return &op.Row{
			Name: name, Domain: microsoft, Since: []int{1}, Least: 7, Most: 8, Outputs: 1,
			Shape: func(c *op.Call) []op.Type {
				bytes(c, 0)
				c.Same(0, 3)
				dims, err := value.Broadcast(c.Arg(0).Dims, c.Arg(3).Dims)
				c.Check(err)
				return []op.Type{{Elem: c.Arg(0).Type, Dims: dims}}
			},
			Eval: eval,
		}
	}
	return []*op.Row{
		row("QLinearAdd", add), row("QLinearMul", mul),
		{
			Name: "QLinearConcat", Domain: microsoft, Since: []int{1}, Least: 5, Most: -1, Outputs: 1, Attrs: []op.Attr{op.NeedInt("axis")},
			Shape: func(c *op.Call) []op.Type { return []op.Type{{Elem: c.Arg(1).Type, Dims: move.Joined(c, joined(c))}} },
			Eval:  concat,
		},
		{
			Name: "QLinearSoftmax", Domain: microsoft, Since: []int{1}, Least: 5, Most: 5, Outputs: 1,
			Attrs: []op.Attr{op.Int("axis", -1), op.NeedInt("opset")}, Shape: likeBytes, Eval: softmax,
		},
	}
}

// bytes checks that an input is int8 or uint8, the types that these ops have.
func bytes(c *op.Call, i int) {
	if t := c.Arg(i).Type; t != model.Int8 && t != model.Uint8 {
		c.Fail("input %d is %s; it must be int8 or uint8", i, t)
	}
}

func likeBytes(c *op.Call) []op.Type {
	bytes(c, 0)
	return []op.Type{{Elem: c.Arg(0).Type, Dims: c.Arg(0).Dims}}
}

// pairs visits the elements of the output with those of both operands.
func pairs(c *op.Call, f func(a, b int64) int64) {
	a, b, out := c.Known(0), c.Known(3), c.Out[0]
	c.Work(out.Len())
	sa, sb := value.Spread(a.Dims, out.Dims), value.Spread(b.Dims, out.Dims)
	n, step := value.Last(out.Dims, sa, sb)
	value.Rows(out.Dims, [][]int{sa, sb}, func(row int, at []int) {
		for j := range n {
			out.I[row+j] = f(a.I[at[0]+j*step[0]], b.I[at[1]+j*step[1]])
		}
	})
}

// add: what does not depend on the operands is one number, to which they are added by FMA, the second operand first.
func add(c *op.Call) {
	t := c.Out[0].Type
	a, b, y := gridOf(c, 1, 2, t), gridOf(c, 4, 5, t), gridOf(c, 6, 7, t)
	ra, rb := a.scale/y.scale, b.scale/y.scale
	fixed := float32(y.zero) - fma(ra, float32(a.zero), float32(rb*float32(b.zero)))
	pairs(c, func(p, q int64) int64 { return y.cut(fma(float32(p), ra, fma(float32(q), rb, fixed))) })
}

func mul(c *op.Call) {
	t := c.Out[0].Type
	a, b, y := gridOf(c, 1, 2, t), gridOf(c, 4, 5, t), gridOf(c, 6, 7, t)
	r := float32(a.scale*b.scale) / y.scale
	pairs(c, func(p, q int64) int64 {
		return y.cut(float32(float32((p-a.zero)*(q-b.zero))*r) + float32(y.zero))
	})
}

// joined are the values of a concatenation: each has a scale and a zero point behind it.
func joined(c *op.Call) (list []*value.Value) {
	if len(c.In)%3 != 2 {
		c.Fail("there are %d inputs; each value must have a scale and a zero point", len(c.In))
	}
	bytes(c, 1)
	for i := 2; i < len(c.In); i += 3 {
		c.Same(1, i)
		list = append(list, c.Arg(i))
	}
	return list
}

func concat(c *op.Call) {
	list := joined(c)
	y := gridOf(c, 0, 1, c.Out[0].Type)
	c.Work(c.Out[0].Len())
	for k, v := range list {
		x := gridOf(c, 3+3*k, 4+3*k, v.Type)
		if x.scale == y.scale && x.zero == y.zero {
			continue
		}
		moved := value.New(v.Type, v.Dims)
		for i, q := range c.Ints(2 + 3*k) {
			moved.I[i] = y.quantize(x.value(q))
		}
		list[k] = moved
	}
	move.Join(c, c.Out[0], list)
}

// softmax looks exponentials up that are scaled so that their sum stays below the largest float32. The scale of the
// output enters as a whole number of steps.
func softmax(c *op.Call) {
	x, out := c.Ints(0), c.Out[0]
	flat := c.Int("opset") < 13
	count, length, inner := reduce.SoftmaxLists(c, c.Arg(0).Dims, flat)
	c.Work(len(x), 2)
	if len(x) == 0 {
		return
	}
	scale, y := float32(c.Single(1).Number(0)), gridOf(c, 3, 4, out.Type)
	shift := max(0, float64(float32(elementary.Log(float64(float32(math.MaxFloat32)/float32(length)))))-5) / float64(scale)
	var table [256]float32 // by how far an integer is below the largest
	for i := range table {
		table[i] = float32(elementary.Exp((shift - float64(i)) * float64(scale)))
	}
	_, most := value.Limits(out.Type)
	steps := float32(math.Floor(float64(1 / y.scale)))
	for l := range count {
		at := l/inner*length*inner + l%inner
		largest, sum := x[at], float32(0)
		for k := range length {
			largest = max(largest, x[at+k*inner])
		}
		for k := range length {
			sum += table[largest-x[at+k*inner]]
		}
		for k := range length {
			i := at + k*inner
			n := int64(math.RoundToEven(float64(float32(table[largest-x[i]]*steps)/sum))) + y.zero
			out.I[i] = min(n, most)
		}
	}
}
