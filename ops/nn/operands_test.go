package nn

import (
	"strings"
	"testing"

	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// Exactly the kinds that say that they read a flattened map do; the others are named, with the way out.
func TestFlattenedOperand(t *testing.T) {
	flat := layer.Source{Name: "f", Shape: tensor.Shape{H: 1, W: 1, C: 12}, Origin: tensor.Shape{H: 2, W: 2, C: 3}}
	refused := map[string]bool{}
	for _, k := range Kinds() {
		if k.Most == 0 {
			continue // an input reads nothing
		}
		in := []layer.Source{flat, flat}[:max(1, min(2, k.Least))]
		err := checkOperands(k, in)
		if err == nil {
			continue
		}
		refused[k.Name] = true
		if k.Flat || !strings.HasPrefix(err.Error(), k.Name+" does not read a flattened map, and f was flattened from 2×2×3") {
			t.Errorf("%s: %v", k.Name, err)
		}
	}
	for name, want := range map[string]bool{"softmax": true, "concat": true, "prelu": true, "linear": false, "dropout": false, "quant": false, "add": false} {
		if refused[name] != want {
			t.Errorf("%s: refused is %v", name, refused[name])
		}
	}
	if err := checkOperands(&layer.Kind{Name: "one", Least: 1, Most: 1}, []layer.Source{flat, flat}); err == nil || err.Error() != "it reads one value, and 2 are given, f (1×1×12), f (1×1×12): name one of them, or write a layer for each" {
		t.Errorf("two operands for one: %v", err)
	}
}
