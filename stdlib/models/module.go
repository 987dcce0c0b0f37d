// Package models is the shelf of networks: it turns arguments into a graph of named nodes for a given image shape. It
// knows no weights, no data and no quantization. The modules need not care about fusion, because the builder joins
// convolution, BN, addition and activation as they are added.
package models

import (
	"qpipe/interp/part"
	"qpipe/ops/convbn"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
)

// norm holds the BN arguments that all models share.
type norm struct {
	eps, momentum float64
}

// ConvModule2d is convolution, BatchNorm and activation, in that order: the unit that conv nets are made of (HAT's
// ConvModule2d). Its nodes are name.conv, name.bn and name.act; without an activation there is no name.act. The
// convolution has no bias, because the BN after it would cancel it.
type ConvModule2d struct {
	Name   string
	OutC   int
	Kernel int // height and width
	Stride int
	Groups int // zero means 1
	Act    kernel.Act

	norm norm
}

// Add appends the module to the graph and returns its output. The padding is
// Kernel/2 on every side, so that Stride 1 keeps the image's size.
func (m ConvModule2d) Add(b *nn.Builder, x nn.Value) nn.Value { return m.padded(b, x, m.Kernel/2) }

// padded is Add with another padding.
func (m ConvModule2d) padded(b *nn.Builder, x nn.Value, padding int) nn.Value {
	x = b.Conv(m.Name+".conv", x, convbn.Conv{
		OutC:    m.OutC,
		Kernel:  [2]int{m.Kernel, m.Kernel},
		Stride:  [2]int{m.Stride, m.Stride},
		Padding: [2]int{padding, padding},
		Groups:  m.Groups,
	})
	x = b.BatchNorm(m.Name+".bn", x, m.norm.eps, m.norm.momentum)
	if m.Act == kernel.None {
		return x
	}
	return b.Act(m.Name+".act", x, m.Act)
}

// BasicResBlock is the residual block of ResNet-18 and ResNet-34 (He et al.
// 2015, figure 5 left): two 3×3 ConvModule2d, the second one added to the
// block's input before its activation. Where the shape changes, the input goes
// through a 1×1 convolution with BN (name.downsample).
type BasicResBlock struct {
	Name   string
	OutC   int
	Stride int // of the first convolution and of the downsample
	Act    kernel.Act

	norm norm
}

// Add appends the block to the graph and returns its output. The second convolution is added last, so that the addition
// and the activation are fused into its node.
func (r BasicResBlock) Add(b *nn.Builder, x nn.Value) nn.Value {
	short := x
	y := ConvModule2d{Name: r.Name + ".conv1", OutC: r.OutC, Kernel: 3, Stride: r.Stride, Act: r.Act, norm: r.norm}.Add(b, x)
	if r.Stride != 1 || x.Shape().C != r.OutC {
		short = ConvModule2d{Name: r.Name + ".downsample", OutC: r.OutC, Kernel: 1, Stride: r.Stride, norm: r.norm}.Add(b, x)
	}
	y = ConvModule2d{Name: r.Name + ".conv2", OutC: r.OutC, Kernel: 3, Stride: 1, norm: r.norm}.Add(b, y)
	y = b.Add(r.Name+".add", y, short)
	return b.Act(r.Name+".act", y, r.Act)
}

// BottleneckResBlock is the residual block of ResNet-50 and deeper (He et al.
// 2015, figure 5 right): a 1×1 ConvModule2d to MidC channels, a 3×3 one, which has
// the stride (torchvision's choice), and a 1×1 one to four times MidC, which is
// added to the block's input before its activation. Where the shape changes, the
// input goes through a 1×1 convolution with BN (name.downsample).
type BottleneckResBlock struct {
	Name   string
	MidC   int
	Stride int // of the 3×3 convolution and of the downsample
	Act    kernel.Act

	norm norm
}

// bottleneckExpansion is how many times MidC a bottleneck's output channels are.
const bottleneckExpansion = 4

