// Package product has matrix products: the loops, which convolutions use too, and the ops.
package product

import (
	"slices"

	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/value"
)

// Rows are the ops of this package.
func Rows() []*op.Row { return []*op.Row{gemmRow(), matMulRow(), matMulIntegerRow()} }

// Number is what products are computed in: float64, whose sums are rounded once at the end, or int64, which is exact.
type Number interface{ float64 | int64 }

// width is how many columns a task computes; a panel of them stays in the cache.
const width = 64

// Multiply adds to out, of rows × columns, the product of a, rows × depth, and b, depth × columns. Each element of out
// is one sum in the order of the depth.
func Multiply[T Number](out, a, b []T, rows, depth, columns int) {
	if depth == 0 {
		return
	}
	i := 0
	for ; i+2 <= rows; i += 2 {
		j := 0
		for ; j+4 <= columns; j += 4 {
			block(out[i*columns+j:], a[i*depth:(i+2)*depth], b[j:], depth, columns)
		}
		for k := i; k < i+2; k++ {
			strip(out[k*columns:(k+1)*columns], a[k*depth:(k+1)*depth], b, j)
		}
	}
	for ; i < rows; i++ {
		strip(out[i*columns:(i+1)*columns], a[i*depth:(i+1)*depth], b, 0)
	}
}

// block computes two rows of four columns: as many sums as the compiler keeps in registers. The products are converted
// so that no processor adds them unrounded.
func block[T Number](out, a, b []T, depth, columns int) {
	first, second := a[:depth], a[depth:][:depth]
	var s0, s1, s2, s3, t0, t1, t2, t3 T
	for k, x := range first {
		row := b[k*columns:][:4:4]
		b0, b1, b2, b3 := row[0], row[1], row[2], row[3]
		s0 += T(x * b0)
		s1 += T(x * b1)
		s2 += T(x * b2)
		s3 += T(x * b3)
		x = second[k]
		t0 += T(x * b0)
		t1 += T(x * b1)
		t2 += T(x * b2)
		t3 += T(x * b3)
	}
	for j, s := range [4]T{s0, s1, s2, s3} {
		out[j] += s
	}
	for j, t := range [4]T{t0, t1, t2, t3} {
		out[columns+j] += t
	}
}

// strip computes one row from column j on.
func strip[T Number](out, a, b []T, j int) {
	columns := len(out)
	for ; j < columns; j++ {
		var s T
		for k, x := range a {
			s += T(x * b[k*columns+j])
		}
		out[j] += s
	}
}

// Plan is a product of two stacks of matrices, as MatMul multiplies them.
type Plan struct {
	Rows, Depth, Columns int
	Dims                 []int // of the output
	a, b                 []int // the stacks' shapes
	stack                []int
}

// Of plans the product of two shapes.
func Of(c *op.Call, a, b []int) Plan {
	if len(a) == 0 || len(b) == 0 {
		c.Fail("the shapes %v and %v are not those of matrices", a, b)
	}
	row, column := len(a) == 1, len(b) == 1
	if row {
		a = []int{1, a[0]}
	}
	if column {
		b = []int{b[0], 1}
	}
	p := Plan{Rows: a[len(a)-2], Depth: a[len(a)-1], Columns: b[len(b)-1], a: a[:len(a)-2], b: b[:len(b)-2]}
	if b[len(b)-2] != p.Depth {
		c.Fail("matrices of the shapes %v and %v cannot be multiplied", a, b)
	}
	var err error
	p.stack, err = value.Broadcast(p.a, p.b)
	c.Check(err)
	p.Dims = slices.Clone(p.stack)
	if !row {
		p.Dims = append(p.Dims, p.Rows)
	}
	if !column {
		p.Dims = append(p.Dims, p.Columns)
	}
	_, err = model.Elements(p.Dims)
	c.Check(err)
	return p
}

// Run computes the product.
func Run[T Number](c *op.Call, p Plan, out, a, b []T) {
	c.Work(value.Count(p.stack), p.Rows, p.Depth, p.Columns)
	sa, sb := value.Spread(p.a, p.stack), value.Spread(p.b, p.stack)
	n, step := value.Last(p.stack, sa, sb)
	value.Rows(p.stack, [][]int{sa, sb}, func(row int, at []int) {
		for i := range n {
			x := a[(at[0]+i*step[0])*p.Rows*p.Depth:][:p.Rows*p.Depth]
			y := b[(at[1]+i*step[1])*p.Depth*p.Columns:][:p.Depth*p.Columns]
			matrix(c, out[(row+i)*p.Rows*p.Columns:][:p.Rows*p.Columns], x, y, p)
		}
	})
}

// matrix computes one product, panel by panel of its columns.
func matrix[T Number](c *op.Call, out, a, b []T, p Plan) {
	c.Parallel((p.Columns+width-1)/width, func(task int) {
		j := task * width
		n := min(width, p.Columns-j)
		panel := make([]T, p.Depth*n)
		for k := range p.Depth {
			copy(panel[k*n:], b[k*p.Columns+j:][:n])
		}
		const height = 16
		part := make([]T, height*n)
		for i := 0; i < p.Rows; i += height {
			m := min(height, p.Rows-i)
			clear(part)
			Multiply(part[:m*n], a[i*p.Depth:][:m*p.Depth], panel, m, p.Depth, n)
			for r := range m {
				copy(out[(i+r)*p.Columns+j:], part[r*n:][:n])
			}
		}
	})
}

