// Package norm has the normalizations whose statistics are those of the image at hand: group, instance and layer norm. They
// have no running statistics, so training, evaluation and the int8 form compute the same.
//
// Elements are d·u: d is a code less its zero point and u the scale, or d is the value and u is 1. The sums Σd and Σd² of codes
// are integers, which float64 holds exactly, so mean and variance do not depend on the order in which they were added, nor on
// who added them.
package norm

import (
	"fmt"

	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// GroupNorm normalizes groups of channels, each over all pixels (Wu and He, 2018). With Affine each channel has a trained weight
// and bias. A zero Eps means 1e-5, as in PyTorch.
type GroupNorm struct {
	Groups int
	Eps    float64
	Affine bool
}

// InstanceNorm normalizes every channel by itself: a GroupNorm with as many groups as channels.
type InstanceNorm struct {
	Eps    float64
	Affine bool
}

// LayerNorm normalizes all channels of each pixel, as ConvNeXt does, with a weight and a bias for each channel; or, with Whole,
// all elements of an image, with a weight and a bias for each element, as PyTorch's LayerNorm does over all axes.
type LayerNorm struct {
	Whole  bool
	Eps    float64
	Affine bool
}

// args are the arguments as structures have them: Groups is 0 for a layer norm.
type args struct {
	Groups int     `json:"groups,omitempty"`
	Whole  bool    `json:"whole,omitempty"`
	Eps    float64 `json:"eps"`
	Affine bool    `json:"affine"`
}

var (
	groupKind = normalizing("group_norm", true)
	layerKind = normalizing("layer_norm", false)
)

// Kinds are the ops of this package, a row each.
func Kinds() []*layer.Kind { return []*layer.Kind{groupKind, layerKind} }

func normalizing(name string, groups bool) *layer.Kind {
	k := &layer.Kind{
		Name: name, Least: 1, Most: 1, Aligned: true, Rereads: true,
		Shape: func(n *layer.Node, in []tensor.Shape) (tensor.Shape, error) { return in[0], bodyOf(n).check(in[0]) },
		Room:  room,
		Cost:  func(*layer.Node) layer.Cost { return layer.Cost{Work: 4, Per: 8} },
		Train: func(n *layer.Node, b *layer.Bench) layer.Runner {
			if bodyOf(n).perPixel() {
				return newPixels(n, b)
			}
			return newImages(n, b)
		},
		Label: func(n *layer.Node) string { return layer.ArgumentLabel(name, bodyOf(n).args) },
		Integer: func(n *layer.Node, b *layer.Bench) layer.Integer {
			if bodyOf(n).perPixel() {
				return newPixels8(n, b)
			}
			return newImages8(n, b)
		},
	}
	k.Restore = func(n *layer.Node, f layer.Fields) (layer.Body, error) {
		b := &body{key: name, shape: n.Shape}
		if err := f.Read(name, &b.args); err != nil {
			return nil, err
		}
		if (b.Groups > 0) != groups || b.Groups > 0 && b.Whole {
			return nil, fmt.Errorf("%+v are no arguments of %s", b.args, name)
		}
		return b, b.check(n.Shape)
	}
	return k
}

// Kind implements layer.Op.
func (GroupNorm) Kind() *layer.Kind { return groupKind }

// Node implements layer.Op.
func (a GroupNorm) Node(in []layer.Source) (*layer.Node, error) {
	if a.Groups < 1 {
		return nil, layer.BadArg("Groups", "%d groups", a.Groups)
	}
	return node(groupKind, in[0], args{Groups: a.Groups, Eps: a.Eps, Affine: a.Affine})
}

// Kind implements layer.Op.
func (InstanceNorm) Kind() *layer.Kind { return groupKind }

// Node implements layer.Op.
func (a InstanceNorm) Node(in []layer.Source) (*layer.Node, error) {
	return GroupNorm{Groups: in[0].Shape.C, Eps: a.Eps, Affine: a.Affine}.Node(in)
}

// Kind implements layer.Op.
func (LayerNorm) Kind() *layer.Kind { return layerKind }

// Node implements layer.Op.
func (a LayerNorm) Node(in []layer.Source) (*layer.Node, error) {
	return node(layerKind, in[0], args{Whole: a.Whole, Eps: a.Eps, Affine: a.Affine})
}

func node(k *layer.Kind, in layer.Source, a args) (*layer.Node, error) {
	if a.Eps == 0 {
		a.Eps = 1e-5
	}
	n := layer.Like(k, in)
	b := &body{key: k.Name, args: a, shape: in.Shape}
	n.Body = b
	return n, b.check(in.Shape)
}

// check refuses arguments that do not fit a map.
func (b *body) check(s tensor.Shape) error {
	switch {
	case !(b.Eps > 0 && b.Eps < 1):
		return layer.BadArg("Eps", "%g is not between 0 and 1", b.Eps)
	case b.Groups > 0 && s.C%b.Groups != 0:
		return layer.BadArg("Groups", "the channels of %v cannot be divided by %d", s, b.Groups)
	case b.shape != s:
		return fmt.Errorf("it is for %v", b.shape)
	}
	return nil
}

func room(n *layer.Node, b *layer.Bench) layer.Room {
	r := layer.Room{NoAcc: true, Block: n.RowRoom()}
	if body := bodyOf(n); !body.perPixel() {
		r.Block.F32, r.Bytes = imageRoom(n, b)
	}
	return r
}
