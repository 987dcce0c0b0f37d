package manual

import (
	"fmt"
	"reflect"

	"qpipe/interp/part"
	"qpipe/lang/program"
	"qpipe/ops/move"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// sample is a layer of the catalogue that adds one node, in a network of nothing else.
type sample struct {
	layer  string
	op     string
	graph  *nn.Graph
	inputs *nn.Graph // the same inputs, and nothing that computes
}

// samples are the layers that add one node each, with their default arguments and each of the values that an argument names.
// What is required gets a value that fits one of a few maps.
func (m Manual) samples() (list []sample) {
	for _, p := range m.Catalog {
		if p.Kind != program.LayerKind {
			continue
		}
		done := map[string]bool{}
		for _, args := range variants(p) {
			s, ok := m.sample(p.Name, args)
			if ok && !done[s.op] {
				done[s.op] = true
				list = append(list, s)
			}
		}
	}
	return list
}

// variants are the arguments to try: with each choice of each argument that has some, and with other numbers where these are
// required.
func variants(p part.Part) (list []any) {
	for _, number := range []int{4, 3, 2} {
		list = append(list, filled(p, number, "", ""))
		for f := range program.Arguments(p.Args()) {
			for _, v := range f.OneOf {
				list = append(list, filled(p, number, f.Name, v))
			}
		}
	}
	return list
}

// filled are the arguments with a number for every required one, and one argument chosen.
func filled(p part.Part, number int, name, choice string) any {
	args, reals := p.Args(), -1.0
	for f, v := range program.Arguments(args) {
		if f.Name == name && v.Kind() == reflect.String {
			v.SetString(choice)
		}
		if f.Optional {
			continue
		}
		switch v.Interface().(type) {
		case int:
			v.SetInt(int64(number))
		case []int:
			v.Set(reflect.ValueOf([]int{number}))
		case float64: // each larger than the one before
			v.SetFloat(reals)
			reals++
		case []string:
			v.Set(reflect.ValueOf([]string{"channels", "height", "width"}))
		}
	}
	return reflect.ValueOf(args).Elem().Interface()
}

// sample adds a layer to maps of a size that it takes, as many as it takes; false where there is none, or where it adds several
// nodes.
func (m Manual) sample(name string, args any) (sample, bool) {
	l, err := part.New[part.Layer](m.Catalog, part.Call{Kind: program.LayerKind, Type: name, Args: args})
	if err != nil {
		return sample{}, false
	}
	for _, s := range []tensor.Shape{{H: 4, W: 4, C: 4}, {H: 4, W: 4, C: 16}, {H: 1, W: 4, C: 4}} {
		for operands := 1; operands <= 2; operands++ {
			b, xs := inputs(s, operands)
			g, err := b.Graph(l.Add(b, "layer", xs...))
			if err != nil {
				continue
			}
			if nodes := g.Modules()[operands:]; len(nodes) == 1 && len(nodes[0].Members) == 1 {
				b, xs := inputs(s, operands)
				for i, x := range xs { // an int8 form needs a node; this one copies
					xs[i] = b.Apply(fmt.Sprint("copy", i), move.Slice{}, x)
				}
				alone, err := b.Graph(xs...)
				return sample{name, nodes[0].Op, g, alone}, err == nil
			}
		}
	}
	return sample{}, false
}

// inputs begins a network with inputs of one shape.
func inputs(s tensor.Shape, count int) (*nn.Builder, []nn.Value) {
	b := nn.NewBuilder(s)
	xs := []nn.Value{b.Input()}
	for i := 1; i < count; i++ {
		xs = append(xs, b.AddInput(fmt.Sprint("more", i), s))
	}
	return b, xs
}

// LayersOf lists, by the name of an op, the layers of the catalogue that add a node of it and nothing else.
func (m Manual) LayersOf() map[string][]string {
	layers := map[string][]string{}
	for _, s := range m.samples() {
		layers[s.op] = append(layers[s.op], s.layer)
	}
	return layers
}
