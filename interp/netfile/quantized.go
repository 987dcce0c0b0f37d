package netfile

import (
	"fmt"

	"qpipe/interp/checkpoint"
	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/onnx/importer"
	"qpipe/onnx/model"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
)

// quantized is a file's network in the form of the model that loads it, with the file's grids as ranges. Each node is quantized as in
// that model if its qconfig has the file's grid, and else as in the file: so the two can be compared.
func quantized(net *importer.Net, like *nn.Graph, o part.LoadOptions) (*checkpoint.Snapshot, error) {
	g := net.Graph
	g.Init(1)
	if err := g.SetTensors(net.Weights); err != nil {
		return nil, err
	}
	if err := g.SetTarget(like.Target()); err != nil {
		return nil, err
	}
	configs := map[string]nn.QConfig{}
	for _, m := range like.Modules() {
		configs[m.Name] = m.QConfig
	}
	grids, err := byNode(net.Grids)
	if err != nil {
		return nil, err
	}
	grids = ofModules(g.Modules(), grids)
	ranges := map[string][2]float32{}
	errs := g.SetQConfig(func(m nn.Module) nn.QConfig {
		q := configs[checkpoint.Renamed(m.Name, o)]
		q.Activation.Observer = given{}
		if of, has := grids[m.Name]; has {
			q.Activation.Spec = specOf(of, q.Activation.Spec)
			lo, hi := q.Activation.Spec.RangeOf(of.Grid)
			ranges[m.Name] = [2]float32{lo, hi}
		}
		return q
	})
	if len(errs) > 0 {
		return nil, fmt.Errorf("%w (in the file)", errs[0])
	}
	if err := g.Prepare(like.Form(), like.Mode()); err != nil {
		return nil, err
	}
	for node, r := range ranges {
		g.SetRange(node, r[0], r[1])
	}
	return &checkpoint.Snapshot{Form: g.Form(), Mode: g.Mode(), Structure: g.Structure(), Model: g.Tensors()}, nil
}

// ofModules are the grids by the fused node whose values have them. A node that passes codes on has its operand's: the file's grid of it
// is that node's if it has none.
func ofModules(modules []nn.Module, grids map[string]fileGrid) map[string]fileGrid {
	at, list := map[string]nn.Module{}, map[string]fileGrid{}
	var passed []nn.Module
	for _, m := range modules {
		at[m.Name] = m
		if _, has := grids[output(m)]; has && m.HasQuant {
			list[m.Name] = grids[output(m)]
		} else if has {
			passed = append(passed, m)
		}
	}
	for _, m := range passed {
		from := m
		for !from.HasQuant && len(from.Inputs) == 1 {
			from = at[from.Inputs[0]]
		}
		if _, has := list[from.Name]; !has && from.HasQuant {
			list[from.Name] = grids[output(m)]
		}
	}
	return list
}

// output is the member of a node whose values are the node's.
func output(m nn.Module) string { return m.Members[len(m.Members)-1] }

// fileGrid is a grid of a file and the type of its codes.
type fileGrid struct {
	quant.Grid
	dtype quant.DType
}

// byNode are the grids of a file by the node whose values have them. Types that qpipe does not have are an error, all of them at once.
func byNode(list []importer.Grid) (map[string]fileGrid, error) {
	grids := map[string]fileGrid{}
	var others []string
	for _, f := range list {
		dtype, known := map[model.Type]quant.DType{
			model.Int4: quant.Int4, model.Int8: quant.Int8, model.Int16: quant.Int16, model.Uint8: quant.UInt8,
		}[f.Type]
		if !known {
			others = append(others, fmt.Sprintf("%s (%s)", f.Node, f.Type))
			continue
		}
		if _, twice := grids[f.Node]; !twice {
			lowest, highest := quant.Spec{DType: dtype}.Limits()
			zero := int32(min(max(f.Zero, int64(lowest)), int64(highest)))
			grids[f.Node] = fileGrid{quant.Grid{Step: float32(f.Scale), Lowest: lowest - zero, Highest: highest - zero}, dtype}
		}
	}
	if len(others) > 0 {
		return nil, fmt.Errorf("it quantizes values to types that qpipe does not have: %s; quantize to int8 or uint8, or load it before the model is prepared, which reads its weights alone", diag.Enumerate(others))
	}
	return grids, nil
}

// specOf is a qconfig's spec if it has the file's grid, and else one that has it.
func specOf(f fileGrid, s quant.Spec) quant.Spec {
	if s.Has(f.Grid) || !s.Quantized() {
		return s
	}
	s.DType, s.Scheme = f.dtype, quant.Affine
	if f.dtype == quant.Int16 { // a range with a zero point at 0 has this grid's end
		s.Scheme = quant.Symmetric
	}
	return s
}

// given is an observer of ranges that come from elsewhere.
type given struct{}

// Range implements quant.Observer.
func (given) Range(_ []float32, lo, hi float32, _ quant.Spec) (float32, float32) { return lo, hi }

// Averaging implements quant.Observer.
func (given) Averaging() float32 { return 0 }

// Fixed implements quant.Observer.
func (given) Fixed() bool { return false }
