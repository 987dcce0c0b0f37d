package module

import (
	"fmt"

	"qpipe/ops/layer"
	"qpipe/ops/nn"
	"qpipe/ops/op"
)

// DenseBlock is a block of DenseNet (Huang et al. 2017): each of Layers layers reads the input and the outputs of all layers
// before it, side by side, and gives Growth channels. A layer, name.N counted from 0, is BN, activation and a 1×1 convolution to
// Bottleneck times Growth channels (norm1, act1, conv1), and BN, activation and a 3×3 convolution (norm2, act2, conv2).
type DenseBlock struct {
	Layers, Growth, Bottleneck int
	Act                        layer.Op
	Norm                       Norm
}

// Add appends the block to the graph and returns its output.
func (d DenseBlock) Add(b *nn.Builder, name string, x nn.Value) nn.Value {
	for i := range d.Layers {
		at := fmt.Sprintf("%s.%d", name, i)
		y := b.Conv(at+".conv1", normed(b, at, "1", x, d.Act, d.Norm), Conv(d.Bottleneck*d.Growth, 1, 1, nil, d.Norm).Conv)
		y = b.Conv(at+".conv2", normed(b, at, "2", y, d.Act, d.Norm), Conv(d.Growth, 3, 1, nil, d.Norm).Conv)
		x = b.Concat(at+".concat", x, y)
	}
	return x
}

// Transition is what stands between two blocks of DenseNet: BN, activation, a 1×1 convolution to OutC channels, and the means
// of windows of 2×2 (name.norm, act, conv and pool).
type Transition struct {
	OutC int
	Act  layer.Op
	Norm Norm
}

// Add appends the module to the graph and returns its output.
func (t Transition) Add(b *nn.Builder, name string, x nn.Value) nn.Value {
	x = b.Conv(name+".conv", normed(b, name, "", x, t.Act, t.Norm), Conv(t.OutC, 1, 1, nil, t.Norm).Conv)
	return b.AvgPool(name+".pool", x, op.PoolArgs{Kernel: [2]int{2, 2}})
}

// normed is BN and activation in front of a convolution.
func normed(b *nn.Builder, name, number string, x nn.Value, act layer.Op, n Norm) nn.Value {
	return b.Apply(name+".act"+number, act, b.BatchNorm(name+".norm"+number, x, n.Eps, n.Momentum))
}
