package convbn

import (
	"fmt"

	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/spread"
	"qpipe/ops/tensor"
)

// ConvTranspose is a transposed convolution, PyTorch's ConvTranspose2d: the gradient of a convolution, used as an op of its own.
// Every element of the input adds its kernel to the output, Stride apart.
//
// It is computed as a convolution with stride 1 of the input whose pixels are spread Stride apart, zeros between them, with the
// kernel turned by half a turn. So everything else that a convolution has, from the fused BN to the int8 form, is the same
// code, and the weights in memory have their output channels first as all others. Only files have PyTorch's order.
type ConvTranspose struct {
	OutC          int
	Kernel        [2]int
	Stride        [2]int // zero means 1
	Padding       [2]int // cut off from both sides of the output
	Pads          [4]int // instead: top, left, bottom, right
	OutputPadding [2]int // added to the output's far sides
	Dilation      [2]int // zero means 1
	Groups        int    // zero means 1
	Bias          bool
}

var transposeKind = weighted(layer.Kind{Name: "conv_transpose", Restore: restoreTranspose, Label: label})

// Kind implements layer.Op.
func (ConvTranspose) Kind() *layer.Kind { return transposeKind }

// Node implements layer.Op.
func (a ConvTranspose) Node(in []layer.Source) (*layer.Node, error) {
	stride, dilation, groups := ones(a.Stride), ones(a.Dilation), max(a.Groups, 1)
	s := in[0].Shape
	err := convArgs(a.OutC, a.Kernel, stride, dilation, s.C, groups)
	if err != nil {
		return nil, err
	}
	at, err := layer.Placing{Kernel: a.Kernel, Stride: stride, Dilation: dilation, Padding: a.Padding, Pads: a.Pads}.On(s)
	if err != nil {
		return nil, err
	}
	for i, o := range a.OutputPadding {
		if o < 0 || o >= max(stride[i], dilation[i]) {
			return nil, layer.BadArg("OutputPadding", "the output padding is %d×%d; it is less than the stride or the dilation", a.OutputPadding[0], a.OutputPadding[1])
		}
		if front := at.Pads[i]; front > (a.Kernel[i]-1)*dilation[i] {
			return nil, layer.BadArg("Padding", "the padding %d cuts off more than a kernel of %d adds", front, a.Kernel[i])
		}
	}
	if layer.Volume(s.H, stride[0], s.W, stride[1], s.C) > layer.MaxElements {
		return nil, layer.BadArg("Stride", "%v with a stride of %d×%d is more than the %d values that a node may have", s, stride[0], stride[1], int64(layer.MaxElements))
	}
	t := transposed{Kernel: a.Kernel, Stride: stride, Dilation: dilation, Group: groups, Front: [2]int{at.Pads[0], at.Pads[1]}}
	g, up := t.geometry(s.H, s.W, s.C, a.OutC)
	g.OH = g.H + g.PadTop - at.Pads[2] + a.OutputPadding[0]
	g.OW = g.W + g.PadLeft - at.Pads[3] + a.OutputPadding[1]
	if g.OH < 1 || g.OW < 1 {
		return nil, layer.BadArg("Padding", "the padding %s cuts off the whole output", tensor.List(at.Pads[:]...))
	}
	return node(transposeKind, &Node{Geom: g, Up: up, Bias: a.Bias})
}

// transposed is a transposed convolution as its arguments have it; Front is the padding at the top and at the left.
type transposed struct {
	Kernel, Stride, Dilation, Front [2]int
	Group                           int
}

// geometry is the convolution that computes it, without OH and OW, and how its input is spread.
func (t *transposed) geometry(h, w, c, outC int) (kernel.Conv, *spread.Pixels) {
	up := &spread.Pixels{H: h, W: w, StrideH: t.Stride[0], StrideW: t.Stride[1]}
	return kernel.Conv{
		H: up.Height(), W: up.Width(), C: c, OutC: outC, KH: t.Kernel[0], KW: t.Kernel[1], StrideH: 1, StrideW: 1,
		PadTop:    (t.Kernel[0]-1)*t.Dilation[0] - t.Front[0],
		PadLeft:   (t.Kernel[1]-1)*t.Dilation[1] - t.Front[1],
		DilationH: t.Dilation[0], DilationW: t.Dilation[1], Groups: t.Group,
	}, up
}

// transposed is what a structure has of a transposed convolution, computed from its convolution: of the padding behind and the
// output padding, only their difference matters.
func (n *Node) transposed() (w layer.Window, output [2]int) {
	p, up := &n.Geom, n.Up
	w = layer.Window{
		Input: layer.Extents{Height: up.H, Width: up.W, Channels: p.C}, Kernel: [2]int{p.KH, p.KW}, Stride: [2]int{up.StrideH, up.StrideW},
		Pads: [4]int{(p.KH-1)*p.DilationH - p.PadTop, (p.KW-1)*p.DilationW - p.PadLeft},
	}
	for i, behind := range [2]int{p.H + p.PadTop - p.OH, p.W + p.PadLeft - p.OW} {
		w.Pads[2+i], output[i] = max(behind, 0), max(-behind, 0)
	}
	return w, output
}

// restoreTranspose makes the body of a transposed convolution.
func restoreTranspose(n *layer.Node, f layer.Fields) (layer.Body, error) {
	a, err := readConv(n, f)
	if err != nil {
		return nil, err
	}
	in := a.Input
	if err := layer.CheckVolume(in.Height, a.Stride[0], in.Width, a.Stride[1], in.Channels); err != nil {
		return nil, err
	}
	t := transposed{a.Kernel, a.Stride, a.Dilation, [2]int{a.Pads[0], a.Pads[1]}, a.Group}
	g, up := t.geometry(in.Height, in.Width, in.Channels, n.Shape.C)
	g.OH, g.OW = n.Shape.H, n.Shape.W
	for i, o := range a.OutputPadding {
		if o >= max(a.Stride[i], a.Dilation[i]) {
			return nil, layer.ErrPads
		}
	}
	if g.PadTop < 0 || g.PadLeft < 0 {
		return nil, layer.ErrPads
	}
	return a.body(n, f, &Node{Geom: g, Up: up})
}

// windowTranspose describes how the node lies on its operand.
func (n *Node) windowTranspose() string {
	w, _ := n.transposed()
	p := &n.Geom
	return fmt.Sprintf("a transposed kernel of %d×%d, stride %d×%d, padding %d×%d, dilation %d×%d, %d groups",
		p.KH, p.KW, n.Up.StrideH, n.Up.StrideW, w.Pads[0], w.Pads[1], p.DilationH, p.DilationW, p.Groups)
}
