package convbn

import (
	"fmt"

	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/spread"
	"qpipe/ops/tensor"
)

// Conv is a convolution.
type Conv struct {
	OutC     int
	Kernel   [2]int
	Stride   [2]int // zero means 1
	Padding  [2]int // on both sides
	Pads     [4]int // instead: top, left, bottom, right
	Auto     string // instead: "same_upper", "same_lower" or "valid", as in ONNX
	Dilation [2]int // zero means 1
	Groups   int    // zero means 1
	Bias     bool
}

// Conv1d is a convolution of a map with one row, N×1×W×C: a Conv with a kernel of height 1.
type Conv1d struct {
	OutC, Kernel, Stride, Padding, Dilation int // zero Stride and Dilation mean 1
	Groups                                  int // zero means 1
	Bias                                    bool
}

// Kinds are the ops of this package, a row each.
func Kinds() []*layer.Kind { return []*layer.Kind{convKind, transposeKind, linearKind, bnKind} }

var convKind = weighted(layer.Kind{Name: "conv", Restore: restoreConv, Label: label})

// weighted completes the row of an op that is a convolution.
func weighted(k layer.Kind) *layer.Kind {
	k.Least, k.Most, k.Role = 1, 2, layer.Head
	k.Shape, k.Room, k.Train, k.Integer, k.Cost = shape, room, newConv, newConv8, cost
	k.MACs = func(n *layer.Node) int64 {
		c := Of(n)
		pixels := int64(c.Geom.OH) * int64(c.Geom.OW)
		if c.Up != nil {
			pixels = int64(c.Up.H) * int64(c.Up.W)
		}
		return pixels * int64(c.Geom.OutC) * int64(c.Geom.K())
	}
	k.Remakes = func(n *layer.Node) bool { return Of(n).BN != nil && !Of(n).Add }
	return &k
}

// Of returns what a convolution or linear layer has besides, nil of any other node.
func Of(n *layer.Node) *Node {
	c, _ := n.Body.(*Node)
	return c
}

// BNOf returns the node's BN, nil if there is none (left).
func BNOf(n *layer.Node) *BN {
	switch b := n.Body.(type) {
	case *Node:
		return b.BN
	case *Lone:
		return b.BN
	}
	return nil
}

// Kind implements layer.Op.
func (Conv) Kind() *layer.Kind { return convKind }

// Node implements layer.Op.
func (a Conv) Node(in []layer.Source) (*layer.Node, error) {
	stride, dilation, groups := ones(a.Stride), ones(a.Dilation), max(a.Groups, 1)
	s := in[0].Shape
	if err := convArgs(a.OutC, a.Kernel, stride, dilation, s.C, groups); err != nil {
		return nil, err
	}
	at, err := layer.Placing{Kernel: a.Kernel, Stride: stride, Dilation: dilation, Padding: a.Padding, Pads: a.Pads, Auto: a.Auto}.On(s)
	if err != nil {
		return nil, err
	}
	g := kernel.Conv{
		H: s.H, W: s.W, C: s.C, OutC: a.OutC, OH: at.H, OW: at.W, KH: a.Kernel[0], KW: a.Kernel[1],
		StrideH: stride[0], StrideW: stride[1], PadTop: at.Pads[0], PadLeft: at.Pads[1],
		DilationH: dilation[0], DilationW: dilation[1], Groups: groups,
	}
	if g.OH < 1 || g.OW < 1 {
		return nil, layer.BadArg("Kernel", "a %d×%d kernel (dilation %d×%d, padding %d×%d) does not fit into an input of %v",
			g.KH, g.KW, g.DilationH, g.DilationW, g.PadTop, g.PadLeft, s)
	}
	return node(convKind, &Node{Geom: g, Bias: a.Bias})
}

// Kind implements layer.Op.
func (Conv1d) Kind() *layer.Kind { return convKind }

// Node implements layer.Op.
func (a Conv1d) Node(in []layer.Source) (*layer.Node, error) {
	if h := in[0].Shape.H; h != 1 {
		return nil, layer.BadOperand(in[0].Name, "", "its input %s has %d rows: a convolution with one dimension reads one; use Conv2d, or a Reshape to height = 1 in front of it", in[0].Name, h)
	}
	return Conv{
		OutC: a.OutC, Kernel: [2]int{1, a.Kernel}, Stride: [2]int{1, one(a.Stride)}, Padding: [2]int{0, a.Padding},
		Dilation: [2]int{1, one(a.Dilation)}, Groups: a.Groups, Bias: a.Bias,
	}.Node(in)
}

// convArgs checks what all convolutions have.
func convArgs(outC int, size, stride, dilation [2]int, channels, groups int) error {
	switch {
	case outC < 1:
		return layer.BadArg("OutC", "%d output channels", outC)
	case size[0] < 1 || size[1] < 1:
		return layer.BadArg("Kernel", "the kernel is %d×%d", size[0], size[1])
	case stride[0] < 1 || stride[1] < 1:
		return layer.BadArg("Stride", "the stride is %d×%d", stride[0], stride[1])
	case dilation[0] < 1 || dilation[1] < 1:
		return layer.BadArg("Dilation", "the dilation is %d×%d", dilation[0], dilation[1])
	case channels%groups != 0 || outC%groups != 0:
		return layer.BadArg("Groups", "%d groups divide neither or only one of %d input and %d output channels", groups, channels, outC)
	}
	return nil
}

