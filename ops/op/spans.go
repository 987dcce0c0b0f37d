package op

import (
	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// A reduction makes each element of its output of a block of its operand: some rows, some columns, and the element's own channel
// or all channels. What the blocks are follows from the arguments, what is made of a block is the op's.

// Reduce makes one of all elements along axes, whose extents become 1: Axes says which of rows, columns and channels.
// Function is "mean", "sum" or "max".
type Reduce struct {
	Function string
	Axes     [3]bool
}

// AdaptiveAvgPool averages blocks of a map so that the output has Size rows and columns; 0 means the operand's. Row h is that of the
// rows from ⌊h·H/Size⌋ to before ⌈(h+1)·H/Size⌉ of H, as in PyTorch.
type AdaptiveAvgPool struct{ Size [2]int }

// AdaptiveMaxPool is AdaptiveAvgPool with the largest element in place of the average. It passes codes on.
type AdaptiveMaxPool struct{ Size [2]int }

// reduced and adapted are the arguments in structures.
type reduced struct {
	Input layer.Extents `json:"input"`
	Axes  [3]bool       `json:"axes"`
}

type adapted struct {
	Input layer.Extents `json:"input"`
	Size  [2]int        `json:"sizes"`
}

var (
	reduceKinds = []*layer.Kind{
		summing[reduced]("reduce_mean", true), summing[reduced]("reduce_sum", false), largest[reduced]("reduce_max"),
	}
	adaptiveAvgPoolKind = summing[adapted]("adaptive_avg_pool", true)
	adaptiveMaxPoolKind = largest[adapted]("adaptive_max_pool")
)

// Kind implements layer.Op.
func (a Reduce) Kind() *layer.Kind {
	for _, k := range reduceKinds {
		if k.Name == "reduce_"+a.Function {
			return k
		}
	}
	return nil
}

// Node implements layer.Op.
func (a Reduce) Node(in []layer.Source) (*layer.Node, error) {
	if a.Kind() == nil {
		return nil, layer.BadArg("Function", "there is no function %q; there are mean, sum and max", a.Function)
	}
	return layer.Argue(a.Kind(), reduced{Axes: a.Axes}, in[0])
}

// Kind implements layer.Op.
func (AdaptiveAvgPool) Kind() *layer.Kind { return adaptiveAvgPoolKind }

// Node implements layer.Op.
func (a AdaptiveAvgPool) Node(in []layer.Source) (*layer.Node, error) {
	return layer.Argue(adaptiveAvgPoolKind, adapted{Size: a.Size}, in[0])
}

// Kind implements layer.Op.
func (AdaptiveMaxPool) Kind() *layer.Kind { return adaptiveMaxPoolKind }

// Node implements layer.Op.
func (a AdaptiveMaxPool) Node(in []layer.Source) (*layer.Node, error) {
	return layer.Argue(adaptiveMaxPoolKind, adapted{Size: a.Size}, in[0])
}

// spanning is the arguments of a reduction.
type spanning[A any] interface {
	layer.Arguments[A]
	input() layer.Extents
	// spans are the blocks, for arguments that on returned.
	spans() *spans
}

// spans are the blocks of an operand: element (h, w, c) is made of the rows rows[h], from the first to before the second, the columns
// columns[w], and channel c, or all if all is set.
type spans struct {
	in            tensor.Shape
	rows, columns [][2]int
	all           bool
}

// mostSummed is of how many codes a sum is sure to fit into an int32.
const mostSummed = 1 << 23

func (a reduced) input() layer.Extents { return a.Input }

func (a adapted) input() layer.Extents { return a.Input }

// On implements layer.Arguments.
func (a reduced) On(s tensor.Shape) (reduced, tensor.Shape, error) {
	a.Input = layer.ExtentsOf(s)
	out, most := layer.Axes(s), 1
	for k, n := range layer.Axes(s) {
		if a.Axes[k] {
			out[k], most = 1, most*n
		}
	}
	switch {
	case a.Axes == [3]bool{}:
		return a, s, layer.BadArg("Axes", "there is no axis to reduce")
	case most > mostSummed:
		return a, s, layer.BadArg("Axes", "%d elements are made one; at most %d can be", most, mostSummed)
	}
	return a, layer.ShapeOf(out), nil
}

func (a reduced) spans() *spans {
	in := a.Input.Tensor()
	each := func(k, n int) (list [][2]int) {
		if a.Axes[k] {
			return [][2]int{{0, n}}
		}
		for i := range n {
			list = append(list, [2]int{i, i + 1})
		}
		return list
	}
	return &spans{in: in, rows: each(0, in.H), columns: each(1, in.W), all: a.Axes[2]}
}

// On implements layer.Arguments.
func (a adapted) On(s tensor.Shape) (adapted, tensor.Shape, error) {
	a.Input = layer.ExtentsOf(s)
	most := 1
	for k, n := range [2]int{s.H, s.W} {
		if a.Size[k] == 0 {
			a.Size[k] = n
		}
		if a.Size[k] < 1 || a.Size[k] > layer.MaxExtent {
			return a, s, layer.BadArg("Size", "a map is not pooled to %d %s", a.Size[k], layer.AxisName(k))
		}
		most *= n/a.Size[k] + 2
	}
	if most > mostSummed {
		return a, s, layer.BadArg("Size", "about %d elements are made one; at most %d can be", most, mostSummed)
	}
	return a, tensor.Shape{H: a.Size[0], W: a.Size[1], C: s.C}, nil
}

func (a adapted) spans() *spans {
	blocks := func(n, size int) (list [][2]int) {
		for i := range size {
			list = append(list, [2]int{i * n / size, ((i+1)*n + size - 1) / size})
		}
		return list
	}
	in := a.Input.Tensor()
	return &spans{in: in, rows: blocks(in.H, a.Size[0]), columns: blocks(in.W, a.Size[1])}
}

// count is how many elements the block of row h and column w has.
func (s *spans) count(h, w int) int {
	n := (s.rows[h][1] - s.rows[h][0]) * (s.columns[w][1] - s.columns[w][0])
	if s.all {
		return n * s.in.C
	}
	return n
}

// pixels calls f with the place of the first channel of each pixel of a block: of output row row, which counts on from image to image,
// and column w.
func (s *spans) pixels(row, w int, f func(at int)) {
	first, h := row/len(s.rows)*s.in.H, s.rows[row%len(s.rows)]
	for y := h[0]; y < h[1]; y++ {
		for x := s.columns[w][0]; x < s.columns[w][1]; x++ {
			f(((first+y)*s.in.W + x) * s.in.C)
		}
	}
}

// channels is how many channels the output has.
func (s *spans) channels() int {
	if s.all {
		return 1
	}
	return s.in.C
}

// spanCost is what an element of a reduction takes.
func spanCost[A spanning[A]](n *layer.Node) layer.Cost {
	in := layer.ArgumentsOf[A](n).input().Tensor()
	return layer.Cost{Work: max(in.WithN(1).Len()/n.Shape.WithN(1).Len(), 1), Per: 4}
}
