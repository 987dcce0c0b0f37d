package manual

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"qpipe/ops/engine"
	"qpipe/ops/kernel/ref"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
)

const opsHead = `# The ops

This page is generated from the table of ops and the shelf of layers.

Every op has every form: float, calibration and QAT, forward and backward, and int8, whose integers are those of an evaluation of the QAT form at every
node. [numerics.md](numerics.md) has the formulas.

| column | |
|---|---|
| layers | the layers of a [network in the pipeline](networks.md) that are this op and nothing else; modules add several |
| reads | how many values |
| output | **own**: it has a range, and is quantized. **passes**: codes are passed on as they are, with their scale. **joins**: codes of operands with one scale are passed on, others get a range of its own. **float32**: values |
| int8 | **integers**: it reads codes; behind a float32 output it is an island, computed in float32. **also float32**: it passes on float32 values, too. **view**: its output is its operand, nothing is computed |
| kernels | the kernels that its int8 form calls with the layer's default arguments; each kernel set has them at the speed of its instructions. What else it does is plain Go |
| MACs | whether its products are counted as multiply-accumulates |
| fusion | **head**: a BN, an addition and an activation behind it become part of its node. The others say what they are to a head |

| op | layers | reads | output | int8 | kernels | MACs | fusion |
|---|---|---|---|---|---|---|---|
`

// opsPage is the table of ops and forms.
func (m Manual) opsPage() ([]byte, error) {
	layers, kernels := map[string][]string{}, map[string][]string{}
	for _, s := range m.samples() {
		used, err := s.kernels()
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", s.layer, err)
		}
		layers[s.op] = append(layers[s.op], s.layer)
		for _, k := range used {
			if !slices.Contains(kernels[s.op], k) {
				kernels[s.op] = append(kernels[s.op], k)
			}
		}
	}
	var b bytes.Buffer
	b.WriteString(opsHead)
	for _, k := range nn.Kinds() {
		macs := ""
		if k.MACs != nil {
			macs = "yes"
		}
		slices.Sort(kernels[k.Name])
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s | %s | %s |\n", k.Name, codes(layers[k.Name]), reads(k), outputs(k), int8Form(k),
			codes(kernels[k.Name]), macs, fusion(k))
	}
	return b.Bytes(), nil
}

// codes are names as a page shows them.
func codes(names []string) string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = "`" + n + "`"
	}
	return strings.Join(list, ", ")
}

func reads(k *layer.Kind) string {
	most := k.Most
	if k.Role == layer.Head {
		most = k.Least // the other is that of an addition that it has taken in
	}
	switch {
	case most < 0:
		return fmt.Sprintf("%d or more", k.Least)
	case most > k.Least:
		return fmt.Sprintf("%d to %d", k.Least, most)
	}
	return fmt.Sprint(k.Least)
}

func outputs(k *layer.Kind) string {
	return map[layer.Output]string{layer.Own: "own", layer.Passes: "passes", layer.Joins: "joins", layer.Values: "float32"}[k.Output]
}

func int8Form(k *layer.Kind) string {
	switch {
	case k.View:
		return "view"
	case k.Rests:
		return "view; works in training only"
	case k.Least == 0:
		return "quantizes"
	case k.Integer == nil:
		return "an island, computed in float32"
	case k.Floats:
		return "also float32"
	}
	return "integers"
}

func fusion(k *layer.Kind) string {
	return map[layer.Role]string{layer.Head: "head", layer.Norm: "BN", layer.Sum: "addition", layer.Clamp: "activation"}[k.Role]
}

// unit is an observer that always finds the same range.
type unit struct{}

// Range implements quant.Observer.
func (unit) Range([]float32, float32, float32, quant.Spec) (lo, hi float32) { return -1, 1 }

// Averaging implements quant.Observer.
func (unit) Averaging() float32 { return 1 }

// Fixed implements quant.Observer.
func (unit) Fixed() bool { return false }

// kernels are the names of the kernels that the int8 form of the sample's node calls: what its network calls more often than one
// of inputs alone, whose values are quantized, and made values again at the end.
func (s *sample) kernels() ([]string, error) {
	with, err := calls(s.graph)
	if err != nil {
		return nil, err
	}
	without, err := calls(s.inputs)
	if err != nil {
		return nil, err
	}
	var names []string
	for name, n := range with {
		if name == "Values" { // each output once
			n += len(s.inputs.Outputs()) - len(s.graph.Outputs())
		}
		if n > without[name] {
			names = append(names, name)
		}
	}
	return names, nil
}

// calls is how often the int8 form of a network calls which kernel, for one image.
func calls(g *nn.Graph) (map[string]int, error) {
	g.Init(1)
	g.SetQConfig(func(nn.Module) nn.QConfig {
		int8 := quant.Spec{DType: quant.Int8}
		return nn.QConfig{Activation: nn.Quant{Spec: int8, Observer: unit{}}, Weight: nn.Quant{Spec: int8, Observer: unit{}}}
	})
	if err := g.Prepare(nn.Calibration, nn.WithBN); err != nil {
		return nil, err
	}
	workers := engine.NewWorkers(1)
	defer workers.Close()
	var x [][]float32
	for _, in := range g.Inputs() {
		x = append(x, make([]float32, in.Shape.WithN(1).Len()))
	}
	e, err := engine.Compile(g, 1, false, ref.Set(), workers)
	if err != nil {
		return nil, err
	}
	e.ForwardAll(x, 1, engine.Calibrate)
	int8, err := g.Convert()
	if err != nil {
		return nil, err
	}
	set, called := ref.Set(), map[string]int{}
	count("", reflect.ValueOf(set).Elem(), called)
	if e, err = engine.Compile(int8, 1, false, set, workers); err != nil {
		return nil, err
	}
	clear(called) // what is called once, for weights
	e.ForwardAll(x, 1, engine.Eval)
	return called, nil
}

// count counts the calls of every function of a set of kernels, and of those of the structs in it.
func count(prefix string, set reflect.Value, called map[string]int) {
	for i := range set.NumField() {
		name, f := prefix+set.Type().Field(i).Name, set.Field(i)
		switch f.Kind() {
		case reflect.Struct:
			count(name+".", f, called)
		case reflect.Func:
			kernel := reflect.ValueOf(f.Interface())
			f.Set(reflect.MakeFunc(f.Type(), func(args []reflect.Value) []reflect.Value {
				called[name]++
				return kernel.Call(args)
			}))
		}
	}
}