func node(k *layer.Kind, c *Node) (*layer.Node, error) {
	g := &c.Geom
	out := tensor.Shape{H: g.OH, W: g.OW, C: g.OutC}
	n := &layer.Node{Kind: k, Shape: out, Origin: out, Body: c}
	if layer.Volume(g.OutC, g.KH, g.KW, g.C/g.Groups) > layer.MaxElements {
		return n, layer.BadArg("", "%d×%d×%d×%d weights are more than the %d that a node may have", g.OutC, g.C/g.Groups, g.KH, g.KW, int64(layer.MaxElements))
	}
	return n, nil
}

func one(v int) int {
	if v == 0 {
		return 1
	}
	return v
}

func ones(v [2]int) [2]int {
	if v == ([2]int{}) {
		return [2]int{1, 1}
	}
	return v
}

func shape(n *layer.Node, in []tensor.Shape) (tensor.Shape, error) {
	c := Of(n)
	g := &c.Geom
	out := tensor.Shape{H: g.OH, W: g.OW, C: g.OutC}
	switch {
	case (len(in) == 2) != c.Add:
		return out, fmt.Errorf("it has %d operands, and adds one: %t", len(in), c.Add)
	case c.Up != nil && in[0] != tensor.Shape{H: c.Up.H, W: c.Up.W, C: g.C}:
		return out, fmt.Errorf("its kernel is for %d×%d×%d", c.Up.H, c.Up.W, g.C)
	case c.Up == nil && in[0].WithN(1).Len() != g.H*g.W*g.C || c.Add && in[1] != out:
		return out, fmt.Errorf("its kernel is for %d×%d×%d", g.H, g.W, g.C)
	}
	return out, nil
}

// label is the op with its window, which tells convolutions apart.
func label(n *layer.Node) string {
	c, kind := &Of(n).Geom, n.Kind.Name
	switch {
	case c.Groups > 1 && c.Groups == c.C && Of(n).Up == nil:
		kind = "depthwise"
	case c.Groups > 1:
		kind = "grouped " + kind
	}
	stride := [2]int{c.StrideH, c.StrideW}
	if up := Of(n).Up; up != nil {
		stride = [2]int{up.StrideH, up.StrideW}
	}
	return layer.WindowLabel(kind, [2]int{c.KH, c.KW}, stride, [2]int{c.DilationH, c.DilationW})
}

func room(n *layer.Node, b *layer.Bench) layer.Room {
	c := Of(n)
	if n.Int8 {
		g := c.Geom
		g.N = b.Batch
		r := layer.Room{Scratch: b.Set.Conv(&g).Int8Room(&g), Block: n.RowRoom(), Bytes: int64(b.Set.Conv(&g).Int8PackSize(&g))}
		if c.Up != nil {
			r.Bytes += spread.Bytes(*c.Up, n, b)
		}
		return r
	}
	x, size := b.In[0], c.Geom.H*c.Geom.W*c.Geom.C
	exact := c.Weight.Quantized() && c.Geom.K() <= kernel.MaxProducts
	r := layer.Room{NoAcc: c.BN != nil && !b.Plain}
	r.Scratch, r.Block = c.Rooms(b.Set, b.Batch, b.Training)
	r.Bytes = c.ExecBytes(b.Set, b.Batch, b.Training, b.Observing || !exact || !x.Coded)
	switch {
	case !exact && x.Coded: // codes that meet a float32 weight, or too many of them for int32
		r.Operand = b.Batch * size
	case x.Remade && c.Up == nil: // what is spread is kept
		r.Operand = c.WholeOperand(b.Batch) * size
	}
	if c.Up != nil {
		r.Bytes += spread.Bytes(*c.Up, n, b)
	}
	if b.Training {
		r.Parts = c.PartsSize(b.Batch)
	}
	if b.Training && c.BN != nil { // the accumulators, which BN's backward pass reads
		r.Kept = b.Batch * n.Shape.WithN(1).Len()
	}
	return r
}

// convRunner binds an Exec to a bench.
type convRunner struct {
	*layer.Bench
	node *layer.Node
	exec *Exec
	up   *spread.Input // of a transposed convolution, else nil
	z    *grid.Value   // what is added, or nil
}

func newConv(n *layer.Node, b *layer.Bench) layer.Runner {
	r := &convRunner{Bench: b, node: n, exec: NewExec(Of(n), b.Machine, b.Batch, b.Training)}
	r.exec.Remakes = b.Remade
	if Of(n).Up != nil {
		r.up = spread.New(*Of(n).Up, n, b)
	}
	if len(b.In) > 1 {
		r.z = b.In[1].Value
	}
	return r
}

func (r *convRunner) Forward(n int, st grid.Step) grid.Value {
	r.exec.Out, r.exec.Codes, r.exec.Mask, r.exec.Acc = r.Out, r.Codes, r.Mask, r.Kept
	x := r.In[0].Value
	if r.up != nil {
		x = r.up.Spread(n)
	}
	return r.exec.Forward(n, st, x, r.z, &r.node.Quant)
}

func (r *convRunner) Backward(n int) {
	var dz grid.Grad
	if r.z != nil {
		dz = r.Gradient(1)
	}
	dx, dy := r.Gradient(0), r.Grad[:n*r.node.Shape.WithN(1).Len()]
	if r.up == nil || dx.Data == nil {
		r.exec.Backward(dy, dx, dz)
		return
	}
	r.exec.Backward(dy, grid.Grad{Data: r.up.Grad()}, dz)
	r.up.Gather(dx)
}
