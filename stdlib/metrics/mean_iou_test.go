package metrics

import (
	"math"
	"testing"

	"qpipe/interp/part"
)

// TestMeanIoU: over the batches of a pass, without ignored pixels and labels that do not occur.
func TestMeanIoU(t *testing.T) {
	m, err := NewMeanIoU(MeanIoUArgs{})
	if err != nil {
		t.Fatal(err)
	}
	if v := m.Values()[0]; v != 0 {
		t.Errorf("%v without pixels", v)
	}
	nan := float32(math.NaN())
	m.Update(answers([]float32{
		1, 0, 0, 0, // label 0, answer 0
		0, 2, 0, 0, // label 0, answer 1
		0, 3, 1, 0, // label 1, answer 1
	}, []int32{0, 0, 1}))
	m.Update(answers([]float32{
		nan, 0, nan, 0, // label 1, answer 1
		0, 0, 9, 0, // ignored
		9, 1, 1, 1, // label 2, answer 0
	}, []int32{1, part.Ignored, 2}))
	// label 0: 1 of 3; label 1: 2 of 3; label 2: 0 of 1; label 3 does not occur
	if v := m.Values()[0]; math.Abs(v-(1.0/3+2.0/3+0)/3) > 1e-12 {
		t.Errorf("%v", v)
	}
	m.Reset()
	if v := m.Values()[0]; v != 0 {
		t.Errorf("%v after Reset", v)
	}
}
