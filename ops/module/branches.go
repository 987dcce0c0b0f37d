package module

import (
	"qpipe/ops/layer"
	"qpipe/ops/move"
	"qpipe/ops/nn"
)

// ShuffleUnit is the unit of ShuffleNetV2 (Ma et al. 2018, figure 3 c and d). At stride 1, one half of the channels passes
// (name.split.0) and the other goes through name.branch2: a 1×1 ConvModule2d, a depthwise 3×3 one without activation, and a 1×1
// one. At another stride, all channels go through branch2 and through name.branch1, a depthwise convolution and a 1×1 one. Both halves are
// joined (name.concat) and their channels mixed (name.shuffle).
type ShuffleUnit struct {
	OutC   int
	Stride int
	Act    layer.Op
	Norm   Norm
}

// Add appends the unit to the graph and returns its output.
func (u ShuffleUnit) Add(b *nn.Builder, name string, x nn.Value) nn.Value {
	c := x.Shape().C
	switch {
	case b.Err() != nil:
		return nn.Value{}
	case u.OutC%2 != 0:
		return b.Fail(name, "%w", layer.BadArg("OutC", "%d is odd, and the channels are divided into two halves", u.OutC))
	case u.Stride == 1 && c != u.OutC:
		return b.Fail(name, "%w", layer.BadArg("OutC", "at stride 1 it gives as many channels as it reads, which are %d, not %d", c, u.OutC))
	}
	half, first, second := u.OutC/2, x, x
	if u.Stride == 1 {
		parts := b.Split(name+".split", x, 2, half, half)
		first, second = parts[0], parts[1]
	} else {
		first = Depthwise(c, 3, u.Stride, nil, u.Norm).Add(b, name+".branch1.depthwise", first)
		first = Conv(half, 1, 1, u.Act, u.Norm).Add(b, name+".branch1.project", first)
	}
	second = Conv(half, 1, 1, u.Act, u.Norm).Add(b, name+".branch2.expand", second)
	second = Depthwise(half, 3, u.Stride, nil, u.Norm).Add(b, name+".branch2.depthwise", second)
	second = Conv(half, 1, 1, u.Act, u.Norm).Add(b, name+".branch2.project", second)
	return b.Apply(name+".shuffle", move.ChannelShuffle{Groups: 2}, b.Concat(name+".concat", first, second))
}

// FireModule is the module of SqueezeNet (Iandola et al. 2016, figure 1): a 1×1 convolution to Squeeze channels (name.squeeze), which
// a 1×1 convolution (name.expand1x1) and a 3×3 one (name.expand3x3) read; their outputs are joined (name.concat). Every
// convolution has an activation; BN is left out where Plain.
type FireModule struct {
	Squeeze, Expand1, Expand3 int
	Plain                     bool
	Act                       layer.Op
	Norm                      Norm
}

// Add appends the module to the graph and returns its output.
func (f FireModule) Add(b *nn.Builder, name string, x nn.Value) nn.Value {
	unit := func(name string, x nn.Value, outC, kernel int) nn.Value {
		m := Conv(outC, kernel, 1, f.Act, f.Norm)
		m.Plain, m.Conv.Bias = f.Plain, f.Plain
		return m.Add(b, name, x)
	}
	x = unit(name+".squeeze", x, f.Squeeze, 1)
	return b.Concat(name+".concat", unit(name+".expand1x1", x, f.Expand1, 1), unit(name+".expand3x3", x, f.Expand3, 3))
}
