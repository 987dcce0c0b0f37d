package module

import (
	"qpipe/ops/arith"
	"qpipe/ops/convbn"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
)

// SEBlock multiplies every channel by a number that follows from the means of all channels (squeeze-and-excitation, Hu et
// al. 2018, figure 2): the mean (name.pool), a 1×1 convolution to Squeeze channels (name.fc1) with an activation (name.act), and
// another (name.fc2) with the gate (name.gate), by which the input is multiplied (name.mul).
type SEBlock struct {
	Squeeze   int
	Act, Gate layer.Op
}

// Add appends the block to the graph and returns its output.
func (s SEBlock) Add(b *nn.Builder, name string, x nn.Value) nn.Value {
	y := b.GlobalAvgPool(name+".pool", x)
	y = b.Apply(name+".act", s.Act, pixelwise(b, name+".fc1", y, s.Squeeze))
	y = b.Apply(name+".gate", s.Gate, pixelwise(b, name+".fc2", y, x.Shape().C))
	return b.Apply(name+".mul", arith.Mul{}, x, y)
}

// pixelwise is a 1×1 convolution with bias.
func pixelwise(b *nn.Builder, name string, x nn.Value, outC int) nn.Value {
	return b.Conv(name, x, convbn.Conv{OutC: outC, Kernel: [2]int{1, 1}, Bias: true})
}

// MBConv is the inverted residual of EfficientNet and MobileNetV3 (Tan and Le 2019; Howard et al. 2019, figure 4): a 1×1
// ConvModule2d to MidC channels (name.expand, left out where the input has as many), a depthwise one, an SEBlock (name.se, left out
// where Squeeze is 0), and a 1×1 ConvModule2d without an activation (name.project), which is added to the input if the
// shape is the same.
type MBConv struct {
	MidC, OutC int
	Kernel     int // of the depthwise convolution
	Stride     int // of the depthwise convolution
	Act        layer.Op
	Squeeze    int // channels in the SEBlock
	SqueezeAct layer.Op
	Gate       layer.Op
	Norm       Norm
}

// Add appends the block to the graph and returns its output.
func (m MBConv) Add(b *nn.Builder, name string, x nn.Value) nn.Value {
	y := x
	if m.MidC != x.Shape().C {
		y = Conv(m.MidC, 1, 1, m.Act, m.Norm).Add(b, name+".expand", y)
	}
	y = Depthwise(m.MidC, m.Kernel, m.Stride, m.Act, m.Norm).Add(b, name+".depthwise", y)
	if m.Squeeze > 0 {
		y = SEBlock{Squeeze: m.Squeeze, Act: m.SqueezeAct, Gate: m.Gate}.Add(b, name+".se", y)
	}
	y = Conv(m.OutC, 1, 1, nil, m.Norm).Add(b, name+".project", y)
	if m.Stride != 1 || x.Shape().C != m.OutC {
		return y
	}
	return b.Add(name+".add", y, x)
}
