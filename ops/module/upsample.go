package module

import (
	"qpipe/ops/convbn"
	"qpipe/ops/layer"
	"qpipe/ops/move"
	"qpipe/ops/nn"
)

// ConvTransposeModule2d is a transposed convolution, BatchNorm and activation. Its nodes are name.conv, name.bn and name.act.
type ConvTransposeModule2d struct {
	Conv  convbn.ConvTranspose
	Plain bool     // without BN
	Act   layer.Op // nil for none
	Norm  Norm
}

// Add appends the module to the graph and returns its output.
func (m ConvTransposeModule2d) Add(b *nn.Builder, name string, x nn.Value) nn.Value {
	return behind(b, name, b.ConvTranspose(name+".conv", x, m.Conv), m.Plain, m.Norm, m.Act)
}

// ConvUpsample2d is a ConvModule2d whose output is Factor times as high and wide (name.up).
type ConvUpsample2d struct {
	ConvModule2d
	Factor   int
	Bilinear bool // otherwise every pixel is repeated
}

// Add appends the module to the graph and returns its output.
func (m ConvUpsample2d) Add(b *nn.Builder, name string, x nn.Value) nn.Value {
	return Upsample(b, name+".up", m.ConvModule2d.Add(b, name, x), m.Factor, m.Bilinear)
}

// Upsample makes a map factor times as high and wide, as PyTorch's Upsample does: by repeating pixels, or bilinearly
// without align_corners.
func Upsample(b *nn.Builder, name string, x nn.Value, factor int, bilinear bool) nn.Value {
	s := move.Sampling{Scale: [2]float32{float32(factor), float32(factor)}}
	if bilinear {
		return b.Apply(name, move.ResizeBilinear{Sampling: s}, x)
	}
	return b.Apply(name, move.ResizeNearest{Sampling: s}, x)
}
