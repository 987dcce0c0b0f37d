package models

import (
	"cmp"
	"fmt"

	"qpipe/interp/part"
	"qpipe/ops/convbn"
	"qpipe/ops/module"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/tensor"
)

// SqueezeNetArgs are the arguments of SqueezeNet.
type SqueezeNetArgs struct {
	Version string `arg:"version,optional" oneof:"1.0 1.1" doc:"1.0 is the paper's network, 1.1 the authors' later one with fewer operations."`
	Stem    string `arg:"stem,optional" oneof:"cifar imagenet" doc:"The first layer: cifar is a 3×3 convolution that keeps the image's size, imagenet the version's convolution with stride 2."`
	Norm    bool   `arg:"norm,optional" doc:"Whether BatchNorm follows the convolutions of the fire modules and the first one; the paper's network has none."`
	Dropping
	Shared
}

// SqueezeNetDefaults returns SqueezeNet's defaults.
func SqueezeNetDefaults() SqueezeNetArgs {
	return SqueezeNetArgs{Version: "1.1", Stem: cifar, Dropping: Dropping{0.5}, Shared: shared()}
}

// Validate implements the language's check after decoding.
func (a SqueezeNetArgs) Validate() error {
	return cmp.Or(layout("stem", a.Stem), a.Dropping.check(), a.Shared.check(1))
}

type squeezeNet struct{ SqueezeNetArgs }

// NewSqueezeNet returns SqueezeNet (Iandola et al. 2016, table 1): fire modules and three max poolings.
//
// Its nodes are backbone.stem, backbone.fireF.{squeeze,expand1x1,expand3x3,concat} with F from 2 to 9, as in the paper, backbone.poolP with P
// from 1, head.drop, head.conv, which is a 1×1 convolution with ReLU (head.act), and head.pool, the mean over its map.
func NewSqueezeNet(a SqueezeNetArgs) (part.Model, error) { return squeezeNet{a}, a.Validate() }

// fires are the squeezed and the output channels of the fire modules; 0 is a max pooling.
func (s squeezeNet) fires() [][2]int {
	if s.Version == "1.0" {
		return [][2]int{{}, {16, 128}, {16, 128}, {32, 256}, {}, {32, 256}, {48, 384}, {48, 384}, {64, 512}, {}, {64, 512}}
	}
	return [][2]int{{}, {16, 128}, {16, 128}, {}, {32, 256}, {32, 256}, {}, {48, 384}, {48, 384}, {64, 512}, {64, 512}}
}

// stem is the first convolution.
func (s squeezeNet) stem() module.ConvModule2d {
	width, kernel := 64, 3
	if s.Version == "1.0" {
		width, kernel = 96, 7
	}
	m := module.Conv(width, kernel, 2, activation("relu"), s.norm())
	m.Conv.Padding = [2]int{}
	if s.Stem == cifar {
		m = module.Conv(width, 3, 1, activation("relu"), s.norm())
	}
	m.Plain, m.Conv.Bias = !s.Norm, !s.Norm
	return m
}

// Build implements part.Model.
func (s squeezeNet) Build(in []tensor.Shape) (*nn.Graph, error) {
	b, relu := nn.NewBuilder(in[0]), activation("relu")
	x := s.stem().Add(b, "backbone.stem", b.Input())
	fire, pool := 2, 1
	for _, f := range s.fires() {
		if f[0] == 0 {
			args := op.PoolArgs{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Ceil: true}
			x = b.MaxPool(fmt.Sprintf("backbone.pool%d", pool), x, args)
			pool++
			continue
		}
		m := module.FireModule{Squeeze: f[0], Expand1: f[1] / 2, Expand3: f[1] / 2, Plain: !s.Norm, Act: relu, Norm: s.norm()}
		x = m.Add(b, fmt.Sprintf("backbone.fire%d", fire), x)
		fire++
	}
	x = b.Conv("head.conv", s.add(b, "head.drop", x), convbn.Conv{OutC: s.NumClasses, Kernel: [2]int{1, 1}, Bias: true})
	return b.Graph(b.GlobalAvgPool("head.pool", b.Apply("head.act", relu, x)))
}

// TorchNames implements part.TorchModel.
func (s squeezeNet) TorchNames() []part.Rename {
	var n names
	n.add("backbone.stem.conv", "features.0")
	fire := 2
	for i, f := range s.fires() {
		if f[0] == 0 {
			continue
		}
		for _, conv := range []string{"squeeze", "expand1x1", "expand3x3"} {
			n.add(fmt.Sprintf("backbone.fire%d.%s.conv", fire, conv), fmt.Sprintf("features.%d.%s", i+2, conv))
		}
		fire++
	}
	return n.add("head.conv", "classifier.1")
}
