package move

import (
	"fmt"
	"strings"

	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// Slice takes every Step-th row, column and channel, in this order, from Start on to before End. A Step of 0 means 1, an
// End of 0 the end; below zero Start and End count from the end.
type Slice struct {
	Start [3]int `json:"starts"`
	End   [3]int `json:"ends"`
	Step  [3]int `json:"steps"`
}

var sliceKind = moving[Slice]("slice")

// Kind implements layer.Op.
func (Slice) Kind() *layer.Kind { return sliceKind }

// Node implements layer.Op.
func (a Slice) Node(in []layer.Source) (*layer.Node, error) { return layer.Argue(sliceKind, a, in[0]) }

// On implements layer.Arguments.
func (a Slice) On(s tensor.Shape) (Slice, tensor.Shape, error) {
	var out [3]int
	given := a
	for k, n := range layer.Axes(s) {
		if a.Step[k] == 0 {
			a.Step[k] = 1
		}
		if a.Start[k] < 0 {
			a.Start[k] += n
		}
		if a.End[k] <= 0 {
			a.End[k] += n
		}
		switch what := layer.AxisName(k); {
		case a.Step[k] < 1:
			return a, s, layer.BadArg("Step", "the step along the %s is %d", what, a.Step[k])
		case a.Start[k] < 0 || a.Start[k] >= n:
			return a, s, layer.BadArg("Start", "the %s of %v do not begin at %d", what, s, given.Start[k])
		case a.End[k] <= a.Start[k] || a.End[k] > n:
			return a, s, layer.BadArg("End", "the %s of %v, from %d on, do not end at %d", what, s, given.Start[k], given.End[k])
		}
		out[k] = (a.End[k]-a.Start[k]-1)/a.Step[k] + 1
	}
	return a, layer.ShapeOf(out), nil
}

// Label implements layer.Labelled: from where to where along each axis.
func (a Slice) Label(name string) string {
	var words []string
	for k := range a.Start {
		words = append(words, fmt.Sprintf("%d:%d", a.Start[k], a.End[k]))
		if a.Step[k] != 1 {
			words[k] += fmt.Sprintf(":%d", a.Step[k])
		}
	}
	return name + " " + strings.Join(words, ",")
}

func (a Slice) places(in, out tensor.Shape) places {
	step := layer.Steps(in)
	return along(out, func(k, i int) int { return (a.Start[k] + i*a.Step[k]) * step[k] })
}
