package module

import (
	"qpipe/ops/convbn"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
)

// SeparableConvModule2d is a depthwise convolution and a 1×1 convolution behind it, each with BN and activation
// (Howard et al. 2017, figure 3 right): name.dw and name.pw.
type SeparableConvModule2d struct {
	Conv         convbn.Conv // of the depthwise convolution; OutC is the module's number of channels
	DwAct, PwAct layer.Op    // nil for none
	Norm         Norm
}

// Add appends the module to the graph and returns its output.
func (m SeparableConvModule2d) Add(b *nn.Builder, name string, x nn.Value) nn.Value {
	g := SeparableGroupConvModule2d{Conv: m.Conv, PwC: m.Conv.OutC, DwAct: m.DwAct, PwAct: m.PwAct, Norm: m.Norm}
	g.Conv.OutC, g.Conv.Groups = x.Shape().C, x.Shape().C
	return g.Add(b, name, x)
}

// SeparableGroupConvModule2d is a group convolution to Conv.OutC channels and a 1×1 convolution to PwC, each with BN and
// activation: name.dw and name.pw.
type SeparableGroupConvModule2d struct {
	Conv         convbn.Conv
	PwC          int
	DwAct, PwAct layer.Op // nil for none
	Norm         Norm
}

// Add appends the module to the graph and returns its output.
func (m SeparableGroupConvModule2d) Add(b *nn.Builder, name string, x nn.Value) nn.Value {
	x = ConvModule2d{Conv: m.Conv, Act: m.DwAct, Norm: m.Norm}.Add(b, name+".dw", x)
	return Conv(m.PwC, 1, 1, m.PwAct, m.Norm).Add(b, name+".pw", x)
}

// BasicVarGBlock is the block of VarGNet (Zhang et al. 2019, section 3.2): two SeparableGroupConvModule2d whose groups
// have GroupBase channels each, however many channels there are, and which widen the map Factor times in between. The
// second one (name.conv2) has no activation and is added to the input, in front of the last activation. Where the shape
// changes, the input goes through a module of the same kind (name.downsample). With Merge, the first one has a
// twin (name.branch), and their sum is what the second one reads.
type BasicVarGBlock struct {
	MidC, OutC int
	Kernel     int
	Stride     int // of the first convolution, its twin and the downsample
	Factor     int
	GroupBase  int
	Merge      bool
	Act        layer.Op
	Norm       Norm
}

// Add appends the block to the graph and returns its output. The second convolution is added last, so that the addition
// and the activation are fused into its node.
func (v BasicVarGBlock) Add(b *nn.Builder, name string, x nn.Value) nn.Value {
	for _, c := range []int{x.Shape().C, v.MidC} {
		if b.Err() == nil && c%v.GroupBase != 0 {
			return b.Fail(name, "%w", layer.BadArg("GroupBase", "one of its convolutions reads a map of depth %d, which cannot be divided into groups of %d", c, v.GroupBase))
		}
	}
	short := x
	if v.Stride != 1 || x.Shape().C != v.OutC {
		short = v.separable(x, v.OutC, v.Stride, nil).Add(b, name+".downsample", x)
	}
	y := v.first(b, name, x)
	y = v.separable(y, v.OutC, 1, nil).Add(b, name+".conv2", y)
	return b.Apply(name+".act", v.Act, b.Add(name+".add", y, short))
}

// first is the first module, with its twin where there is one.
func (v BasicVarGBlock) first(b *nn.Builder, name string, x nn.Value) nn.Value {
	if !v.Merge {
		return v.separable(x, v.MidC, v.Stride, v.Act).Add(b, name+".conv1", x)
	}
	y := v.separable(x, v.MidC, v.Stride, nil).Add(b, name+".conv1", x)
	z := v.separable(x, v.MidC, v.Stride, nil).Add(b, name+".branch", x)
	return b.Apply(name+".merged.act", v.Act, b.Add(name+".merged", y, z))
}

// separable is the module for a map x.
func (v BasicVarGBlock) separable(x nn.Value, outC, stride int, act layer.Op) SeparableGroupConvModule2d {
	c := x.Shape().C
	conv := Conv(c*v.Factor, v.Kernel, stride, nil, v.Norm).Conv
	conv.Groups = c / v.GroupBase
	return SeparableGroupConvModule2d{Conv: conv, PwC: outC, DwAct: v.Act, PwAct: act, Norm: v.Norm}
}
