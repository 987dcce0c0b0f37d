// Package optest has the cases of ops that tests try in every form: at least one for each kind. A kind without a case
// fails the tests.
package optest

import (
	"qpipe/ops/convbn"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/op"
	"qpipe/ops/tensor"
)

// Case is an op with its arguments, and operands that it takes.
type Case struct {
	Op layer.Op
	In []tensor.Shape
}

// Cases are the ops that are tried.
func Cases() []Case {
	s, small := tensor.Shape{H: 6, W: 5, C: 4}, tensor.Shape{H: 6, W: 5, C: 3}
	gate, pixels := tensor.Shape{H: 1, W: 1, C: 4}, tensor.Shape{H: 6, W: 5, C: 1}
	pool := op.PoolArgs{Kernel: [2]int{3, 2}, Stride: [2]int{2, 1}, Padding: [2]int{1, 0}}
	counted := pool
	counted.CountIncludePad = true
	return []Case{
		{op.Input{Shape: s}, nil},
		{op.Add{}, []tensor.Shape{s, s}},
		{op.Mul{}, []tensor.Shape{s, s}},
		{op.Mul{}, []tensor.Shape{s, gate}},
		{op.Mul{}, []tensor.Shape{pixels, s}},
		{op.Mul{}, []tensor.Shape{pixels, gate}},
		{op.Concat{}, []tensor.Shape{s, small}},
		{op.Concat{}, []tensor.Shape{s, small, s}},
		{op.MaxPool(pool), []tensor.Shape{s}},
		{op.AvgPool(pool), []tensor.Shape{s}},
		{op.AvgPool(counted), []tensor.Shape{s}},
		{op.MaxPool{Kernel: [2]int{2, 3}, Stride: [2]int{3, 2}, Dilation: [2]int{2, 2}, Pads: [4]int{0, 1, 2, 3}}, []tensor.Shape{s}},
		{op.MaxPool{Kernel: [2]int{2, 2}, Stride: [2]int{3, 2}, Pads: [4]int{1, 0, 0, 1}, Ceil: true}, []tensor.Shape{small}},
		{op.AvgPool{Kernel: [2]int{3, 4}, Stride: [2]int{2, 3}, Auto: "same_upper"}, []tensor.Shape{s}},
		{op.AvgPool{Kernel: [2]int{4, 3}, Stride: [2]int{3, 2}, Padding: [2]int{1, 0}, Ceil: true, CountIncludePad: true}, []tensor.Shape{s}},
		{op.GlobalAvgPool{}, []tensor.Shape{s}},
		{op.Flatten{}, []tensor.Shape{s}},
		{op.Act{Act: kernel.ReLU}, []tensor.Shape{s}},
		{op.Act{Act: kernel.ReLU6}, []tensor.Shape{s}},
		{op.Pointwise{Function: "hard_swish"}, []tensor.Shape{s}},
		{convbn.Conv{OutC: 6, Kernel: [2]int{3, 2}, Stride: [2]int{2, 1}, Padding: [2]int{1, 0}, Groups: 2, Bias: true}, []tensor.Shape{s}},
		{convbn.Conv{OutC: 4, Kernel: [2]int{3, 3}, Padding: [2]int{2, 2}, Dilation: [2]int{2, 2}, Groups: 4}, []tensor.Shape{s}},
		{convbn.Conv{OutC: 5, Kernel: [2]int{2, 4}, Stride: [2]int{1, 2}, Auto: "same_upper"}, []tensor.Shape{s}},
		{convbn.Conv{OutC: 3, Kernel: [2]int{2, 1}, Pads: [4]int{0, 1, 3, 4}}, []tensor.Shape{small}},
		{convbn.Conv{OutC: 4, Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Pads: [4]int{0, 0, 2, 1}, Groups: 4, Bias: true}, []tensor.Shape{s}},
		{convbn.Linear{Out: 3, Bias: true}, []tensor.Shape{s}},
		{convbn.BatchNorm{}, []tensor.Shape{s}},
	}
}

// Of returns the cases of a kind.
func Of(k *layer.Kind) []Case {
	var list []Case
	for _, c := range Cases() {
		if c.Op.Kind() == k {
			list = append(list, c)
		}
	}
	return list
}

// Sources are the case's operands as an op sees them.
func (c Case) Sources() []layer.Source {
	var list []layer.Source
	for _, s := range c.In {
		list = append(list, layer.Source{Name: "x", Shape: s, Origin: s})
	}
	return list
}
