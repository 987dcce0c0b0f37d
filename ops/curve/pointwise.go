package curve

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"qpipe/ops/kernel/formula"
	"qpipe/ops/layer"
)

// Pointwise applies a function of one number to every element: one of the curves, by name. Args are the numbers that
// the curve has besides, by their names; those that are not given are the usual ones.
//
// Of codes it is a table of 256 entries, the same in every form: the function's value in float32 for each code,
// and what that is quantized to.
type Pointwise struct {
	Function string
	Args     map[string]float64
}

// curve is a function with its derivative.
type curve struct{ f, slope function }

// steps are a curve as kernels compute it.
type steps struct{ f, slope *formula.Formula }

func (c curve) steps() steps { return steps{formula.New(c.f), formula.New(c.slope)} }

// room is what they need.
func (s steps) room() int { return max(s.f.Room(), s.slope.Room()) }

// number is one that a curve has besides its operand: what it is called, and what it usually is. Where that is infinite there is
// usually none.
type number struct {
	name  string
	usual float64
}

// curveKind is the row of a curve.
type curveKind struct {
	*layer.Kind
	numbers []number
	of      func(a []float64) curve // the curve with those numbers
	check   func(a []float64) error // whether they fit together; nil for always
}

// plain is the row of a curve without numbers, shaped that of one with some.
func plain(name string, f, slope function) *curveKind {
	return shaped(name, func([]float64) curve { return curve{f, slope} }, nil)
}

func shaped(name string, of func(a []float64) curve, check func(a []float64) error, numbers ...number) *curveKind {
	k := &curveKind{numbers: numbers, of: of, check: check}
	k.Kind = &layer.Kind{
		Name: name, Least: 1, Most: 1, Flat: true, Aligned: true, Rereads: true, Shape: layer.Same,
		Train:   func(n *layer.Node, b *layer.Bench) layer.Runner { return newPointwise(k.steps(n), n, b) },
		Integer: func(n *layer.Node, b *layer.Bench) layer.Integer { return newPointwise8(k.steps(n), n, b) },
		Room: func(n *layer.Node, _ *layer.Bench) layer.Room {
			r := n.PlainRoom()
			r.Block.F64 = k.steps(n).room()
			return r
		},
	}
	if len(numbers) > 0 {
		k.Restore = k.restore
		k.Label = func(n *layer.Node) string { return n.Kind.Name + n.Body.(*curveBody).unusual() }
	}
	return k
}

// inTFLite is the row with the grid that TFLite prescribes.
func (k *curveKind) inTFLite(scale float64, zero int) *curveKind {
	k.TFLite = layer.Prescribed{Scale: scale, Zero: zero}
	return k
}

// steps are those of a node.
func (k *curveKind) steps(n *layer.Node) steps {
	var a []float64
	if b, ok := n.Body.(*curveBody); ok {
		a = b.values
	}
	return k.of(a).steps()
}

func (p Pointwise) row() *curveKind {
	for _, k := range curveKinds {
		if k.Name == p.Function {
			return k
		}
	}
	return nil
}

// Kind implements Op.
func (p Pointwise) Kind() *layer.Kind {
	if k := p.row(); k != nil {
		return k.Kind
	}
	return nil
}

// Node implements Op.
func (p Pointwise) Node(in []layer.Source) (*layer.Node, error) {
	k := p.row()
	if k == nil {
		return nil, layer.BadArg("Function", "there is no function %q", p.Function)
	}
	n := layer.Like(k.Kind, in[0])
	body, err := k.body(p.Args)
	if err != nil {
		return nil, &layer.ArgError{Attr: "Args", Err: err}
	}
	if len(k.numbers) > 0 {
		n.Body = body
	}
	return n, nil
}

// body is that of a node with those numbers.
func (k *curveKind) body(args map[string]float64) (*curveBody, error) {
	b := &curveBody{numbers: k.numbers}
	for _, x := range k.numbers {
		v, given := args[x.name]
		if !given {
			v = x.usual
		} else if !(math.Abs(v) <= math.MaxFloat32) {
			return nil, fmt.Errorf("%s = %g is no finite float32", x.name, v)
		}
		b.values = append(b.values, v)
	}
	for _, name := range slices.Sorted(maps.Keys(args)) {
		if !slices.ContainsFunc(k.numbers, func(x number) bool { return x.name == name }) {
			return nil, fmt.Errorf("%s has no %q", k.Name, name)
		}
	}
	if k.check != nil {
		if err := k.check(b.values); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// curveBody has the numbers of a curve.
type curveBody struct {
	numbers []number
	values  []float64
}

// Clone implements layer.Body.
func (b *curveBody) Clone() layer.Body { return &curveBody{b.numbers, slices.Clone(b.values)} }

// Attrs implements layer.Body.
func (b *curveBody) Attrs() []layer.Attr {
	a := map[string]float64{}
	for i, x := range b.numbers {
		if v := b.values[i]; !math.IsInf(v, 0) {
			a[x.name] = v
		}
	}
	return []layer.Attr{{Key: "curve", Value: a}}
}

// unusual lists the numbers that are not the usual ones.
func (b *curveBody) unusual() (words string) {
	for i, x := range b.numbers {
		if b.values[i] != x.usual {
			words += fmt.Sprintf(" %s %.4g", x.name, b.values[i])
		}
	}
	return words
}

// Window implements layer.Body.
func (b *curveBody) Window() string {
	var words []string
	for i, x := range b.numbers {
		words = append(words, fmt.Sprintf("%s = %g", x.name, b.values[i]))
	}
	return strings.Join(words, ", ")
}

func (k *curveKind) restore(_ *layer.Node, f layer.Fields) (layer.Body, error) {
	var read map[string]*float64
	if err := f.Read("curve", &read); err != nil {
		return nil, err
	}
	args := map[string]float64{}
	for _, x := range k.numbers {
		if read[x.name] == nil && !math.IsInf(x.usual, 0) {
			return nil, fmt.Errorf("its curve has no %s", x.name)
		}
	}
	for name, v := range read {
		if v == nil {
			return nil, fmt.Errorf("%s of its curve is no number", name)
		}
		args[name] = *v
	}
	return k.body(args)
}
