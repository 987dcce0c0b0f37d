package norm

import (
	"encoding/json"
	"errors"
	"testing"

	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// TestArguments: arguments that fit no map are refused at the field that is at fault.
func TestArguments(t *testing.T) {
	s := tensor.Shape{H: 3, W: 2, C: 6}
	for _, c := range []struct {
		op   layer.Op
		attr string
	}{
		{GroupNorm{}, "Groups"},
		{GroupNorm{Groups: 4}, "Groups"},
		{GroupNorm{Groups: 2, Eps: -1}, "Eps"},
		{InstanceNorm{Eps: 1}, "Eps"},
		{LayerNorm{Eps: 2}, "Eps"},
	} {
		_, err := c.op.Node([]layer.Source{{Name: "x", Shape: s, Origin: s}})
		var arg *layer.ArgError
		if !errors.As(err, &arg) || arg.Attr != c.attr {
			t.Errorf("%T%+v: %v, where %s is wrong", c.op, c.op, err, c.attr)
		}
	}
}

// TestRestore refuses what no builder would have made.
func TestRestore(t *testing.T) {
	for _, c := range []struct {
		kind *layer.Kind
		text string
		ok   bool
	}{
		{groupKind, `{"groups":2,"eps":1e-5,"affine":true}`, true},
		{groupKind, `{"groups":2,"eps":1e-5}`, true},
		{groupKind, `{"groups":4,"eps":1e-5}`, false},
		{groupKind, `{"groups":-2,"eps":1e-5}`, false},
		{groupKind, `{"eps":1e-5}`, false},
		{groupKind, `{"groups":2,"whole":true,"eps":1e-5}`, false},
		{groupKind, `{"groups":2}`, false},
		{groupKind, `{"groups":2,"eps":-1e-5}`, false},
		{groupKind, `{"groups":2,"eps":1e400}`, false},
		{layerKind, `{"eps":1e-5,"affine":true}`, true},
		{layerKind, `{"whole":true,"eps":1e-5}`, true},
		{layerKind, `{"groups":2,"eps":1e-5}`, false},
		{layerKind, `{"eps":0}`, false},
	} {
		n := &layer.Node{Kind: c.kind, Shape: tensor.Shape{H: 3, W: 2, C: 6}}
		_, err := c.kind.Restore(n, layer.Fields{c.kind.Name: json.RawMessage(c.text)})
		if (err == nil) != c.ok {
			t.Errorf("%s %s: %v", c.kind.Name, c.text, err)
		}
	}
}
