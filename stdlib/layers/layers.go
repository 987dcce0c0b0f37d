// Package layers is the shelf of layers: it turns arguments into ops and modules of a network that is written in the pipeline.
// It knows no data and no weights. Names and defaults are PyTorch's and HAT's; the number of input channels follows from
// what a layer reads.
package layers

import (
	"errors"

	"qpipe/interp/part"
	"qpipe/ops/curve"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
	"qpipe/ops/op"
)

// applied is a layer of one op.
type applied struct{ op layer.Op }

// Add implements part.Layer.
func (a applied) Add(b *nn.Builder, name string, xs ...nn.Value) nn.Value {
	return b.Apply(name, a.op, xs...)
}

// NoArgs are the arguments of a layer that has none.
type NoArgs struct{}

// Of returns what makes a layer of an op without arguments.
func Of(o layer.Op) func(NoArgs) (part.Layer, error) {
	return func(NoArgs) (part.Layer, error) { return applied{o}, nil }
}

// modular is a module of one operand.
type modular interface {
	Add(b *nn.Builder, name string, x nn.Value) nn.Value
}

// module is a layer of a module.
type module struct{ modular }

// Add implements part.Layer.
func (m module) Add(b *nn.Builder, name string, xs ...nn.Value) nn.Value {
	if len(xs) != 1 {
		return b.Misread(name, 1, xs)
	}
	return m.modular.Add(b, name, xs[0])
}

// The activations of modules, by name.
const none = "none"

// activation is the op of an `act` argument, nil for "none".
func activation(name string) layer.Op {
	switch name {
	case none:
		return nil
	case "relu":
		return op.Act{Act: kernel.ReLU}
	case "relu6":
		return op.Act{Act: kernel.ReLU6}
	}
	return curve.Pointwise{Function: name}
}

// most is the largest extent and number of channels that an argument can name.
const most = 1 << 20

// positive checks numbers that must be at least 1.
func positive(attr string, values ...int) error { return within(attr, 1, values...) }

// within checks that numbers are at least least.
func within(attr string, least int, values ...int) error {
	for _, v := range values {
		if v < least || v > most {
			return part.Bad(attr, "%d; it must be %d to %d", v, least, most)
		}
	}
	return nil
}

// odd checks the size of a kernel that has a middle.
func odd(attr string, v int) error {
	if v%2 == 0 {
		return part.Bad(attr, "%d; it must be odd, so that padding keeps the map's size", v)
	}
	return positive(attr, v)
}

// pads are the rows and columns of padding: one number, two (height and width), or four (top, left, bottom and right).
func pads(list []int) (both [2]int, each [4]int, err error) {
	if len(list) != 4 {
		if len(list) > 2 {
			return both, each, part.Bad("padding", "has %s; give one, two (height and width), or four (top, left, bottom and right)", part.Count(len(list), "number"))
		}
		both, err = pair("padding", list, 0)
		return both, each, err
	}
	return both, [4]int(list), within("padding", 0, list...)
}

// auto is the padding that auto_pad names, "" for none.
func auto(name string, padding []int) (string, error) {
	if name == none {
		return "", nil
	}
	for _, v := range padding {
		if v != 0 {
			return "", part.Bad("auto_pad", "%q chooses the padding by itself; leave padding out", name)
		}
	}
	return name, nil
}

// pair is a list of one number, which stands for both, or of two: height and width.
func pair(attr string, list []int, least int) ([2]int, error) {
	if err := within(attr, least, list...); err != nil {
		return [2]int{}, err
	}
	switch len(list) {
	case 0:
		return [2]int{}, nil
	case 1:
		return [2]int{list[0], list[0]}, nil
	case 2:
		return [2]int{list[0], list[1]}, nil
	}
	return [2]int{}, part.Bad(attr, "has %s; give one, or two: height and width", part.Count(len(list), "number"))
}

// reading turns arguments into those of an op; the first mistake counts.
type reading struct{ err error }

func (r *reading) note(err error) { r.err = errors.Join(r.err, err) }

func (r *reading) positive(attr string, v int) int {
	r.note(positive(attr, v))
	return v
}

func (r *reading) pair(attr string, list []int, least int) [2]int {
	p, err := pair(attr, list, least)
	r.note(err)
	return p
}

func (r *reading) pads(list []int) (both [2]int, each [4]int) {
	both, each, err := pads(list)
	r.note(err)
	return both, each
}

func (r *reading) auto(name string, padding []int) string {
	a, err := auto(name, padding)
	r.note(err)
	return a
}
