// Package models is the shelf of networks: it turns arguments into a graph of named nodes for a given image shape. It
// knows no weights, no data and no quantization. Package module has the modules that they are made of.
package models

import (
	"qpipe/interp/part"
	"qpipe/ops/curve"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/module"
	"qpipe/ops/nn"
	"qpipe/ops/op"
)

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

// activation is the op of a function's name.
func activation(name string) layer.Op {
	switch name {
	case "relu":
		return op.Act{Act: kernel.ReLU}
	case "relu6":
		return op.Act{Act: kernel.ReLU6}
	}
	return curve.Pointwise{Function: name}
}

// Shared are the arguments that all models have.
type Shared struct {
	NumClasses int     `arg:"num_classes,optional" doc:"Number of classes, the width of the last layer."`
	BNEps      float64 `arg:"bn_eps,optional" doc:"What BatchNorm adds to the variance."`
	BNMomentum float64 `arg:"bn_momentum,optional" doc:"Share of the present batch in BatchNorm's running statistics, as in PyTorch."`
}

// shared returns their defaults.
func shared() Shared { return Shared{NumClasses: 10, BNEps: 1e-5, BNMomentum: 0.1} }

func (a Shared) norm() module.Norm { return module.Norm{Eps: a.BNEps, Momentum: a.BNMomentum} }

// check checks them and a number of channels.
func (a Shared) check(width int) error {
	switch {
	case a.NumClasses < 2 || a.NumClasses > 100_000:
		return part.Bad("num_classes", "%s; there must be 2 to 100000", part.Count(a.NumClasses, "class"))
	case width < 1 || width > 2048:
		return part.Bad("width", "%s; there must be 1 to 2048", part.Count(width, "channel"))
	case !(a.BNEps > 0 && a.BNEps < 1):
		return part.Bad("bn_eps", "%v must lie between 0 and 1; PyTorch's default is 1e-5", a.BNEps)
	case !(a.BNMomentum > 0 && a.BNMomentum <= 1):
		return part.Bad("bn_momentum", "%v must be above 0 and at most 1; PyTorch's default is 0.1", a.BNMomentum)
	}
	return nil
}

// multiple checks a factor of a network's channels or layers.
func multiple(attr string, v float64) error {
	if !(v > 0 && v <= 8) {
		return part.Bad(attr, "%v must be above 0 and at most 8", v)
	}
	return nil
}

// scaled is c·mult rounded to a multiple of 8, but never below 0.9 of it nor below 8, as in torchvision.
func scaled(c int, mult float64) int {
	v := float64(float64(c) * mult)
	n := max(8, int(v+4)/8*8)
	if float64(n) < 0.9*v {
		n += 8
	}
	return n
}

// Dropping is the argument of models that train with dropout.
type Dropping struct {
	Dropout float64 `arg:"dropout,optional" doc:"Probability with which training makes an element in front of the last layer zero; with 0 there is no such node."`
}

func (a Dropping) check() error {
	if !(a.Dropout >= 0 && a.Dropout < 1) {
		return part.Bad("dropout", "%v; it must be at least 0 and below 1", a.Dropout)
	}
	return nil
}

// add adds the dropout.
func (a Dropping) add(b *nn.Builder, name string, x nn.Value) nn.Value {
	if a.Dropout == 0 {
		return x
	}
	return b.Apply(name, op.Dropout{P: a.Dropout}, x)
}

// small turns the strides of a network for large images into those for small ones, in which the first two that are above 1 are 1.
type small struct{ left int }

// newSmall returns what changes the strides of a layout.
func newSmall(layout string) *small {
	if layout == cifar {
		return &small{2}
	}
	return &small{}
}

// stride is the next stride of the network, of which the paper has s.
func (m *small) stride(s int) int {
	if s > 1 && m.left > 0 {
		m.left--
		return 1
	}
	return s
}
