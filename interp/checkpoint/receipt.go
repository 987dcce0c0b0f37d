package checkpoint

import (
	"math"

	"qpipe/interp/event"
	"qpipe/interp/number"
	"qpipe/ops/engine"
)

// Event is the receipt as it is logged.
func (a Absorption) Event() event.Absorb {
	return event.Absorb{
		Module: a.Module, BN: a.BN, QATMode: string(a.Mode), WeightScale: a.WeightScale,
		Epoch: a.Epoch, Step: a.Step, MaxChange: number.Float(a.MaxChange), MaxSteps: number.Float(a.MaxSteps),
		Changed: a.Changed, Integers: a.Integers,
	}
}

// Output is a node's output on a batch: its values and, where it is quantized, their
// integers and the step between two of them.
type Output struct {
	Values []float32
	Codes  []int8
	Step   float32
}

// ReadOutput returns the output of a node in the last forward pass of a net that keeps
// them all.
func ReadOutput(net engine.Compiled, node string) Output {
	y, step, _, _ := net.Output(node)
	codes, _ := net.Codes(node)
	return Output{y, codes, step}
}

// Compare takes down how the node's output has changed.
func (a *Absorption) Compare(before, after Output) {
	if len(before.Values) != len(after.Values) {
		return
	}
	for i, v := range before.Values {
		a.MaxChange = max(a.MaxChange, math.Abs(float64(v)-float64(after.Values[i])))
	}
	if before.Step > 0 {
		a.MaxSteps = a.MaxChange / float64(before.Step)
	}
	if len(before.Codes) != len(after.Codes) {
		return
	}
	a.Integers, a.MaxSteps = len(before.Codes), 0
	for i, v := range before.Codes {
		if d := math.Abs(float64(v) - float64(after.Codes[i])); d > 0 {
			a.Changed++
			a.MaxSteps = max(a.MaxSteps, d)
		}
	}
}
