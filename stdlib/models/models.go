// Package models is the shelf of networks: it turns arguments into a graph of named nodes for a given image shape. It
// knows no weights, no data and no quantization. Package module has the modules that they are made of.
package models

import (
	"qpipe/interp/part"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/module"
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

// activation reads an `act` argument.
func activation(name string) layer.Op {
	if name == "relu6" {
		return op.Act{Act: kernel.ReLU6}
	}
	return op.Act{Act: kernel.ReLU}
}

// common checks the arguments that all models share.
func common(classes, width int, n module.Norm) error {
	switch {
	case classes < 2 || classes > 100_000:
		return part.Bad("num_classes", "%s; there must be 2 to 100000", part.Count(classes, "class"))
	case width < 1 || width > 2048:
		return part.Bad("width", "%s; there must be 1 to 2048", part.Count(width, "channel"))
	case !(n.Eps > 0 && n.Eps < 1):
		return part.Bad("bn_eps", "%v must lie between 0 and 1; PyTorch's default is 1e-5", n.Eps)
	case !(n.Momentum > 0 && n.Momentum <= 1):
		return part.Bad("bn_momentum", "%v must be above 0 and at most 1; PyTorch's default is 0.1", n.Momentum)
	}
	return nil
}
