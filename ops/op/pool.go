package op

import (
	"errors"
	"fmt"

	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// PoolArgs are the arguments of a pooling op. A zero Stride means the kernel's size.
type PoolArgs struct {
	Kernel, Stride  [2]int
	Padding         [2]int // on both sides
	Pads            [4]int // instead: top, left, bottom, right
	Auto            string // instead: "same_upper", "same_lower" or "valid", as in ONNX
	Ceil            bool   // the last window may reach beyond the padding, as in PyTorch's ceil_mode
	Dilation        [2]int // of max pools; zero means 1
	CountIncludePad bool   // of averages: divide by the number of elements in the padded image, not in the image
}

// poolBody is a pooling window. Geom.N is 0.
type poolBody struct{ Geom kernel.Pool }

type poolAttrs struct {
	layer.Window
	Dilation [2]int `json:"dilations,omitzero"`
	CountPad bool   `json:"count_include_pad,omitempty"`
	Overhang [2]int `json:"overhang,omitzero"`
}

// Clone implements Body.
func (p *poolBody) Clone() layer.Body { c := *p; return &c }

// Attrs implements Body.
func (p *poolBody) Attrs() []layer.Attr { return []layer.Attr{{Key: "pool", Value: p.attrs()}} }

func (p *poolBody) attrs() poolAttrs {
	g := &p.Geom
	dh, dw := g.Dilation()
	a := poolAttrs{CountPad: g.CountPad, Overhang: [2]int{g.OverhangH, g.OverhangW}, Window: layer.Window{
		Input: layer.Extents{Height: g.H, Width: g.W, Channels: g.C}, Kernel: [2]int{g.KH, g.KW}, Stride: [2]int{g.StrideH, g.StrideW},
		Pads: [4]int{
			g.PadTop, g.PadLeft,
			layer.Behind(g.H, g.OH, g.KH, g.StrideH, dh, g.PadTop), layer.Behind(g.W, g.OW, g.KW, g.StrideW, dw, g.PadLeft),
		},
	}}
	if dh*dw > 1 {
		a.Dilation = [2]int{dh, dw}
	}
	return a
}

// poolLabel is the op with its window; a single window has no stride.
func poolLabel(n *layer.Node) string {
	g := &n.Body.(*poolBody).Geom
	dh, dw := g.Dilation()
	stride := [2]int{g.StrideH, g.StrideW}
	if g.OH*g.OW == 1 {
		stride = [2]int{1, 1}
	}
	return layer.WindowLabel(n.Kind.Name, [2]int{g.KH, g.KW}, stride, [2]int{dh, dw})
}

// Window implements Body.
func (p *poolBody) Window() string {
	g := p.Geom
	s := fmt.Sprintf("a window of %d×%d, stride %d×%d, padding %d×%d, counted: %t", g.KH, g.KW, g.StrideH, g.StrideW, g.PadTop, g.PadLeft, g.CountPad)
	if dh, dw := g.Dilation(); dh*dw > 1 {
		s += fmt.Sprintf(", dilation %d×%d", dh, dw)
	}
	if g.OverhangH+g.OverhangW > 0 {
		s += fmt.Sprintf(", less %d×%d", g.OverhangH, g.OverhangW)
	}
	return s
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
	if err := a.check(n.Kind.Output != layer.Passes); err != nil {
		return nil, err
	}
	p := &poolBody{kernel.Pool{
		H: a.Input.Height, W: a.Input.Width, C: a.Input.Channels, OH: n.Shape.H, OW: n.Shape.W,
		KH: a.Kernel[0], KW: a.Kernel[1], StrideH: a.Stride[0], StrideW: a.Stride[1], PadTop: a.Pads[0], PadLeft: a.Pads[1],
		DilationH: max(a.Dilation[0], 1), DilationW: max(a.Dilation[1], 1), CountPad: a.CountPad, OverhangH: a.Overhang[0], OverhangW: a.Overhang[1],
	}}
	if p.attrs() != a || !seesAll(&p.Geom) {
		return nil, layer.ErrPads
	}
	return p, nil
}

// check refuses what no builder would have made; average tells the pools that compute from those that choose.
func (a *poolAttrs) check(average bool) error {
	if err := a.Check(); err != nil {
		return err
	}
	if a.Dilation != [2]int{} {
		if average {
			return errDilation
		}
		if err := layer.CheckExtents(a.Dilation[:], nil); err != nil {
			return err
		}
	}
	for i, o := range a.Overhang {
		if o < 0 || o > 0 && (!a.CountPad || o >= min(a.Stride[i], a.Kernel[i]) || o > a.Pads[2+i]) {
			return layer.ErrPads
		}
	}
	return layer.CheckVolume(a.Kernel[:]...)
}

var errDilation = errors.New("an average has no dilation")

// seesAll reports whether every window has an element of the image.
func seesAll(p *kernel.Pool) bool {
	dh, dw := p.Dilation()
	return sees(p.OH, p.StrideH, p.PadTop, dh, p.KH, p.H) && sees(p.OW, p.StrideW, p.PadLeft, dw, p.KW, p.W)
}

func sees(places, stride, pad, dilation, k, limit int) bool {
	for i := range places {
		if lo, hi := kernel.Window(i*stride-pad, dilation, k, limit); lo == hi {
			return false
		}
	}
	return true
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
	if a.Dilation == ([2]int{}) {
		a.Dilation = [2]int{1, 1}
	}
	s := x.Shape
	switch {
	case a.Kernel[0] < 1 || a.Kernel[1] < 1:
		return nil, layer.BadArg("Kernel", "the window is %d×%d", a.Kernel[0], a.Kernel[1])
	case a.Stride[0] < 1 || a.Stride[1] < 1:
		return nil, layer.BadArg("Stride", "the stride is %d×%d", a.Stride[0], a.Stride[1])
	case a.Dilation[0] < 1 || a.Dilation[1] < 1:
		return nil, layer.BadArg("Dilation", "the dilation is %d×%d", a.Dilation[0], a.Dilation[1])
	case k.Output == layer.Own && a.Dilation != [2]int{1, 1}:
		return nil, layer.BadArg("Dilation", "%s has no dilation", k.Name)
	case a.Padding[0] < 0 || a.Padding[1] < 0 || 2*a.Padding[0] > a.reach(0) || 2*a.Padding[1] > a.reach(1):
		return nil, layer.BadArg("Padding", "the padding %d×%d is negative or more than half the window", a.Padding[0], a.Padding[1])
	}
	at, err := layer.Placing{
		Kernel: a.Kernel, Stride: a.Stride, Dilation: a.Dilation, Padding: a.Padding, Pads: a.Pads, Auto: a.Auto, Ceil: a.Ceil,
	}.On(s)
	if err != nil {
		return nil, err
	}
	p := kernel.Pool{
		H: s.H, W: s.W, C: s.C, OH: at.H, OW: at.W, KH: a.Kernel[0], KW: a.Kernel[1], StrideH: a.Stride[0], StrideW: a.Stride[1],
		PadTop: at.Pads[0], PadLeft: at.Pads[1], DilationH: a.Dilation[0], DilationW: a.Dilation[1], CountPad: a.CountIncludePad,
	}
	if p.CountPad {
		p.OverhangH, p.OverhangW = at.Overhang[0], at.Overhang[1]
	}
	switch {
	case p.OH < 1 || p.OW < 1:
		return nil, layer.BadArg("Kernel", "a %d×%d window does not fit into an input of %v", p.KH, p.KW, s)
	case layer.Volume(p.KH, p.KW) > layer.MaxElements:
		return nil, layer.BadArg("Kernel", "a window of %d×%d is more than the %d elements that a node may have", p.KH, p.KW, int64(layer.MaxElements))
	case !seesAll(&p):
		return nil, layer.BadArg("Pads", "a window of %d×%d sees nothing but padding", p.KH, p.KW)
	}
	out := tensor.Shape{H: p.OH, W: p.OW, C: s.C}
	return &layer.Node{Kind: k, Shape: out, Origin: out, Body: &poolBody{p}}, nil
}

// reach is how many elements of an axis a window covers.
func (a *PoolArgs) reach(axis int) int { return (a.Kernel[axis]-1)*a.Dilation[axis] + 1 }

// poolBack is the room for the gradient of an operand that others read too.
func poolBack(b *layer.Bench) int {
	if !b.Training || !b.In[0].Shared {
		return 0
	}
	return b.Batch * b.In[0].Shape.WithN(1).Len()
}
