package module

import (
	"qpipe/ops/layer"
	"qpipe/ops/nn"
)

// BasicResBlock is the residual block of ResNet-18 and ResNet-34 (He et al.
// 2015, figure 5 left): two 3×3 ConvModule2d, the second one added to the
// block's input before its activation. Where the shape changes, the input goes
// through a 1×1 convolution with BN (name.downsample).
type BasicResBlock struct {
	OutC   int
	Stride int // of the first convolution and of the downsample
	Act    layer.Op
	Norm   Norm
}

// Add appends the block to the graph and returns its output. The second convolution is added last, so that the addition
// and the activation are fused into its node.
func (r BasicResBlock) Add(b *nn.Builder, name string, x nn.Value) nn.Value {
	y := Conv(r.OutC, 3, r.Stride, r.Act, r.Norm).Add(b, name+".conv1", x)
	short := shortcut(b, name, x, r.OutC, r.Stride, r.Norm)
	y = Conv(r.OutC, 3, 1, nil, r.Norm).Add(b, name+".conv2", y)
	return b.Apply(name+".act", r.Act, b.Add(name+".add", y, short))
}

// BottleNeck is the residual block of ResNet-50 and deeper (He et al. 2015,
// figure 5 right): a 1×1 ConvModule2d to MidC channels, a 3×3 one, which has
// the stride (torchvision's choice), and a 1×1 one to four times MidC, which is
// added to the block's input before its activation. Where the shape changes, the
// input goes through a 1×1 convolution with BN (name.downsample).
type BottleNeck struct {
	MidC   int
	Stride int // of the 3×3 convolution and of the downsample
	Act    layer.Op
	Norm   Norm
}

// bottleneckExpansion is how many times MidC a bottleneck's output channels are.
const bottleneckExpansion = 4

// Add appends the block to the graph and returns its output. The last convolution is added last, so that the addition
// and the activation are fused into its node.
func (r BottleNeck) Add(b *nn.Builder, name string, x nn.Value) nn.Value {
	outC := bottleneckExpansion * r.MidC
	y := Conv(r.MidC, 1, 1, r.Act, r.Norm).Add(b, name+".conv1", x)
	y = Conv(r.MidC, 3, r.Stride, r.Act, r.Norm).Add(b, name+".conv2", y)
	short := shortcut(b, name, x, outC, r.Stride, r.Norm)
	y = Conv(outC, 1, 1, nil, r.Norm).Add(b, name+".conv3", y)
	return b.Apply(name+".act", r.Act, b.Add(name+".add", y, short))
}

// shortcut is a block's input, through a convolution where the block changes its shape.
func shortcut(b *nn.Builder, name string, x nn.Value, outC, stride int, n Norm) nn.Value {
	if stride == 1 && x.Shape().C == outC {
		return x
	}
	return Conv(outC, 1, stride, nil, n).Add(b, name+".downsample", x)
}

// InvertedResidual is the block of MobileNetV2 (Sandler et al. 2018, figure 4): a 1×1 ConvModule2d to Expand times the
// input's channels (name.expand, left out if Expand is 1), a depthwise 3×3 one and a 1×1 one without an activation
// (name.project), which is added to the input if the shape is the same.
type InvertedResidual struct {
	Expand int
	OutC   int
	Stride int // of the depthwise convolution
	Act    layer.Op
	Norm   Norm
}

// Add appends the block to the graph and returns its output.
func (r InvertedResidual) Add(b *nn.Builder, name string, x nn.Value) nn.Value {
	y, width := x, r.Expand*x.Shape().C
	if r.Expand != 1 {
		y = Conv(width, 1, 1, r.Act, r.Norm).Add(b, name+".expand", y)
	}
	y = Depthwise(width, 3, r.Stride, r.Act, r.Norm).Add(b, name+".depthwise", y)
	y = Conv(r.OutC, 1, 1, nil, r.Norm).Add(b, name+".project", y)
	if r.Stride != 1 || x.Shape().C != r.OutC {
		return y
	}
	return b.Add(name+".add", y, x)
}
