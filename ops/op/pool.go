package op

import (
	"fmt"

	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// PoolArgs are the arguments of a pooling op. A zero Stride means the kernel's size;
// Padding is on both sides.
type PoolArgs struct {
	Kernel, Stride, Padding [2]int
	CountIncludePad         bool
}

// poolBody is a pooling window. Geom.N is 0.
type poolBody struct{ Geom kernel.Pool }

type poolAttrs struct {
	layer.Window
	CountPad bool `json:"count_include_pad,omitempty"`
}

// Clone implements Body.
func (p *poolBody) Clone() layer.Body { c := *p; return &c }

// Attrs implements Body.
func (p *poolBody) Attrs() []layer.Attr { return []layer.Attr{{Key: "pool", Value: p.attrs()}} }

func (p *poolBody) attrs() poolAttrs {
	g := &p.Geom
	return poolAttrs{CountPad: g.CountPad, Window: layer.Window{
		Input: layer.Extents{Height: g.H, Width: g.W, Channels: g.C}, Kernel: [2]int{g.KH, g.KW}, Stride: [2]int{g.StrideH, g.StrideW},
		Pads: [4]int{
			g.PadTop, g.PadLeft,
			layer.Behind(g.H, g.OH, g.KH, g.StrideH, 1, g.PadTop), layer.Behind(g.W, g.OW, g.KW, g.StrideW, 1, g.PadLeft),
		},
	}}
}

// Window implements Body.
func (p *poolBody) Window() string {
	g := p.Geom
	return fmt.Sprintf("a window of %d×%d, stride %d×%d, padding %d×%d, counted: %t", g.KH, g.KW, g.StrideH, g.StrideW, g.PadTop, g.PadLeft, g.CountPad)
}

// PoolGeom returns a pooling node's window for one image.
func PoolGeom(n *layer.Node) kernel.Pool { return n.Body.(*poolBody).Geom }

// NewPool returns the body of a pooling node with that window.
func NewPool(g kernel.Pool) layer.Body { return &poolBody{g} }

func restorePool(n *layer.Node, f layer.Fields) (layer.Body, error) {
	var a poolAttrs
	if err := f.Read("pool", &a); err != nil {
		return nil, err
	}
	if err := a.Check(); err != nil {
		return nil, err
	}
	if err := layer.CheckVolume(a.Kernel[:]...); err != nil {
		return nil, err
	}
	p := &poolBody{kernel.Pool{
		H: a.Input.Height, W: a.Input.Width, C: a.Input.Channels, OH: n.Shape.H, OW: n.Shape.W,
		KH: a.Kernel[0], KW: a.Kernel[1], StrideH: a.Stride[0], StrideW: a.Stride[1], PadTop: a.Pads[0], PadLeft: a.Pads[1],
		CountPad: a.CountPad,
	}}
	if p.attrs().Pads != a.Pads {
		return nil, layer.ErrPads
	}
	return p, nil
}

func poolShape(n *layer.Node, in []tensor.Shape) (tensor.Shape, error) {
	p := PoolGeom(n)
	if want := (tensor.Shape{H: p.H, W: p.W, C: p.C}); in[0] != want {
		return in[0], fmt.Errorf("its window is for %v", want)
	}
	return tensor.Shape{H: p.OH, W: p.OW, C: p.C}, nil
}

// pooling makes the node of a pooling op.
func pooling(k *layer.Kind, x layer.Source, a PoolArgs) (*layer.Node, error) {
	if a.Stride == ([2]int{}) {
		a.Stride = a.Kernel
	}
	s := x.Shape
	switch {
	case a.Kernel[0] < 1 || a.Kernel[1] < 1:
		return nil, layer.BadArg("Kernel", "the window is %d×%d", a.Kernel[0], a.Kernel[1])
	case a.Stride[0] < 1 || a.Stride[1] < 1:
		return nil, layer.BadArg("Stride", "the stride is %d×%d", a.Stride[0], a.Stride[1])
	case a.Padding[0] < 0 || a.Padding[1] < 0 || 2*a.Padding[0] > a.Kernel[0] || 2*a.Padding[1] > a.Kernel[1]:
		return nil, layer.BadArg("Padding", "the padding %d×%d is negative or more than half the window", a.Padding[0], a.Padding[1])
	}
	p := kernel.Pool{
		H: s.H, W: s.W, C: s.C, KH: a.Kernel[0], KW: a.Kernel[1], StrideH: a.Stride[0], StrideW: a.Stride[1],
		PadTop: a.Padding[0], PadLeft: a.Padding[1], CountPad: a.CountIncludePad,
	}
	p.OH, p.OW = layer.Places(s.H, p.KH, p.StrideH, p.PadTop, 1), layer.Places(s.W, p.KW, p.StrideW, p.PadLeft, 1)
	if p.OH < 1 || p.OW < 1 {
		return nil, layer.BadArg("Kernel", "a %d×%d window does not fit into an input of %v", p.KH, p.KW, s)
	}
	if layer.Volume(p.KH, p.KW) > layer.MaxElements {
		return nil, layer.BadArg("Kernel", "a window of %d×%d is more than the %d elements that a node may have", p.KH, p.KW, int64(layer.MaxElements))
	}
	out := tensor.Shape{H: p.OH, W: p.OW, C: s.C}
	return &layer.Node{Kind: k, Shape: out, Origin: out, Body: &poolBody{p}}, nil
}

// poolBack is the room for the gradient of an operand that others read too.
func poolBack(b *layer.Bench) int {
	if !b.Training || !b.In[0].Shared {
		return 0
	}
	return b.Batch * b.In[0].Shape.WithN(1).Len()
}
