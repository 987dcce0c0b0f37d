// Package module has the modules that networks are made of, each a few nodes of a builder under one name: what HAT and
// torchvision call ConvModule2d, BasicResBlock, InvertedResidual. They need not care about fusion, because the builder
// joins convolution, BN, addition and activation as they are added.
package module

import (
	"qpipe/ops/convbn"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
)

// Norm are the arguments of the BNs in a module; zero values mean PyTorch's.
type Norm struct{ Eps, Momentum float64 }

// ConvModule2d is convolution, BatchNorm and activation, in that order: the unit that conv nets are made of (HAT's
// ConvModule2d). Its nodes are name.conv, name.bn and name.act.
type ConvModule2d struct {
	Conv  convbn.Conv
	Plain bool     // without BN
	Act   layer.Op // nil for none
	Norm  Norm
}

// Conv returns a ConvModule2d of a square kernel whose padding keeps the size of the image at stride 1. The convolution has
// no bias, because the BN after it would cancel it.
func Conv(outC, kernel, stride int, act layer.Op, n Norm) ConvModule2d {
	return ConvModule2d{Conv: convbn.Conv{
		OutC: outC, Kernel: [2]int{kernel, kernel}, Stride: [2]int{stride, stride}, Padding: [2]int{kernel / 2, kernel / 2},
	}, Act: act, Norm: n}
}

// Depthwise returns a Conv with a group for each of the channels.
func Depthwise(channels, kernel, stride int, act layer.Op, n Norm) ConvModule2d {
	m := Conv(channels, kernel, stride, act, n)
	m.Conv.Groups = channels
	return m
}

// Add appends the module to the graph and returns its output.
func (m ConvModule2d) Add(b *nn.Builder, name string, x nn.Value) nn.Value {
	return behind(b, name, b.Conv(name+".conv", x, m.Conv), m.Plain, m.Norm, m.Act)
}

// behind adds BN, unless plain, and the activation behind a convolution.
func behind(b *nn.Builder, name string, x nn.Value, plain bool, n Norm, act layer.Op) nn.Value {
	if !plain {
		x = b.BatchNorm(name+".bn", x, n.Eps, n.Momentum)
	}
	if act != nil {
		x = b.Apply(name+".act", act, x)
	}
	return x
}
