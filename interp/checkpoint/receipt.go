package checkpoint

import (
	"math"

	"qpipe/interp/event"
	"qpipe/interp/number"
	"qpipe/ops/engine"
)

// Event returns the receipt as an event.
func (a Absorption) Event() event.Absorb {
	return event.Absorb{
		Module: a.Module, BN: a.BN, QATMode: string(a.Mode), WeightScale: a.WeightScale,
		Epoch: a.Epoch, Step: a.Step, MaxChange: number.Float(a.MaxChange), MaxSteps: number.Float(a.MaxSteps),
		Changed: a.Changed, Integers: a.Integers,
	}
}

// Output is the output of a node on a batch.
type Output struct {
	Values []float32
	Codes  []int8  // the integers; nil if the output is not quantized
	Step   float32 // the difference between the values of two neighboring integers
}

// ReadOutput returns a node's output in the last forward pass. The net must be one that
// keeps all outputs.
func ReadOutput(net engine.Compiled, node string) Output {
	y, step, _, _ := net.Output(node)
	codes, _ := net.Codes(node)
	return Output{y, codes, step}
}

// Compare records in the receipt how the node's output has changed.
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
