package norm

import (
	"fmt"
	"slices"

	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// body is what a node has besides: its arguments, and with Affine its weights and biases, by channel or, of a whole image, by
// element in the order of memory. The int8 form has them as they are.
type body struct {
	args
	key          string // the op's name
	shape        tensor.Shape
	weight, bias tensor.Param
	int8         bool
	w, b         []float32 // of the int8 form
}

func bodyOf(n *layer.Node) *body { return n.Body.(*body) }

// perPixel reports whether each pixel is normalized by itself.
func (b *body) perPixel() bool { return b.Groups == 0 && !b.Whole }

// factors are the weights and the biases; nil where there are none.
func (b *body) factors() (w, bias []float32) {
	switch {
	case !b.Affine:
		return nil, nil
	case b.int8:
		return b.w, b.b
	}
	return b.weight.Data, b.bias.Data
}

// count is how many weights there are.
func (b *body) count() int {
	switch {
	case !b.Affine:
		return 0
	case b.Whole:
		return b.shape.WithN(1).Len()
	}
	return b.shape.C
}

// Clone implements layer.Body.
func (b *body) Clone() layer.Body {
	c := *b
	c.weight, c.bias = b.weight.Clone(), b.bias.Clone()
	c.w, c.b = slices.Clone(b.w), slices.Clone(b.b)
	return &c
}

// Attrs implements layer.Body.
func (b *body) Attrs() []layer.Attr { return []layer.Attr{{Key: b.key, Value: b.args}} }

// Window implements layer.Body.
func (b *body) Window() string { return fmt.Sprintf("%s %+v", b.key, b.args) }

// Slots implements layer.Params. The weights of a whole image are, in files, in PyTorch's order: channel, row, column.
func (b *body) Slots(name string) []layer.Slot {
	if !b.Affine {
		return nil
	}
	w := layer.Slot{Name: name + ".weight", Shape: []int{b.shape.C}, What: "weight"}
	if b.Whole {
		w.Shape = []int{b.shape.C, b.shape.H, b.shape.W}
		w.Geom = &kernel.Conv{OutC: 1, C: b.shape.C, KH: b.shape.H, KW: b.shape.W, Groups: 1}
	}
	bias := w
	bias.Name, bias.What = name+".bias", "bias"
	if b.int8 {
		w.F32, bias.F32 = &b.w, &b.b
	} else {
		w.Param, bias.Param = &b.weight, &b.bias
	}
	return []layer.Slot{w, bias}
}

// Alloc implements layer.Params.
func (b *body) Alloc() {
	switch n := b.count(); {
	case !b.int8:
		b.weight, b.bias = tensor.NewParam(n), tensor.NewParam(n)
		layer.Fill(b.weight.Data, 1)
	case b.w == nil:
		b.w, b.b = make([]float32, n), make([]float32, n)
	}
}

// Init implements layer.Params.
func (b *body) Init(func() float64) {
	layer.Fill(b.weight.Data, 1)
	clear(b.bias.Data)
}

// Update implements layer.Params.
func (b *body) Update() {}

// Release implements layer.Params.
func (b *body) Release() {}

// BecomeInt8 implements layer.Params.
func (b *body) BecomeInt8() {
	b.int8, b.weight, b.bias, b.w, b.b = true, tensor.Param{}, tensor.Param{}, nil, nil
}

// Convert implements layer.Params.
func (b *body) Convert(float32) error {
	w, bias := b.weight.Data, b.bias.Data
	for i := range w {
		if w[i]-w[i] != 0 || bias[i]-bias[i] != 0 {
			return fmt.Errorf("its weight %d is %v, its bias %v", i, w[i], bias[i])
		}
	}
	b.BecomeInt8()
	b.w, b.b = w, bias
	return nil
}
