package lower

import (
	"fmt"
	"math"
	"slices"

	"qpipe/interp/checkpoint"
	"qpipe/interp/graph"
	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/ops/nn"
)

// stageRanges lists the range tensors that will be known in the checkpoint of a stage: those
// of nodes that are observed or have a fixed range.
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

// fileRanges lists the range tensors of a file that hold a range. The range of a node that was
// never observed is (+Inf, -Inf).
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

// takeRanges marks the nodes that have a range after a checkpoint with these range tensors is loaded.
func (w *walk) takeRanges(tensors []string, o part.LoadOptions) {
	for _, name := range tensors {
		if node, ok := nn.RangeOf(checkpoint.Renamed(name, o)); ok {
			w.c.Model.Observed(node)
		}
	}
}

// allObserved marks all nodes of the model as having a range.
func (w *walk) allObserved() { observed(w.c.Model) }

// observed marks all nodes of a graph as having a range.
func observed(g *nn.Graph) {
	for _, node := range g.Unobserved() {
		g.Observed(node)
	}
}

// observed reports nodes that would become int8 without having a range, and returns false if there are any.
func (w *walk) observed() bool {
	none := w.c.Model.Unobserved()
	if len(none) == 0 {
		return true
	}
	d := diag.Diagnostic{
		Code: diag.NoRange, Subject: w.call.Origin.Header, Address: w.call.Origin.Address, Module: none[0],
		Summary: fmt.Sprintf("%s cannot become int8, because no range is known", graph.Some(none)),
		Detail:  "Nothing has observed these nodes: " + diag.Enumerate(none) + ". " + w.observer(),
	}
	if w.last != nil {
		d.Related = []diag.Related{{Message: "the checkpoint that is loaded here has no ranges for them", Range: w.last.Origin.Header}}
	}
	w.fail(d)
	return false
}

// observer advises how to get ranges.
func (w *walk) observer() string {
	const fixed = ` For a range that is known without data, use observer = "fixed_scale".`
	for i := len(w.plan.Stages) - 1; i >= 0; i-- {
		s := w.plan.Stages[i]
		if s.Model != nil && s.Stage.Model == w.s.Stage.Model && len(s.Writes) > 0 && (s.Model.Form() == nn.QAT || s.Model.Form() == nn.Calibration) {
			return fmt.Sprintf(`Load a checkpoint that was calibrated or trained quantized, after Float2QAT: checkpoint_path = stage.%s.checkpoint.last.`, s.Name) + fixed
		}
	}
	return "Calibrate the model, or train it quantized, in a stage of its own (Float2Calibration and a calibrator, or Float2QAT and a trainer), and load that stage's checkpoint after Float2QAT." + fixed
}
