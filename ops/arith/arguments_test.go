package arith

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

func sources(shapes ...tensor.Shape) []layer.Source {
	var list []layer.Source
	for _, s := range shapes {
		list = append(list, layer.Source{Name: "x", Shape: s, Origin: s})
	}
	return list
}

// TestOpsBlameTheirArguments: what does not fit is refused, and the argument at fault is named; "" where it is the operands.
func TestOpsBlameTheirArguments(t *testing.T) {
	s := tensor.Shape{H: 6, W: 5, C: 4}
	pair := sources(s, tensor.Shape{H: 6, W: 5, C: 2})
	flat := sources(tensor.Shape{H: 1, W: 1, C: 120}, tensor.Shape{H: 1, W: 1, C: 1})
	flat[0].Origin = s
	for _, c := range []struct {
		op   layer.Op
		in   []layer.Source
		attr string
	}{
		{Add{}, pair, ""},
		{Add{}, flat, ""},
		{Sub{}, pair, ""},
		{Mul{}, pair, ""},
		{Max{}, pair, ""},
		{Min{}, sources(s, tensor.Shape{H: 3, W: 1, C: 1}), ""},
		{Scale{Begin: math.Inf(1)}, sources(s), "Begin"},
		{Scale{Begin: 1e39}, sources(s), "Begin"},
	} {
		_, err := c.op.Node(c.in)
		var arg *layer.ArgError
		var operands *layer.OperandError
		if c.attr == "" && (!errors.As(err, &operands) || operands.Name != "" || operands.Way == "") || c.attr != "" && (!errors.As(err, &arg) || arg.Attr != c.attr) {
			t.Errorf("%T%+v: %v, want a mistake in %q", c.op, c.op, err, c.attr)
		}
	}
}

// TestDamagedArguments: attributes that no builder writes are refused.
func TestDamagedArguments(t *testing.T) {
	n := &layer.Node{Shape: tensor.Shape{H: 6, W: 5, C: 4}}
	for kind, list := range map[*layer.Kind][]string{scaleKind: {`{"begin":1e39}`, `{"begin":"NaN"}`, `null`}} {
		for _, attrs := range list {
			if _, err := kind.Restore(n, layer.Fields{kind.Name: json.RawMessage(attrs)}); err == nil {
				t.Errorf("%s takes %s", kind.Name, attrs)
			}
		}
	}
}