// Add appends the block to the graph and returns its output. The last convolution is added last, so that the addition
// and the activation are fused into its node.
func (r BottleneckResBlock) Add(b *nn.Builder, x nn.Value) nn.Value {
	outC, short := bottleneckExpansion*r.MidC, x
	y := ConvModule2d{Name: r.Name + ".conv1", OutC: r.MidC, Kernel: 1, Stride: 1, Act: r.Act, norm: r.norm}.Add(b, x)
	y = ConvModule2d{Name: r.Name + ".conv2", OutC: r.MidC, Kernel: 3, Stride: r.Stride, Act: r.Act, norm: r.norm}.Add(b, y)
	if r.Stride != 1 || x.Shape().C != outC {
		short = ConvModule2d{Name: r.Name + ".downsample", OutC: outC, Kernel: 1, Stride: r.Stride, norm: r.norm}.Add(b, x)
	}
	y = ConvModule2d{Name: r.Name + ".conv3", OutC: outC, Kernel: 1, Stride: 1, norm: r.norm}.Add(b, y)
	y = b.Add(r.Name+".add", y, short)
	return b.Act(r.Name+".act", y, r.Act)
}

// InvertedResidual is the block of MobileNetV2 (Sandler et al. 2018, figure 4): a 1×1 ConvModule2d to Expand times the
// input's channels (name.expand, left out if Expand is 1), a depthwise 3×3 one and a 1×1 one without an activation
// (name.project), which is added to the input if the shape is the same.
type InvertedResidual struct {
	Name   string
	Expand int
	OutC   int
	Stride int // of the depthwise convolution
	Act    kernel.Act

	norm norm
}

// Add appends the block to the graph and returns its output.
func (r InvertedResidual) Add(b *nn.Builder, x nn.Value) nn.Value {
	y, width := x, r.Expand*x.Shape().C
	if r.Expand != 1 {
		y = ConvModule2d{Name: r.Name + ".expand", OutC: width, Kernel: 1, Stride: 1, Act: r.Act, norm: r.norm}.Add(b, y)
	}
	y = ConvModule2d{Name: r.Name + ".depthwise", OutC: width, Kernel: 3, Stride: r.Stride, Groups: width, Act: r.Act, norm: r.norm}.Add(b, y)
	y = ConvModule2d{Name: r.Name + ".project", OutC: r.OutC, Kernel: 1, Stride: 1, norm: r.norm}.Add(b, y)
	if r.Stride != 1 || x.Shape().C != r.OutC {
		return y
	}
	return b.Add(r.Name+".add", y, x)
}

// The layouts of a network's first layers: for small images, and for those of ImageNet's size.
const (
	cifar    = "cifar"
	imagenet = "imagenet"
)

// layout checks an argument that names a layout.
func layout(attr, name string) error {
	if name != cifar && name != imagenet {
		return part.Bad(attr, "there is no layout %q; choose %q (small images) or %q (about 224×224)", name, cifar, imagenet)
	}
	return nil
}

// activation reads an `act` argument.
func activation(name string) kernel.Act {
	if name == "relu6" {
		return kernel.ReLU6
	}
	return kernel.ReLU
}

// common checks the arguments that all models share.
func common(classes, width int, n norm) error {
	switch {
	case classes < 2 || classes > 100_000:
		return part.Bad("num_classes", "%s; there must be 2 to 100000", part.Count(classes, "class"))
	case width < 1 || width > 2048:
		return part.Bad("width", "%s; there must be 1 to 2048", part.Count(width, "channel"))
	case !(n.eps > 0 && n.eps < 1):
		return part.Bad("bn_eps", "%v must lie between 0 and 1; PyTorch's default is 1e-5", n.eps)
	case !(n.momentum > 0 && n.momentum <= 1):
		return part.Bad("bn_momentum", "%v must be above 0 and at most 1; PyTorch's default is 0.1", n.momentum)
	}
	return nil
}
