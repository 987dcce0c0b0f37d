package op

import (
	"encoding/json"
	"errors"
	"testing"

	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// TestOpsBlameTheirArguments: what does not fit is refused, and the argument at fault is named.
func TestOpsBlameTheirArguments(t *testing.T) {
	s := tensor.Shape{H: 6, W: 5, C: 4}
	for _, c := range []struct {
		op   layer.Op
		attr string
	}{
		{Reduce{Function: "min", Axes: [3]bool{true}}, "Function"},
		{Reduce{Function: "mean"}, "Axes"},
		{Softmax{Axis: 3}, "Axis"},
		{LogSoftmax{Axis: -1}, "Axis"},
		{Dropout{P: 1}, "P"},
		{Dropout{P: -0.5}, "P"},
		{AdaptiveAvgPool{Size: [2]int{-1, 2}}, "Size"},
		{AdaptiveMaxPool{Size: [2]int{2, 1 << 21}}, "Size"},
	} {
		_, err := c.op.Node([]layer.Source{{Name: "x", Shape: s, Origin: s}})
		var arg *layer.ArgError
		if !errors.As(err, &arg) || arg.Attr != c.attr {
			t.Errorf("%T%+v: %v, want a mistake in %q", c.op, c.op, err, c.attr)
		}
	}
}

// TestDamagedArguments: attributes that no builder writes are refused, be they left out, too large or another way to say it.
func TestDamagedArguments(t *testing.T) {
	s := tensor.Shape{H: 6, W: 5, C: 4}
	for _, c := range []struct {
		kind  *layer.Kind
		attrs string
	}{
		{softmaxKind, `{"axis":3}`},
		{logSoftmaxKind, `{"axis":-1}`},
		{dropoutKind, `{"p":1}`},
		{dropoutKind, `{"p":-0.5}`},
		{reduceKinds[0], `{"input":{"height":6,"width":5,"channels":4}}`},
		{reduceKinds[1], `{"input":{"height":5,"width":6,"channels":4},"axes":[true,true,true]}`},
		{adaptiveAvgPoolKind, `{"input":{"height":6,"width":5,"channels":4},"sizes":[0,2]}`},
		{adaptiveMaxPoolKind, `{"input":{"height":6,"width":5,"channels":4},"sizes":[-2,2]}`},
	} {
		n := &layer.Node{Kind: c.kind, Shape: s}
		b, err := c.kind.Restore(n, layer.Fields{c.kind.Name: json.RawMessage(c.attrs)})
		if err == nil {
			n.Body = b
			_, err = c.kind.Shape(n, []tensor.Shape{s})
		}
		if err == nil {
			t.Errorf("%s takes %s", c.kind.Name, c.attrs)
		}
	}
}
