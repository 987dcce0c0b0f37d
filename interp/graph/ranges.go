package graph

import (
	"fmt"
	"math"
	"slices"

	"qpipe/interp/checkpoint"
	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/ops/nn"
)

// stageRanges are the tensors with ranges in the checkpoint of a stage: its nodes have
// been observed, or their ranges are fixed.
func stageRanges(g *nn.Graph) []string {
	none := g.Unobserved()
	var names []string
	for _, t := range g.Tensors() {
		if node, ok := nn.RangeOf(t.Name); ok && !slices.Contains(none, node) {
			names = append(names, t.Name)
		}
	}
	return names
}

// fileRanges are the tensors of a file that hold a range. One that is not observed is
// written as +Inf to -Inf.
func fileRanges(tensors []nn.Tensor) []string {
	var names []string
	for _, t := range tensors {
		r, ok := t.Data.([]float32)
		if _, is := nn.RangeOf(t.Name); !is || !ok || len(r) != 2 {
			continue
		}
		if !math.IsInf(float64(r[0]), 1) || !math.IsInf(float64(r[1]), -1) {
			names = append(names, t.Name)
		}
	}
	return names
}

// takeRanges notes which nodes have a range after a checkpoint with these ones is loaded.
func (w *walk) takeRanges(tensors []string, o part.LoadOptions) {
	for _, name := range tensors {
		if node, ok := nn.RangeOf(checkpoint.Renamed(name, o.Rename)); ok {
			w.c.Model.Observed(node)
		}
	}
}

func (w *walk) allObserved() { observed(w.c.Model) }

// observed notes that every node has a range.
func observed(g *nn.Graph) {
	for _, node := range g.Unobserved() {
		g.Observed(node)
	}
}

// observed reports nodes that would become int8 without a range.
func (w *walk) observed() bool {
	none := w.c.Model.Unobserved()
	if len(none) == 0 {
		return true
	}
	d := diag.Diagnostic{
		Code: diag.NoRange, Subject: w.call.Origin.Header, Address: w.call.Origin.Address, Module: none[0],
		Summary: fmt.Sprintf("%s cannot become int8: no range is known to quantize with", some(none)),
		Detail:  "Nothing has observed these nodes: " + diag.Enumerate(none) + ". " + w.observer(),
	}
	if w.last != nil {
		d.Related = []diag.Related{{Message: "the checkpoint that is loaded has no ranges for them", Range: w.last.Origin.Header}}
	}
	w.fail(d)
	return false
}

// observer says where ranges come from.
func (w *walk) observer() string {
	const fixed = ` A range that is known without data is observer = "fixed_scale".`
	for i := len(w.plan.Stages) - 1; i >= 0; i-- {
		s := w.plan.Stages[i]
		if s.Model != nil && s.Stage.Model == w.s.Stage.Model && len(s.Writes) > 0 && (s.Model.Form() == nn.QAT || s.Model.Form() == nn.Calibration) {
			return fmt.Sprintf(`Load a model that was calibrated or trained quantized, behind Float2QAT: checkpoint_path = stage.%s.checkpoint.last.`, s.Name) + fixed
		}
	}
	return "Calibrate the model, or train it quantized, in a stage of its own (Float2Calibration and a calibrator, or Float2QAT and a trainer), and load that stage's checkpoint behind Float2QAT." + fixed
}

// unquantized warns of a stage that evaluates a quantized form whose nodes have no
// ranges: they are computed in float32.
func (l *lowerer) unquantized(s *Stage) {
	none := s.Model.Unobserved()
	if f := s.Model.Form(); len(none) == 0 || f != nn.QAT && f != nn.Calibration {
		return
	}
	if s.Trainer != nil || s.Calibrator != nil {
		observed(s.Model)
		return
	}
	l.fail(diag.Diagnostic{
		Code: diag.NoRange, Severity: diag.Warning, Subject: s.Origin.Header, Address: s.Origin.Address, Module: none[0],
		Summary: fmt.Sprintf("stage %q evaluates %s without quantizing, since no range is known", s.Name, some(none)),
		Detail:  "What it measures is not what an int8 model would give. Load a model that was calibrated or trained quantized, behind the converter that prepares it.",
	})
}

// some names one of a few nodes.
func some(nodes []string) string {
	if more := len(nodes) - 1; more > 0 {
		return fmt.Sprintf("%s and %s", nodes[0], count(more, "more node"))
	}
	return nodes[0]
}
