package models

import (
	"fmt"
	"slices"

	"qpipe/interp/part"
	"qpipe/ops/module"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/tensor"
)

// ResNetArgs are the arguments of ResNet.
type ResNetArgs struct {
	Depth int    `arg:"depth" doc:"Number of weight layers: 8, 14, 20, 32, 44 or 56 (three stages, He et al. 2015 section 4.2), 18 or 34 (four stages), or 50, 101 or 152 (four stages of bottleneck blocks)."`
	Width int    `arg:"width,optional" doc:"Channels of the stem and the first stage; every later stage has twice as many as the one before. The usual width of depth 18 and more with four stages is 64; a bottleneck block gives four times its stage's channels."`
	Stem  string `arg:"stem,optional" oneof:"cifar imagenet" doc:"The first layers: cifar is one 3×3 convolution that keeps the image's size, imagenet a 7×7 convolution with stride 2 and a 3×3 max pooling with stride 2."`
	Act   string `arg:"act,optional" oneof:"relu relu6" doc:"Activation function."`
	Shared
}

// ResNetDefaults returns ResNet's defaults.
func ResNetDefaults() ResNetArgs {
	return ResNetArgs{Width: 16, Stem: cifar, Act: "relu", Shared: shared()}
}

// blocks returns the number of residual blocks of each stage and whether they are bottlenecks; nil if there is no
// ResNet of that depth. Depth 6n+2 has three stages of n blocks; the others are the ImageNet layouts (He et al. 2015,
// table 1).
func blocks(depth int) (counts []int, bottleneck bool) {
	switch depth {
	case 18:
		return []int{2, 2, 2, 2}, false
	case 34:
		return []int{3, 4, 6, 3}, false
	case 50:
		return []int{3, 4, 6, 3}, true
	case 101:
		return []int{3, 4, 23, 3}, true
	case 152:
		return []int{3, 8, 36, 3}, true
	case 8, 14, 20, 32, 44, 56:
		n := (depth - 2) / 6
		return []int{n, n, n}, false
	}
	return nil, false
}

// Validate implements the language's check after decoding.
func (a ResNetArgs) Validate() error {
	if counts, _ := blocks(a.Depth); counts == nil {
		return part.Bad("depth", "there is no ResNet of depth %d; choose 8, 14, 20, 32, 44, 56 (three stages), 18, 34 (four stages) or 50, 101, 152 (bottleneck blocks)", a.Depth)
	}
	if err := layout("stem", a.Stem); err != nil {
		return err
	}
	return a.check(a.Width)
}

type resNet struct{ ResNetArgs }

// NewResNet returns ResNet, a residual network: of basic blocks up to depth 56, of bottleneck
// blocks with their stride in the 3×3 convolution from depth 50 with four stages on, as in torchvision.
//
// Its nodes are backbone.stem (with stem = "imagenet" also backbone.stem.pool),
// backbone.stageS.B.{conv1,conv2,conv3,downsample,add,act} with stages from 1 and
// blocks from 0, conv3 in bottlenecks only, head.pool (global average) and head.fc.
// The stages halve the image, except the first.
func NewResNet(a ResNetArgs) (part.Model, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return resNet{a}, nil
}

// Build implements part.Model.
func (r resNet) Build(in []tensor.Shape) (*nn.Graph, error) {
	n, act := r.norm(), activation(r.Act)
	b := nn.NewBuilder(in[0])
	x := r.stem(b, n)
	counts, bottleneck := blocks(r.Depth)
	width := r.Width
	for s, count := range slices.All(counts) {
		for i := range count {
			name, stride := fmt.Sprintf("backbone.stage%d.%d", s+1, i), 1
			if s > 0 && i == 0 {
				stride = 2
			}
			if bottleneck {
				x = module.BottleNeck{MidC: width, Stride: stride, Act: act, Norm: n}.Add(b, name, x)
			} else {
				x = module.BasicResBlock{OutC: width, Stride: stride, Act: act, Norm: n}.Add(b, name, x)
			}
		}
		width *= 2
	}
	x = b.GlobalAvgPool("head.pool", x)
	return b.Graph(b.Linear("head.fc", x, r.NumClasses, true))
}

// stem adds the first layers.
func (r resNet) stem(b *nn.Builder, n module.Norm) nn.Value {
	if r.Stem == cifar {
		return module.Conv(r.Width, 3, 1, activation(r.Act), n).Add(b, "backbone.stem", b.Input())
	}
	x := module.Conv(r.Width, 7, 2, activation(r.Act), n).Add(b, "backbone.stem", b.Input())
	pool := op.PoolArgs{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Padding: [2]int{1, 1}}
	return b.MaxPool("backbone.stem.pool", x, pool)
}

// TorchNames implements part.TorchModel.
func (r resNet) TorchNames() []part.Rename {
	var n names
	n.pair("backbone.stem", "conv1", "bn1")
	counts, bottleneck := blocks(r.Depth)
	convs := 2
	if bottleneck {
		convs = 3
	}
	for s, count := range counts {
		for i := range count {
			ours, torch := fmt.Sprintf("backbone.stage%d.%d", s+1, i), fmt.Sprintf("layer%d.%d", s+1, i)
			for k := 1; k <= convs; k++ {
				n.pair(fmt.Sprintf("%s.conv%d", ours, k), fmt.Sprintf("%s.conv%d", torch, k), fmt.Sprintf("%s.bn%d", torch, k))
			}
			if i == 0 && (s > 0 || bottleneck) {
				n.unit(ours+".downsample", torch+".downsample")
			}
		}
	}
	return n.add("head.fc", "fc")
}
