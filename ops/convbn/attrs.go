package convbn

import (
	"fmt"
	"math"

	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// convAttrs and bnAttrs are the attributes as structures have them.
type convAttrs struct {
	layer.Window
	Dilation [2]int      `json:"dilations"`
	Group    int         `json:"group"`
	Bias     bool        `json:"bias,omitempty"`
	Add      bool        `json:"add,omitempty"`
	Frozen   bool        `json:"frozen_weight_scale,omitempty"`
	Weight   *quant.Spec `json:"weight_quant,omitempty"`

	OutputPadding [2]int `json:"output_padding,omitzero"` // of a transposed convolution
}

type bnAttrs struct {
	Name     string  `json:"name"`
	Eps      float64 `json:"eps"`
	Momentum float64 `json:"momentum"`
	Frozen   bool    `json:"frozen,omitempty"`
}

// Attrs implements layer.Body.
func (n *Node) Attrs() []layer.Attr {
	a := []layer.Attr{{Key: "conv", Value: n.attrs()}}
	if n.BN != nil {
		a = append(a, n.BN.attr())
	}
	return a
}

func (n *Node) attrs() convAttrs {
	p := &n.Geom
	a := convAttrs{Dilation: [2]int{p.DilationH, p.DilationW}, Group: p.Groups, Bias: n.Bias, Add: n.Add, Frozen: n.Frozen}
	if n.Up != nil {
		a.Window, a.OutputPadding = n.transposed()
	} else {
		a.Window = layer.Window{
			Input: layer.Extents{Height: p.H, Width: p.W, Channels: p.C}, Kernel: [2]int{p.KH, p.KW}, Stride: [2]int{p.StrideH, p.StrideW},
			Pads: [4]int{
				p.PadTop, p.PadLeft,
				layer.Behind(p.H, p.OH, p.KH, p.StrideH, p.DilationH, p.PadTop), layer.Behind(p.W, p.OW, p.KW, p.StrideW, p.DilationW, p.PadLeft),
			},
		}
	}
	if n.Weight.Quantized() {
		a.Weight = &n.Weight
	}
	return a
}

func (b *BN) attr() layer.Attr {
	return layer.Attr{Key: "bn", Value: bnAttrs{b.Name, b.Eps, b.Momentum, b.Frozen}}
}

// restore makes the body of a convolution or a linear layer.
func restore(n *layer.Node, f layer.Fields, linear bool) (layer.Body, error) {
	a, err := readConv(n, f)
	if err != nil {
		return nil, err
	}
	return a.body(n, f, &Node{Linear: linear, Geom: kernel.Conv{
		H: a.Input.Height, W: a.Input.Width, C: a.Input.Channels, OutC: n.Shape.C, OH: n.Shape.H, OW: n.Shape.W,
		KH: a.Kernel[0], KW: a.Kernel[1], StrideH: a.Stride[0], StrideW: a.Stride[1], PadTop: a.Pads[0], PadLeft: a.Pads[1],
		DilationH: a.Dilation[0], DilationW: a.Dilation[1], Groups: a.Group,
	}})
}

// readConv reads the attributes and checks each by itself.
func readConv(n *layer.Node, f layer.Fields) (*convAttrs, error) {
	var a convAttrs
	if err := f.Read("conv", &a); err != nil {
		return nil, err
	}
	return &a, a.check(n.Shape)
}

// body completes the node c, whose geometry follows from the attributes.
func (a *convAttrs) body(n *layer.Node, f layer.Fields, c *Node) (layer.Body, error) {
	c.Act, c.Add, c.Bias, c.Frozen = n.Act, a.Add, a.Bias, a.Frozen
	if a.Weight != nil {
		c.Weight = *a.Weight
	}
	if is := c.attrs(); is.Pads != a.Pads || is.OutputPadding != a.OutputPadding {
		return nil, layer.ErrPads
	}
	var err error
	if f.Has("bn") {
		c.BN, err = restoreBN(n.Shape.C, f)
	}
	return c, err
}

// check refuses what no builder would have made.
func (a *convAttrs) check(out tensor.Shape) error {
	if err := a.Check(); err != nil {
		return err
	}
	if err := layer.CheckExtents([]int{a.Dilation[0], a.Dilation[1], a.Group}, nil); err != nil {
		return err
	}
	if a.Input.Channels%a.Group != 0 || out.C%a.Group != 0 {
		return fmt.Errorf("%d groups do not divide its channels", a.Group)
	}
	return layer.CheckVolume(out.C, a.Kernel[0], a.Kernel[1], a.Input.Channels/a.Group)
}

func restoreBN(channels int, f layer.Fields) (*BN, error) {
	var a bnAttrs
	if err := f.Read("bn", &a); err != nil {
		return nil, err
	}
	if a.Name == "" {
		return nil, fmt.Errorf("its BN has no name")
	}
	return &BN{Name: a.Name, C: channels, Eps: a.Eps, Momentum: a.Momentum, Frozen: a.Frozen}, nil
}

// Window implements layer.Body.
func (n *Node) Window() string {
	if n.Up != nil {
		return n.windowTranspose()
	}
	p := &n.Geom
	return fmt.Sprintf("a kernel of %d×%d, stride %d×%d, padding %d×%d, dilation %d×%d, %d groups",
		p.KH, p.KW, p.StrideH, p.StrideW, p.PadTop, p.PadLeft, p.DilationH, p.DilationW, p.Groups)
}

// Slots implements layer.Params.
func (n *Node) Slots(name string) []layer.Slot {
	p := &n.Geom
	weight := layer.Slot{Name: name + ".weight", Shape: []int{p.OutC, p.C / p.Groups, p.KH, p.KW}, Geom: p}
	switch {
	case n.Linear:
		weight.Shape = []int{p.OutC, p.K()}
	case n.Up != nil:
		weight.Shape, weight.Turned = []int{p.C, p.OutC / p.Groups, p.KH, p.KW}, true
	}
	channels := []int{p.OutC}
	bias := layer.Slot{Name: name + ".bias", Shape: channels, What: "bias", Param: &n.B}
	if q := n.Int8; q != nil {
		weight.I8 = &q.W
		s := []layer.Slot{weight, {Name: name + ".weight_scale", Shape: channels, F32: &q.WScale}}
		if !n.Island {
			bias = layer.Slot{Name: bias.Name, Shape: channels, I32: &q.Bias}
		}
		if n.Bias {
			s = append(s, bias)
		}
		return s
	}
	weight.What, weight.Param = "weight", &n.W
	s := []layer.Slot{weight}
	if n.Bias {
		s = append(s, bias)
	}
	if n.Weight.Quantized() {
		s = append(s, layer.Slot{Name: name + ".weight_quant.scale", Shape: []int{n.Scales()}, What: "weight scale", Derived: true, F32: &n.WScale})
	}
	if n.BN != nil {
		s = append(s, n.BN.slots()...)
	}
	return s
}

func (b *BN) slots() []layer.Slot {
	shape := []int{b.C}
	const trained, state = "BN weight or bias", "BN's running mean or variance"
	return []layer.Slot{
		{Name: b.Name + ".weight", Shape: shape, What: trained, Param: &b.Gamma},
		{Name: b.Name + ".bias", Shape: shape, What: trained, Param: &b.Beta},
		{Name: b.Name + ".running_mean", Shape: shape, What: state, F32: &b.Mean},
		{Name: b.Name + ".running_var", Shape: shape, What: state, F32: &b.Var},
	}
}

// Init implements layer.Params: Kaiming normal (fan in) for convolutions, variance 1/in for linear
// layers, zero biases. An output of a transposed convolution sees a part of the kernel, one in as many as its strides' product.
func (n *Node) Init(normal func() float64) {
	if n.Int8 != nil {
		return
	}
	gain := 2.0
	if n.Linear {
		gain = 1
	}
	if n.Up != nil {
		gain *= float64(n.Up.StrideH * n.Up.StrideW)
	}
	std := math.Sqrt(gain / float64(n.Geom.K()))
	w := make([]float32, len(n.W.Data))
	for i := range w {
		w[i] = float32(normal() * std)
	}
	s := layer.Slot{Geom: &n.Geom, Turned: n.Up != nil}
	s.FromFile(w, n.W.Data)
	n.Update()
}
