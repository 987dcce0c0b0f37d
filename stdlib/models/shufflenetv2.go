package models

import (
	"cmp"
	"fmt"

	"qpipe/interp/part"
	"qpipe/ops/module"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/tensor"
)

// ShuffleNetV2Args are the arguments of ShuffleNetV2.
type ShuffleNetV2Args struct {
	WidthMult float64 `arg:"width_mult,optional" doc:"Which of the paper's networks: 0.5, 1, 1.5 or 2."`
	Stem      string  `arg:"stem,optional" oneof:"cifar imagenet" doc:"The first layers: cifar is one 3×3 convolution that keeps the image's size, imagenet the paper's convolution and max pooling, each with stride 2."`
	Act       string  `arg:"act,optional" oneof:"relu relu6" doc:"Activation function."`
	Shared
}

// ShuffleNetV2Defaults returns ShuffleNetV2's defaults.
func ShuffleNetV2Defaults() ShuffleNetV2Args {
	return ShuffleNetV2Args{WidthMult: 1, Stem: cifar, Act: "relu", Shared: shared()}
}

// widths are the output channels of the three stages and of the last convolution (Ma et al. 2018, table 5); nil where there is no
// such network.
func (a ShuffleNetV2Args) widths() []int {
	switch a.WidthMult {
	case 0.5:
		return []int{48, 96, 192, 1024}
	case 1:
		return []int{116, 232, 464, 1024}
	case 1.5:
		return []int{176, 352, 704, 1024}
	case 2:
		return []int{244, 488, 976, 2048}
	}
	return nil
}

// Validate implements the language's check after decoding.
func (a ShuffleNetV2Args) Validate() error {
	if a.widths() == nil {
		return part.Bad("width_mult", "there is no ShuffleNetV2 of width %v; choose 0.5, 1, 1.5 or 2", a.WidthMult)
	}
	return cmp.Or(layout("stem", a.Stem), a.check(1))
}

type shuffleNetV2 struct{ ShuffleNetV2Args }

// NewShuffleNetV2 returns ShuffleNetV2 (Ma et al. 2018): units of two branches, whose channels are mixed.
//
// Its nodes are backbone.stem (with stem = "imagenet" also backbone.stem.pool), backbone.stageS.U with stages from 2, as in the
// paper, and units from 0, backbone.last, head.pool and head.fc.
func NewShuffleNetV2(a ShuffleNetV2Args) (part.Model, error) { return shuffleNetV2{a}, a.Validate() }

// units are the numbers of units of the stages.
func (shuffleNetV2) units() [3]int { return [3]int{4, 8, 4} }

// Build implements part.Model.
func (s shuffleNetV2) Build(in []tensor.Shape) (*nn.Graph, error) {
	n, act, b, widths := s.norm(), activation(s.Act), nn.NewBuilder(in[0]), s.widths()
	x := b.Input()
	if s.Stem == cifar {
		x = module.Conv(24, 3, 1, act, n).Add(b, "backbone.stem", x)
	} else {
		x = module.Conv(24, 3, 2, act, n).Add(b, "backbone.stem", x)
		x = b.MaxPool("backbone.stem.pool", x, op.PoolArgs{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Padding: [2]int{1, 1}})
	}
	for i, count := range s.units() {
		for k := range count {
			unit := module.ShuffleUnit{OutC: widths[i], Stride: 1, Act: act, Norm: n}
			if k == 0 {
				unit.Stride = 2
			}
			x = unit.Add(b, fmt.Sprintf("backbone.stage%d.%d", i+2, k), x)
		}
	}
	x = module.Conv(widths[3], 1, 1, act, n).Add(b, "backbone.last", x)
	x = b.GlobalAvgPool("head.pool", x)
	return b.Graph(b.Linear("head.fc", x, s.NumClasses, true))
}

// TorchNames implements part.TorchModel.
func (s shuffleNetV2) TorchNames() []part.Rename {
	var n names
	n.unit("backbone.stem", "conv1")
	for i, count := range s.units() {
		for k := range count {
			ours, torch := fmt.Sprintf("backbone.stage%d.%d.", i+2, k), fmt.Sprintf("stage%d.%d.", i+2, k)
			if k == 0 {
				n.pair(ours+"branch1.depthwise", torch+"branch1.0", torch+"branch1.1")
				n.pair(ours+"branch1.project", torch+"branch1.2", torch+"branch1.3")
			}
			n.pair(ours+"branch2.expand", torch+"branch2.0", torch+"branch2.1")
			n.pair(ours+"branch2.depthwise", torch+"branch2.3", torch+"branch2.4")
			n.pair(ours+"branch2.project", torch+"branch2.5", torch+"branch2.6")
		}
	}
	n.unit("backbone.last", "conv5")
	return n.add("head.fc", "fc")
}
