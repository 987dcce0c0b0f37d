package parttest

import (
	"fmt"

	"qpipe/interp/part"
	"qpipe/ops/convbn"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// StackArgs are the arguments of Stack, a network whose layers are written as blocks.
type StackArgs struct {
	Classes int         `arg:"num_classes,optional" doc:"Number of classes."`
	Layers  []LayerArgs `arg:"layer,block" doc:"A convolution with its BN."`
	Head    *HeadArgs   `arg:"head,block,optional" doc:"A layer in front of the last."`
}

// LayerArgs are the arguments of a layer.
type LayerArgs struct {
	Name  string   `arg:"name,label"`
	Width int      `arg:"width" doc:"Number of channels."`
	Size  int      `arg:"kernel,optional" doc:"Height and width of the window."`
	Act   *ActArgs `arg:"act,block,optional" doc:"The activation behind it."`
}

// SetDefaults implements program.Defaulter.
func (a *LayerArgs) SetDefaults() { a.Size = 3 }

// Validate reports a width that no layer has.
func (a LayerArgs) Validate() error {
	if a.Width < 1 {
		return part.Bad("width", "must be positive")
	}
	return nil
}

// ActArgs are the arguments of a layer's activation.
type ActArgs struct {
	Six bool `arg:"six,optional" doc:"Values are at most 6."`
}

// HeadArgs are the arguments of Stack's head.
type HeadArgs struct {
	Width int `arg:"width" doc:"Number of features."`
}

type stack struct{ StackArgs }

// Build makes NAME.{conv,bn,act} for each layer, head.pool, head.fc with a head, and fc.
func (s stack) Build(in []tensor.Shape) (*nn.Graph, error) {
	b := nn.NewBuilder(in[0])
	x := b.Input()
	for i, l := range s.Layers {
		if l.Size > in[0].H {
			return nil, part.Bad(fmt.Sprintf("layer[%d].kernel", i), "is larger than the image")
		}
		x = b.Conv(l.Name+".conv", x, convbn.Conv{OutC: l.Width, Kernel: [2]int{l.Size, l.Size}, Padding: [2]int{l.Size / 2, l.Size / 2}})
		x = b.BatchNorm(l.Name+".bn", x, 0, 0)
		switch {
		case l.Act != nil && l.Act.Six:
			x = b.Act(l.Name+".act", x, kernel.ReLU6)
		case l.Act != nil:
			x = b.Act(l.Name+".act", x, kernel.ReLU)
		}
	}
	x = b.GlobalAvgPool("head.pool", x)
	if s.Head != nil {
		x = b.Linear("head.fc", x, s.Head.Width, true)
	}
	return b.Graph(b.Linear("fc", x, s.Classes, true))
}
