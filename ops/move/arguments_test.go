package move

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
	to := func(h, w int) Sampling { return Sampling{Size: [2]int{h, w}} }
	for _, c := range []struct {
		op   layer.Op
		attr string
	}{
		{Slice{Start: [3]int{6}}, "Start"},
		{Slice{Start: [3]int{0, -6}}, "Start"},
		{Slice{End: [3]int{7}}, "End"},
		{Slice{Start: [3]int{0, 2, 0}, End: [3]int{0, 2, 0}}, "End"},
		{Slice{Step: [3]int{0, 0, -1}}, "Step"},
		{Pad{Before: [3]int{-1}}, "Before"},
		{Pad{After: [3]int{0, 1 << 21}}, "After"},
		{Pad{After: [3]int{6}, Mode: "reflect"}, "After"},
		{Pad{Before: [3]int{0, 0, 1}, Mode: "edge"}, "Before"},
		{Pad{Mode: "wrap"}, "Mode"},
		{Pad{Mode: "edge", Value: 1}, "Value"},
		{Reshape{Height: 7, Width: -1, Channels: 1}, "Height"},
		{Reshape{Height: 6, Width: -1, Channels: -1}, "Channels"},
		{Reshape{Height: 6, Width: 5, Channels: 2}, "Channels"},
		{Reshape{Height: 8, Width: 5, Channels: 3}, ""},
		{Transpose{Order: [3]int{0, 1, 1}}, "Order"},
		{Transpose{Order: [3]int{0, 1, 3}}, "Order"},
		{ChannelShuffle{Groups: 3}, "Groups"},
		{ChannelShuffle{}, "Groups"},
		{PixelShuffle{Factor: 3}, "Factor"},
		{PixelShuffle{Factor: 1 << 33}, "Factor"},
		{PixelUnshuffle{Factor: 2}, "Factor"},
		{ResizeNearest{}, "Size"},
		{ResizeNearest{Sampling: Sampling{Scale: [2]float32{2, 0.1}}}, "Scale"},
		{ResizeNearest{Sampling: Sampling{Scale: [2]float32{2, 2}, Size: [2]int{12, 11}}}, "Size"},
		{ResizeNearest{Sampling: Sampling{Size: [2]int{3, 3}, Coordinates: "centre"}}, "Coordinates"},
		{ResizeNearest{Sampling: to(3, 3), Nearest: "round"}, "Nearest"},
		{ResizeBilinear{to(0, 3)}, "Size"},
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
		{sliceKind, `{}`},
		{sliceKind, `{"starts":[0,0,0],"ends":[6,5,-1],"steps":[1,1,1]}`},
		{sliceKind, `{"starts":[-9223372036854775808,0,0],"ends":[6,5,4],"steps":[1,1,1]}`},
		{padKind, `{"begins":[9223372036854775807,0,0],"ends":[9223372036854775807,0,0],"mode":"constant"}`},
		{padKind, `{"begins":[1,0,0]}`},
		{padKind, `{"mode":"constant","value":1e300}`},
		{reshapeKind, `{"height":-1,"width":5,"channels":4}`},
		{reshapeKind, `{"height":4294967296,"width":4294967296,"channels":120}`},
		{transposeKind, `{"order":[0,1]}`},
		{channelShuffleKind, `{"groups":-1}`},
		{pixelShuffleKind, `{"factor":4294967296}`},
		{resizeNearestKind, `{"sizes":[3,3],"coordinates":"half_pixel"}`},
		{resizeNearestKind, `{"sizes":[0,3],"coordinates":"half_pixel","nearest":"floor"}`},
		{resizeNearestKind, `{"sizes":[6,5],"scales":[1e38,1e38],"coordinates":"half_pixel","nearest":"floor"}`},
		{resizeNearestKind, `{"sizes":[6,5],"scales":[1,0],"coordinates":"half_pixel","nearest":"floor"}`},
		{bilinearKind, `{"sizes":[3,3]}`},
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
