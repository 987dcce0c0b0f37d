package arith

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// Scale multiplies each channel by a trained number, and with Bias adds another. The numbers begin with Begin and 0.
type Scale struct {
	Bias  bool    `json:"bias"`
	Begin float64 `json:"begin"`
}

var scaleKind = &layer.Kind{
	Name: "scale", Least: 1, Most: 1, Aligned: true, Rereads: true, Shape: layer.Same,
	Restore: restoreScale, Train: newScale, Integer: newScale8,
}

// Kind implements layer.Op.
func (Scale) Kind() *layer.Kind { return scaleKind }

// Node implements layer.Op.
func (a Scale) Node(in []layer.Source) (*layer.Node, error) {
	if !(math.Abs(a.Begin) <= math.MaxFloat32) {
		return nil, layer.BadArg("Begin", "%g is no finite float32", a.Begin)
	}
	n := layer.Like(scaleKind, in[0])
	n.Body = &scale{Scale: a, channels: n.Shape.C}
	return n, nil
}

// scale is what a node has besides. Its numbers are not quantized: the int8 form has them as they are.
type scale struct {
	Scale
	channels     int
	weight, bias tensor.Param
	int8         bool
	fixed        [2][]float32 // of the int8 form
}

func restoreScale(n *layer.Node, f layer.Fields) (layer.Body, error) {
	b := &scale{channels: n.Shape.C}
	err := f.Read("scale", &b.Scale)
	if err == nil && !(math.Abs(b.Begin) <= math.MaxFloat32) {
		err = errBegin
	}
	return b, err
}

var errBegin = errors.New("its scale begins with no finite float32")

// Clone implements layer.Body.
func (b *scale) Clone() layer.Body {
	c := *b
	c.weight, c.bias = b.weight.Clone(), b.bias.Clone()
	c.fixed = [2][]float32{slices.Clone(b.fixed[0]), slices.Clone(b.fixed[1])}
	return &c
}

// Attrs implements layer.Body.
func (b *scale) Attrs() []layer.Attr { return []layer.Attr{{Key: "scale", Value: b.Scale}} }

// Window implements layer.Body.
func (b *scale) Window() string { return fmt.Sprintf("a bias for each channel: %t", b.Bias) }

// Slots implements layer.Params.
func (b *scale) Slots(name string) []layer.Slot {
	list := []layer.Slot{{Name: name + ".weight", What: "weight", Param: &b.weight}, {Name: name + ".bias", What: "bias", Param: &b.bias}}
	if !b.Bias {
		list = list[:1]
	}
	for i := range list {
		s := &list[i]
		s.Shape = []int{b.channels}
		if b.int8 {
			s.Param, s.F32 = nil, &b.fixed[i]
		}
	}
	return list
}

// Alloc implements layer.Params.
func (b *scale) Alloc() {
	switch {
	case !b.int8:
		b.weight = tensor.NewParam(b.channels)
		layer.Fill(b.weight.Data, 1)
		if b.Bias {
			b.bias = tensor.NewParam(b.channels)
		}
	case b.fixed[0] == nil:
		b.fixed[0] = make([]float32, b.channels)
		if b.Bias {
			b.fixed[1] = make([]float32, b.channels)
		}
	}
}

// Init implements layer.Params.
func (b *scale) Init(func() float64) { layer.Fill(b.weight.Data, float32(b.Begin)) }

// Update implements layer.Params.
func (b *scale) Update() {}

// Release implements layer.Params.
func (b *scale) Release() {}

// BecomeInt8 implements layer.Params.
func (b *scale) BecomeInt8() {
	b.int8, b.weight, b.bias, b.fixed = true, tensor.Param{}, tensor.Param{}, [2][]float32{}
}

// Convert implements layer.Params.
func (b *scale) Convert(float32) error {
	weight, bias := b.weight.Data, b.bias.Data
	for _, v := range slices.Concat(weight, bias) {
		if v-v != 0 {
			return fmt.Errorf("its weight or bias is %v", v)
		}
	}
	b.BecomeInt8()
	b.fixed = [2][]float32{weight, bias}
	return nil
}