func matMulRow() *op.Row {
	return &op.Row{
		Name: "MatMul", Since: []int{1, 9, 13}, Least: 2, Most: 2, Outputs: 1,
		Shape: func(c *op.Call) []op.Type {
			c.Same(0, 1)
			return []op.Type{{Elem: c.Arg(0).Type, Dims: Of(c, c.Arg(0).Dims, c.Arg(1).Dims).Dims}}
		},
		Eval: func(c *op.Call) {
			a, b := c.Known(0), c.Known(1)
			p := Of(c, a.Dims, b.Dims)
			if a.F != nil {
				Run(c, p, c.Out[0].F, a.F, b.F)
				return
			}
			Run(c, p, c.Out[0].I, a.I, b.I)
		},
	}
}

func gemmRow() *op.Row {
	return &op.Row{
		Name: "Gemm", Since: []int{1, 6, 7, 9, 11, 13}, Least: 2, Most: 3, Outputs: 1,
		Attrs: []op.Attr{op.Float("alpha", 1), op.Float("beta", 1), op.Int("transA", 0), op.Int("transB", 0), op.Int("broadcast", 0).Until(7)},
		Shape: func(c *op.Call) []op.Type {
			c.Same(0, 1)
			dims := GemmPlan(c, 0, 1).Dims
			if c.Has(2) {
				c.Same(0, 2)
				all, err := value.Broadcast(dims, c.Arg(2).Dims)
				c.Check(err)
				if !slices.Equal(all, dims) {
					c.Fail("input 2 of the shape %v cannot be added to an output of the shape %v", c.Arg(2).Dims, dims)
				}
			}
			return []op.Type{{Elem: c.Arg(0).Type, Dims: dims}}
		},
		Eval: gemm,
	}
}

// GemmPlan plans the product of two inputs that the attributes transA and transB transpose.
func GemmPlan(c *op.Call, first, second int) Plan {
	a, b := slices.Clone(c.Arg(first).Dims), slices.Clone(c.Arg(second).Dims)
	if len(a) != 2 || len(b) != 2 {
		c.Fail("the shapes %v and %v are not those of matrices", a, b)
	}
	if c.Flag("transA") {
		slices.Reverse(a)
	}
	if c.Flag("transB") {
		slices.Reverse(b)
	}
	return Of(c, a, b)
}

func gemm(c *op.Call) {
	p := GemmPlan(c, 0, 1)
	out := c.Out[0].F
	RunGemm(c, p, out, c.Floats(0), c.Floats(1))
	alpha := c.Float("alpha")
	for i := range out {
		out[i] *= alpha
	}
	if !c.Has(2) {
		return
	}
	beta, add := c.Float("beta"), c.Floats(2)
	s := value.Spread(c.In[2].Dims, p.Dims)
	for i := range out {
		out[i] += float64(beta * add[i/p.Columns*s[0]+i%p.Columns*s[1]])
	}
}

// RunGemm computes the product, with transposed operands where the attributes say so.
func RunGemm[T Number](c *op.Call, p Plan, out, a, b []T) {
	if c.Flag("transA") {
		a = turned(a, p.Depth, p.Rows)
	}
	if c.Flag("transB") {
		b = turned(b, p.Columns, p.Depth)
	}
	Run(c, p, out, a, b)
}

// turned is the transposed matrix.
func turned[T Number](x []T, rows, columns int) []T {
	out := make([]T, len(x))
	for i := range rows {
		for j := range columns {
			out[j*rows+i] = x[i*columns+j]
		}
	}
	return out
}

func matMulIntegerRow() *op.Row {
	return &op.Row{
		Name: "MatMulInteger", Since: []int{10}, Least: 2, Most: 4, Outputs: 1,
		Shape: func(c *op.Call) []op.Type {
			return []op.Type{{Elem: model.Int32, Dims: Of(c, c.Arg(0).Dims, c.Arg(1).Dims).Dims}}
		},
		Eval: func(c *op.Call) {
			p := Of(c, c.Arg(0).Dims, c.Arg(1).Dims)
			Run(c, p, c.Out[0].I, Centered(c, 0, 2, -2), Centered(c, 1, 3, -1))
		},
	}
}

// Centered are the integers of an input minus its zero point: one for all, or one for each place along a dimension, which
// counts from the end; 0 is none. The zero point may also have that dimension of several, with 1 for the last ones.
func Centered(c *op.Call, input, zero, axis int) []int64 {
	x := c.Ints(input)
	if !c.Has(zero) {
		return x
	}
	z := c.Ints(zero)
	dims := c.Arg(input).Dims
	out := make([]int64, len(x))
	if axis == 0 || len(z) == 1 {
		c.Single(zero)
		for i := range x {
			out[i] = x[i] - z[0]
		}
		return out
	}
	zd := c.Arg(zero).Dims
	if len(zd) == 1 {
		zd = slices.Concat(zd, slices.Repeat([]int{1}, -axis-1))
	}
	all, err := value.Broadcast(dims, zd)
	c.Check(err)
	if !slices.Equal(all, dims) {
		c.Fail("zero points of the shape %v do not fit the shape %v", c.Arg(zero).Dims, dims)
	}
	s := value.Spread(zd, dims)
	n, step := value.Last(dims, s)
	value.Rows(dims, [][]int{s}, func(row int, at []int) {
		for j := range n {
			out[row+j] = x[row+j] - z[at[0]+j*step[0]]
		}
	})
	return out
}
