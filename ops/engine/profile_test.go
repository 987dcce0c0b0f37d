package engine

import (
	"testing"

	"qpipe/ops/tensor"
)

// A clock that ticks once a reading gives every node that ran one tick a pass.
func TestProfile(t *testing.T) {
	g := resnet8(t, tensor.Shape{H: 8, W: 8, C: 1}, 4)
	g.Init(1)
	e := compile(t, g, 2, true)
	ticks := int64(0)
	e.Profile(func() int64 { ticks++; return ticks })
	y := e.Forward(make([]float32, 2*64), 2, Train)
	e.Backward(make([]float32, len(y)))
	e.Forward(make([]float32, 2*64), 2, Eval)
	macs := int64(0)
	for i, n := range e.Times() {
		backward := int64(1)
		if i == 0 {
			backward = 0 // the input has no gradient
		}
		if n.Forward != 2 || n.Backward != backward || n.Name != g.Modules()[i].Name {
			t.Errorf("%+v", n)
		}
		macs += n.MACs
	}
	// 8×8: stem and two convolutions; 4×4 with 8 channels and 2×2 with 16: two convolutions and a shortcut; the linear layer.
	want := int64(64*9*4 + 2*64*9*4*4 + 16*9*(4*8+8*8) + 16*4*8 + 4*9*(8*16+16*16) + 4*8*16 + 16*10)
	if macs != want || g.MACs() != want {
		t.Errorf("%d and %d multiply-accumulates, want %d", macs, g.MACs(), want)
	}
	if e.Profile(nil); e.Times() != nil {
		t.Error("a profile that has ended has times")
	}
}
