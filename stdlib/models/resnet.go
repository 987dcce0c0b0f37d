package models

import (
	"fmt"
	"slices"

	"qpipe/interp/stage"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// ResNetArgs are the arguments of ResNet.
type ResNetArgs struct {
	Depth      int     `arg:"depth" doc:"Number of weight layers: 8, 14, 20, 32, 44 or 56 (three stages, He et al. 2015 section 4.2), or 18 or 34 (four stages)."`
	NumClasses int     `arg:"num_classes,optional" doc:"Number of classes, the width of the last layer."`
	Width      int     `arg:"width,optional" doc:"Channels of the stem and the first stage; every later stage has twice as many as the one before. The usual width of depth 18 and 34 is 64."`
	Act        string  `arg:"act,optional" oneof:"relu relu6" doc:"Activation function."`
	BNEps      float64 `arg:"bn_eps,optional" doc:"What BatchNorm adds to the variance."`
	BNMomentum float64 `arg:"bn_momentum,optional" doc:"Share of the present batch in BatchNorm's running statistics, as in PyTorch."`
}

// ResNetDefaults returns ResNet's defaults.
func ResNetDefaults() ResNetArgs {
	return ResNetArgs{NumClasses: 10, Width: 16, Act: "relu", BNEps: 1e-5, BNMomentum: 0.1}
}

// blocks returns the number of residual blocks of each stage, nil for a depth
// that there is no ResNet of. Depth 6n+2 has three stages of n blocks; 18 and 34
// are the ImageNet layouts (He et al. 2015, table 1).
func blocks(depth int) []int {
	switch depth {
	case 18:
		return []int{2, 2, 2, 2}
	case 34:
		return []int{3, 4, 6, 3}
	case 8, 14, 20, 32, 44, 56:
		n := (depth - 2) / 6
		return []int{n, n, n}
	}
	return nil
}

// Validate implements the language's check after decoding.
func (a ResNetArgs) Validate() error {
	if blocks(a.Depth) == nil {
		return stage.Bad("depth", "there is no ResNet of basic blocks with depth %d; choose 8, 14, 20, 32, 44, 56 (three stages) or 18, 34 (four stages)", a.Depth)
	}
	return common(a.NumClasses, a.Width, norm{a.BNEps, a.BNMomentum})
}

type resNet struct{ ResNetArgs }

// NewResNet returns ResNet, a residual network of basic blocks for small images: a 3×3 stem that
// keeps the image's size instead of ImageNet's 7×7 with stride 2 and pooling.
//
// Its nodes are backbone.stem, backbone.stageS.B.{conv1,conv2,downsample,add,act}
// with stages from 1 and blocks from 0, head.pool (global average) and head.fc.
// The stages halve the image, except the first.
func NewResNet(a ResNetArgs) (stage.Model, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return resNet{a}, nil
}

// Build implements stage.Model.
func (r resNet) Build(in tensor.Shape) (*nn.Graph, error) {
	n, act := norm{r.BNEps, r.BNMomentum}, activation(r.Act)
	b := nn.NewBuilder(in)
	x := ConvModule2d{Name: "backbone.stem", OutC: r.Width, Kernel: 3, Stride: 1, Act: act, norm: n}.Add(b, b.Input())
	width := r.Width
	for s, count := range slices.All(blocks(r.Depth)) {
		for i := range count {
			block := BasicResBlock{Name: fmt.Sprintf("backbone.stage%d.%d", s+1, i), OutC: width, Stride: 1, Act: act, norm: n}
			if s > 0 && i == 0 {
				block.Stride = 2
			}
			x = block.Add(b, x)
		}
		width *= 2
	}
	x = b.GlobalAvgPool("head.pool", x)
	return b.Graph(b.Linear("head.fc", x, r.NumClasses, true))
}
