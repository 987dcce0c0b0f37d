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

// DenseNetArgs are the arguments of DenseNet.
type DenseNetArgs struct {
	Depth  int    `arg:"depth" doc:"Number of weight layers: 40, 100, 190 or 250 (three blocks, for small images), or 121, 161, 169 or 201 (four blocks)."`
	Growth int    `arg:"growth_rate,optional" doc:"Channels that each layer adds; the first convolution gives twice as many. The paper's 161 has 48, its other networks of four blocks have 32, and that of depth 100 has 12."`
	BNSize int    `arg:"bn_size,optional" doc:"Channels between a layer's convolutions, as a multiple of growth_rate."`
	Stem   string `arg:"stem,optional" oneof:"cifar imagenet" doc:"The first layers: cifar is one 3×3 convolution that keeps the image's size, imagenet a 7×7 convolution with stride 2 and a 3×3 max pooling with stride 2."`
	Act    string `arg:"act,optional" oneof:"relu relu6" doc:"Activation function."`
	Shared
}

// DenseNetDefaults returns DenseNet's defaults.
func DenseNetDefaults() DenseNetArgs {
	return DenseNetArgs{Growth: 32, BNSize: 4, Stem: cifar, Act: "relu", Shared: shared()}
}

// blocks are the numbers of layers of the blocks, with two convolutions each; nil if there is no DenseNet of that depth.
func (a DenseNetArgs) blocks() []int {
	switch a.Depth {
	case 40, 100, 190, 250:
		n := (a.Depth - 4) / 6
		return []int{n, n, n}
	case 121:
		return []int{6, 12, 24, 16}
	case 161:
		return []int{6, 12, 36, 24}
	case 169:
		return []int{6, 12, 32, 32}
	case 201:
		return []int{6, 12, 48, 32}
	}
	return nil
}

// Validate implements the language's check after decoding.
func (a DenseNetArgs) Validate() error {
	switch {
	case a.blocks() == nil:
		return part.Bad("depth", "there is no DenseNet of depth %d; choose 40, 100, 190, 250 (three blocks) or 121, 161, 169, 201 (four blocks)", a.Depth)
	case a.Growth < 1 || a.Growth > 512:
		return part.Bad("growth_rate", "%s; there must be 1 to 512", part.Count(a.Growth, "channel"))
	case a.BNSize < 1 || a.BNSize > 64:
		return part.Bad("bn_size", "%d; it must be 1 to 64", a.BNSize)
	}
	return cmp.Or(layout("stem", a.Stem), a.check(1))
}

type denseNet struct{ DenseNetArgs }

// NewDenseNet returns DenseNet-BC (Huang et al. 2017, table 1): blocks in which every layer reads all maps before it, and transitions
// between them that halve channels, height and width.
//
// Its nodes are backbone.stem (with stem = "imagenet" also a BN and backbone.stem.pool; the stem for small images is a convolution
// alone), backbone.blockB.L and backbone.transitionB with blocks from 1 and layers from 0, backbone.norm, backbone.act, head.pool and head.fc.
func NewDenseNet(a DenseNetArgs) (part.Model, error) { return denseNet{a}, a.Validate() }

// Build implements part.Model.
func (d denseNet) Build(in []tensor.Shape) (*nn.Graph, error) {
	n, act, b := d.norm(), activation(d.Act), nn.NewBuilder(in[0])
	x, width := d.stem(b), 2*d.Growth
	for i, layers := range d.blocks() {
		if i > 0 {
			width /= 2
			x = module.Transition{OutC: width, Act: act, Norm: n}.Add(b, fmt.Sprintf("backbone.transition%d", i), x)
		}
		block := module.DenseBlock{Layers: layers, Growth: d.Growth, Bottleneck: d.BNSize, Act: act, Norm: n}
		x = block.Add(b, fmt.Sprintf("backbone.block%d", i+1), x)
		width += layers * d.Growth
	}
	x = b.Apply("backbone.act", act, b.BatchNorm("backbone.norm", x, n.Eps, n.Momentum))
	x = b.GlobalAvgPool("head.pool", x)
	return b.Graph(b.Linear("head.fc", x, d.NumClasses, true))
}

// stem adds the first layers.
func (d denseNet) stem(b *nn.Builder) nn.Value {
	if d.Stem == cifar {
		return b.Conv("backbone.stem.conv", b.Input(), convbn.Conv{OutC: 2 * d.Growth, Kernel: [2]int{3, 3}, Padding: [2]int{1, 1}})
	}
	x := module.Conv(2*d.Growth, 7, 2, activation(d.Act), d.norm()).Add(b, "backbone.stem", b.Input())
	return b.MaxPool("backbone.stem.pool", x, op.PoolArgs{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Padding: [2]int{1, 1}})
}

// TorchNames implements part.TorchModel.
func (d denseNet) TorchNames() []part.Rename {
	var n names
	n.pair("backbone.stem", "features.conv0", "features.norm0")
	for i, layers := range d.blocks() {
		if i > 0 {
			ours, torch := fmt.Sprintf("backbone.transition%d", i), fmt.Sprintf("features.transition%d", i)
			n.add(ours+".norm", torch+".norm")
			n.add(ours+".conv", torch+".conv")
		}
		for k := range layers {
			ours, torch := fmt.Sprintf("backbone.block%d.%d", i+1, k), fmt.Sprintf("features.denseblock%d.denselayer%d", i+1, k+1)
			for _, layer := range []string{".norm1", ".conv1", ".norm2", ".conv2"} {
				n.add(ours+layer, torch+layer)
			}
		}
	}
	n.add("backbone.norm", "features.norm5")
	return n.add("head.fc", "classifier")
}
