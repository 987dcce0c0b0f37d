package optest

import (
	"qpipe/ops/arith"
	"qpipe/ops/tensor"
)

// arithCases are those of package arith.
func arithCases() []Case {
	s, gate, pixels := tensor.Shape{H: 6, W: 5, C: 4}, tensor.Shape{H: 1, W: 1, C: 4}, tensor.Shape{H: 6, W: 5, C: 1}
	return []Case{
		{arith.Add{}, []tensor.Shape{s, s}},
		{arith.Add{}, []tensor.Shape{s, gate}},
		{arith.Add{}, []tensor.Shape{pixels, gate}},
		{arith.Sub{}, []tensor.Shape{s, s}},
		{arith.Sub{}, []tensor.Shape{gate, s}},
		{arith.Sub{}, []tensor.Shape{s, {H: 1, W: 5, C: 4}}},
		{arith.Max{}, []tensor.Shape{s, s}},
		{arith.Max{}, []tensor.Shape{s, pixels}},
		{arith.Min{}, []tensor.Shape{s, s}},
		{arith.Min{}, []tensor.Shape{{H: 1, W: 5, C: 1}, {H: 6, W: 1, C: 4}}},
		{arith.Scale{Begin: 1}, []tensor.Shape{s}},
		{arith.Scale{Begin: 0.5, Bias: true}, []tensor.Shape{{H: 6, W: 5, C: 3}}},
		{arith.Mul{}, []tensor.Shape{s, s}},
		{arith.Mul{}, []tensor.Shape{s, gate}},
		{arith.Mul{}, []tensor.Shape{pixels, s}},
		{arith.Mul{}, []tensor.Shape{pixels, gate}},
	}
}
