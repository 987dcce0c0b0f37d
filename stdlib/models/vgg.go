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

// VGGArgs are the arguments of VGG.
type VGGArgs struct {
	Depth  int    `arg:"depth" doc:"Number of weight layers: 11, 13, 16 or 19."`
	Norm   bool   `arg:"norm,optional" doc:"Whether BatchNorm follows the convolutions; the paper's network has none."`
	Width  int    `arg:"width,optional" doc:"Channels of the first stage; the others have two, four, eight and eight times as many. The paper's is 64."`
	Hidden int    `arg:"hidden,optional" doc:"Width of the two linear layers before the last one; the paper's is 4096, for small images 512 is usual."`
	Act    string `arg:"act,optional" oneof:"relu relu6" doc:"Activation function."`
	Dropping
	Shared
}

// VGGDefaults returns VGG's defaults.
func VGGDefaults() VGGArgs {
	return VGGArgs{Norm: true, Width: 64, Hidden: 512, Act: "relu", Dropping: Dropping{0.5}, Shared: shared()}
}

// stages are the numbers of convolutions of the stages (Simonyan and Zisserman 2014, table 1, A, B, D and E); nil if there is no VGG
// of that depth.
func (a VGGArgs) stages() []int {
	switch a.Depth {
	case 11:
		return []int{1, 1, 2, 2, 2}
	case 13:
		return []int{2, 2, 2, 2, 2}
	case 16:
		return []int{2, 2, 3, 3, 3}
	case 19:
		return []int{2, 2, 4, 4, 4}
	}
	return nil
}

// Validate implements the language's check after decoding.
func (a VGGArgs) Validate() error {
	switch {
	case a.stages() == nil:
		return part.Bad("depth", "there is no VGG of depth %d; choose 11, 13, 16 or 19", a.Depth)
	case a.Hidden < 1 || a.Hidden > 65536:
		return part.Bad("hidden", "%s; there must be 1 to 65536", part.Count(a.Hidden, "channel"))
	}
	return cmp.Or(a.Dropping.check(), a.Shared.check(a.Width))
}

type vgg struct{ VGGArgs }

// NewVGG returns VGG (Simonyan and Zisserman 2014): five stages of 3×3 convolutions with 2×2 max pooling behind each, and three linear
// layers. Where a map has an odd size, its last window of the pooling is cut, so that images of 17×17 and more have
// something left. The linear layers see the whole map that is left: 7×7 of images of 224×224. torchvision resizes other maps to 7×7 first.
//
// Its nodes are backbone.stageS.C and backbone.stageS.pool with stages from 1 and convolutions from 0, head.flatten, head.fc1,
// head.act1, head.drop1, head.fc2, head.act2, head.drop2 and head.fc.
func NewVGG(a VGGArgs) (part.Model, error) { return vgg{a}, a.Validate() }

// Build implements part.Model.
func (v vgg) Build(in []tensor.Shape) (*nn.Graph, error) {
	b, act := nn.NewBuilder(in[0]), activation(v.Act)
	x := b.Input()
	for s, convs := range v.stages() {
		name := fmt.Sprintf("backbone.stage%d", s+1)
		for i := range convs {
			m := module.Conv(v.Width<<min(s, 3), 3, 1, act, v.norm())
			m.Plain, m.Conv.Bias = !v.Norm, true
			x = m.Add(b, fmt.Sprintf("%s.%d", name, i), x)
		}
		x = b.MaxPool(name+".pool", x, op.PoolArgs{Kernel: [2]int{2, 2}, Ceil: true})
	}
	x = b.Flatten("head.flatten", x)
	for i := 1; i <= 2; i++ {
		x = b.Apply(fmt.Sprintf("head.act%d", i), act, b.Linear(fmt.Sprintf("head.fc%d", i), x, v.Hidden, true))
		x = v.add(b, fmt.Sprintf("head.drop%d", i), x)
	}
	return b.Graph(b.Linear("head.fc", x, v.NumClasses, true))
}

// TorchNames implements part.TorchModel. torchvision counts every layer of the backbone.
func (v vgg) TorchNames() []part.Rename {
	var n names
	at := 0
	for s, convs := range v.stages() {
		for i := range convs {
			ours := fmt.Sprintf("backbone.stage%d.%d", s+1, i)
			n.add(ours+".conv", fmt.Sprintf("features.%d", at))
			if v.Norm {
				n.add(ours+".bn", fmt.Sprintf("features.%d", at+1))
				at++
			}
			at += 2
		}
		at++
	}
	n.add("head.fc1", "classifier.0")
	n.add("head.fc2", "classifier.3")
	return n.add("head.fc", "classifier.6")
}
