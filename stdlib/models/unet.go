package models

import (
	"fmt"

	"qpipe/interp/part"
	"qpipe/ops/convbn"
	"qpipe/ops/module"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/tensor"
)

// UNetArgs are the arguments of UNet.
type UNetArgs struct {
	Width int    `arg:"width,optional" doc:"Channels at the size of the image; at each smaller size there are twice as many. The paper's is 64."`
	Depth int    `arg:"depth,optional" doc:"How many times the map is halved, and made larger again; the paper's is 4. Height and width must be divisible by 2 to that power."`
	Up    string `arg:"up,optional" oneof:"transpose nearest bilinear" doc:"What makes a map larger: a transposed 2×2 convolution as in the paper, or a 1×1 convolution with BatchNorm whose pixels are repeated or blended."`
	Act   string `arg:"act,optional" oneof:"relu relu6" doc:"Activation function."`
	Shared
}

// UNetDefaults returns UNet's defaults.
func UNetDefaults() UNetArgs {
	a := UNetArgs{Width: 16, Depth: 3, Up: "transpose", Act: "relu", Shared: shared()}
	a.NumClasses = 2
	return a
}

// Validate implements the language's check after decoding.
func (a UNetArgs) Validate() error {
	if a.Depth < 1 || a.Depth > 8 {
		return part.Bad("depth", "%d; it must be 1 to 8", a.Depth)
	}
	return a.check(a.Width)
}

type uNet struct{ UNetArgs }

// NewUNet returns U-Net (Ronneberger et al. 2015, figure 1) with BatchNorm and with padding, so that its output has the size of the image: the
// logits of num_classes classes for each pixel.
//
// Its nodes are down.D.{conv1,conv2,pool} and up.D.{up,concat,conv1,conv2} with D from 0, at the size of the image, bottom.{conv1,conv2}
// and head.mask, a 1×1 convolution.
func NewUNet(a UNetArgs) (part.Model, error) { return uNet{a}, a.Validate() }

// Build implements part.Model.
func (u uNet) Build(in []tensor.Shape) (*nn.Graph, error) {
	s := in[0]
	if whole := 1 << u.Depth; s.H%whole != 0 || s.W%whole != 0 {
		return nil, part.Bad("depth", "images of %d×%d cannot be halved %s; both must be divisible by %d", s.H, s.W, part.Count(u.Depth, "time"), whole)
	}
	b := nn.NewBuilder(s)
	x, skipped := b.Input(), make([]nn.Value, u.Depth)
	for d := range u.Depth {
		name := fmt.Sprintf("down.%d", d)
		skipped[d] = u.twice(b, name, x, d)
		x = b.MaxPool(name+".pool", skipped[d], op.PoolArgs{Kernel: [2]int{2, 2}})
	}
	x = u.twice(b, "bottom", x, u.Depth)
	for d := u.Depth - 1; d >= 0; d-- {
		name := fmt.Sprintf("up.%d", d)
		x = b.Concat(name+".concat", u.up(b, name+".up", x, d), skipped[d])
		x = u.twice(b, name, x, d)
	}
	return b.Graph(b.Conv("head.mask", x, convbn.Conv{OutC: u.NumClasses, Kernel: [2]int{1, 1}, Bias: true}))
}

// twice adds the two convolutions of level d.
func (u uNet) twice(b *nn.Builder, name string, x nn.Value, d int) nn.Value {
	m := module.Conv(u.Width<<d, 3, 1, activation(u.Act), u.norm())
	return m.Add(b, name+".conv2", m.Add(b, name+".conv1", x))
}

// up makes a map of level d out of one that is half as high and wide.
func (u uNet) up(b *nn.Builder, name string, x nn.Value, d int) nn.Value {
	if u.Up == "transpose" {
		return b.ConvTranspose(name, x, convbn.ConvTranspose{OutC: u.Width << d, Kernel: [2]int{2, 2}, Stride: [2]int{2, 2}, Bias: true})
	}
	conv := module.Conv(u.Width<<d, 1, 1, activation(u.Act), u.norm())
	return module.ConvUpsample2d{ConvModule2d: conv, Factor: 2, Bilinear: u.Up == "bilinear"}.Add(b, name, x)
}
