package op

import (
	"encoding/json"
	"strings"
	"testing"

	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// TestPoolsThatNoBuilderMakes: a structure with another window than an op's arguments give is refused.
func TestPoolsThatNoBuilderMakes(t *testing.T) {
	const sound = `{"input":{"height":8,"width":8,"channels":2},"kernel_shape":[3,3],"strides":[2,2],"pads":[0,0,1,1],"count_include_pad":true,"overhang":[1,1]}`
	for _, c := range []struct {
		old, with string
		kind      *layer.Kind
		fits      bool
	}{
		{"", "", avgPoolKind, true},
		{`[1,1]}`, `[2,1]}`, avgPoolKind, false},              // as far as the stride
		{`[1,1]}`, `[-1,1]}`, avgPoolKind, false},             // negative
		{`"count_include_pad":true,`, ``, avgPoolKind, false}, // of what is not counted
		{`[0,0,1,1]`, `[0,0,2,1]`, avgPoolKind, false},        // another size
		{`"strides"`, `"dilations":[2,2],"strides"`, avgPoolKind, false},
		{`"pads":[0,0,1,1]`, `"dilations":[2,2],"pads":[0,0,3,3]`, maxPoolKind, true},
		{`"pads":[0,0,1,1]`, `"dilations":[1,1],"pads":[0,0,1,1]`, maxPoolKind, false}, // is left out
		{`"pads":[0,0,1,1]`, `"dilations":[0,2],"pads":[0,0,1,3]`, maxPoolKind, false},
		{`"pads":[0,0,1,1]`, `"dilations":[4000000,2],"pads":[0,0,1,3]`, maxPoolKind, false},
		{`"pads":[0,0,1,1]`, `"pads":[3,0,0,1]`, avgPoolKind, false}, // a window sees nothing
	} {
		text := strings.Replace(sound, c.old, c.with, 1)
		n := &layer.Node{Kind: c.kind, Shape: tensor.Shape{H: 4, W: 4, C: 2}}
		_, err := c.kind.Restore(n, layer.Fields{"pool": json.RawMessage(text)})
		if (err == nil) != c.fits {
			t.Errorf("%s: %s: %v", c.kind.Name, text, err)
		}
	}
}
