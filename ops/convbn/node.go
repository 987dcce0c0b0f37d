package convbn

import (
	"math"
	"slices"

	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/quant"
	"qpipe/ops/spread"
	"qpipe/ops/tensor"
)

// Mode says what becomes of BN while training quantized (numerics.md, "Conv +
// BN + quant node"). A node without BN computes as fuse_bn whatever the mode.
type Mode uint8

// The modes.
const (
	FuseBN Mode = iota
	WithBN
	ReverseFold
)

// BN is a batch normalization over C channels.
type BN struct {
	Name          string // of its member in the network
	C             int
	Eps, Momentum float64
	Frozen        bool // training uses and keeps the running statistics
	Gamma, Beta   tensor.Param
	Mean, Var     []float32
}

// Alloc makes the parameters and statistics of a BN that changes nothing.
func (b *BN) Alloc() {
	b.Gamma, b.Beta = tensor.NewParam(b.C), tensor.NewParam(b.C)
	b.Mean, b.Var = make([]float32, b.C), make([]float32, b.C)
	for i := range b.C {
		b.Gamma.Data[i], b.Var[i] = 1, 1
	}
}

// Clone returns a deep copy.
func (b *BN) Clone() *BN {
	if b == nil {
		return nil
	}
	c := *b
	c.Gamma, c.Beta = b.Gamma.Clone(), b.Beta.Clone()
	c.Mean, c.Var = slices.Clone(b.Mean), slices.Clone(b.Var)
	return &c
}

// Scale is s = γ/√(σ²+ε) of channel c with running statistics: the one
// expression of it, in the forward pass, in folding and in absorption.
func (b *BN) Scale(c int) float32 {
	return float32(float64(b.Gamma.Data[c]) / math.Sqrt(float64(b.Var[c])+b.Eps))
}

// Shift is (bias - μ)·s + β of channel c.
func (b *BN) Shift(c int, bias float32) float32 {
	d := float32(bias-b.Mean[c]) * b.Scale(c)
	return float32(d) + b.Beta.Data[c]
}

// Node is the node's structure, parameters and state. Geom.N is 0. Without
// parameters (before Alloc) the slices are nil.
type Node struct {
	Linear bool // a linear layer: files hold its weight as (out, in)
	Geom   kernel.Conv
	Up     *spread.Pixels // of a transposed convolution, which Geom computes of the spread input; else nil
	Act    kernel.Act
	Add    bool // a second operand is added before the activation
	Bias   bool
	BN     *BN
	Mode   Mode
	Weight quant.Spec // Float32: the weight is not quantized
	Frozen bool       // the weight's scales are WScale and stay
	W, B   tensor.Param
	WScale []float32 // of the weights, as last computed or frozen; one a channel or one for all
	Int8   *Int8     // set in the int8 form, where W, B and BN are gone
	Island bool      // a float island of the int8 form: BN is gone; a quantized weight is in Int8, and the bias is B
}

// Alloc makes the parameters, all zero.
func (n *Node) Alloc() {
	if n.Int8 != nil {
		if n.Int8.W == nil {
			n.allocCodes()
		}
		return
	}
	n.W = tensor.NewParam(n.Geom.WeightLen())
	if n.Bias {
		n.B = tensor.NewParam(n.Geom.OutC)
	}
	if n.BN != nil {
		n.BN.Alloc()
	}
	if n.Weight.Quantized() {
		n.WScale = make([]float32, n.Scales())
	}
}

// Scales is the number of weight scales.
func (n *Node) Scales() int {
	if n.Weight.PerChannel {
		return n.Geom.OutC
	}
	return 1
}

// Clone implements layer.Body: a deep copy.
func (n *Node) Clone() layer.Body {
	c := *n
	c.W, c.B, c.BN = n.W.Clone(), n.B.Clone(), n.BN.Clone()
	c.WScale, c.Int8 = slices.Clone(n.WScale), n.Int8.clone()
	return &c
}
