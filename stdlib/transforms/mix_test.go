package transforms

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"qpipe/interp/part"
	"qpipe/ops/tensor"
)

// TestBeta: mean and variance of the shares are those of Beta(a, a), 1/2 and 1/(8a + 4).
func TestBeta(t *testing.T) {
	for _, a := range []float64{0.01, 0.2, 0.8, 1, 3, 100} {
		const n = 40_000
		r := part.NewRand(5)
		sum, squares := 0.0, 0.0
		for range n {
			v := beta(r, a)
			if !(v >= 0 && v <= 1) {
				t.Fatalf("alpha %g: a share of %g", a, v)
			}
			sum, squares = sum+v, squares+(v-0.5)*(v-0.5)
		}
		want := 1 / (8*a + 4)
		if mean, got := sum/n, squares/n; math.Abs(mean-0.5) > 4*math.Sqrt(want/n) || math.Abs(got-want) > 0.03*want {
			t.Errorf("alpha %g: mean %g, variance %g, want 0.5 and %g", a, mean, got, want)
		}
	}
}

// mixture is a batch of n random samples of two inputs.
func mixture(n int) *part.Mixture {
	m := &part.Mixture{Len: n, Shapes: []tensor.Shape{{H: 5, W: 7, C: 2}, {H: 5, W: 7, C: 1}}, Targets: []part.Target{{}}}
	r := part.NewRand(uint64(n))
	for _, s := range m.Shapes {
		x := make([]float32, n*s.WithN(1).Len())
		for i := range x {
			x[i] = float32(r.Float64())
		}
		m.Inputs = append(m.Inputs, x)
	}
	for i := range n {
		t := &m.Targets[0]
		t.Labels, t.Other, t.Shares = append(t.Labels, int32(i)), append(t.Other, int32(i)), append(t.Shares, 1)
	}
	return m
}

// TestMix: every value of a mixed sample comes from the sample and the one before it, by the share that its label has; of CutMix each pixel is
// one of the two, the other one's form a rectangle, the same for all samples and inputs, and its area is the share.
func TestMix(t *testing.T) {
	up, err := NewMixup(MixDefaults())
	must(t, err)
	cut, err := NewCutMix(MixDefaults())
	must(t, err)
	areas := map[string]bool{}
	for trial := range 200 {
		for name, x := range map[string]part.Transform{"Mixup": up, "CutMix": cut} {
			n := 2 + trial%3
			m, was := mixture(n), mixture(n)
			if !x.(part.Mixer).Mix(m, part.NewRand(uint64(trial))) {
				t.Fatalf("%s does not mix", name)
			}
			share := m.Targets[0].Shares[0]
			rectangle := ""
			for i := range n {
				before := (i + n - 1) % n
				if to := m.Targets[0]; to.Labels[i] != int32(i) || share < 1 && to.Other[i] != int32(before) || to.Shares[i] != share {
					t.Fatalf("%s: sample %d has the labels %d and %d, and the share %g", name, i, to.Labels[i], to.Other[i], to.Shares[i])
				}
				taken := ""
				for k, s := range m.Shapes {
					size := s.WithN(1).Len()
					for j := range size {
						got, own, other := m.Inputs[k][i*size+j], was.Inputs[k][i*size+j], was.Inputs[k][before*size+j]
						switch {
						case name == "Mixup" && math.Abs(float64(got-share*own-(1-share)*other)) > 1e-6:
							t.Fatalf("Mixup: %g of %g and %g by %g", got, own, other, share)
						case name == "CutMix" && got != own && got != other:
							t.Fatalf("CutMix: %g is neither %g nor %g", got, own, other)
						case name == "CutMix" && got != own && j%s.C == 0 && k == 0:
							taken += fmt.Sprint(j/s.C, " ")
						}
					}
				}
				if i > 0 && taken != rectangle {
					t.Fatalf("CutMix: samples have other rectangles: %s and %s", rectangle, taken)
				}
				rectangle = taken
			}
			if name == "CutMix" {
				var at []int
				for p := range 35 {
					if slices.Contains(numbers(rectangle), p) {
						at = append(at, p)
					}
				}
				area := float64(len(at))
				if math.Abs(float64(share)-(1-area/35)) > 1e-6 {
					t.Fatalf("%g of 35 pixels are another one's, and the share is %g", area, share)
				}
				if len(at) > 0 {
					h, w := at[len(at)-1]/7-at[0]/7+1, at[len(at)-1]%7-at[0]%7+1
					if h*w != len(at) {
						t.Fatalf("%v is no rectangle", at)
					}
				}
				areas[fmt.Sprint(len(at))] = true
			}
		}
	}
	if len(areas) < 10 {
		t.Errorf("CutMix has only the areas %v", areas)
	}
}

func numbers(text string) (list []int) {
	for v := 0; text != ""; {
		n, _ := fmt.Sscanf(text, "%d", &v)
		if n != 1 {
			return list
		}
		list = append(list, v)
		text = text[len(fmt.Sprint(v))+1:]
	}
	return list
}

// TestMixProb: batches are mixed as often as prob says.
func TestMixProb(t *testing.T) {
	x, err := NewMixup(MixArgs{Alpha: 1, Prob: 0.3})
	must(t, err)
	n := 0
	for i := range 2000 {
		if x.(part.Mixer).Mix(mixture(2), part.NewRand(uint64(i))) {
			n++
		}
	}
	if n < 540 || n > 660 {
		t.Errorf("%d of 2000", n)
	}
}

// TestMixSpec: only single labels are mixed, and nothing stands behind a transform that mixes.
func TestMixSpec(t *testing.T) {
	image := part.InputSpec{Shape: tensor.Shape{H: 8, W: 8, C: 1}}
	labelled := part.Spec{Inputs: []part.InputSpec{image}, Targets: []part.TargetSpec{{Classes: 3}}, Len: 4}
	masked := part.Spec{Inputs: labelled.Inputs, Targets: []part.TargetSpec{{Classes: 3, Shape: image.Shape}}, Len: 4}
	up, err := NewMixup(MixDefaults())
	must(t, err)
	cut, err := NewCutMix(MixDefaults())
	must(t, err)
	flip, err := NewRandomFlip(RandomFlipDefaults())
	must(t, err)
	mixed, err := part.Transformed(labelled, up)
	if err != nil || !mixed.Targets[0].Mixed || labelled.Targets[0].Mixed {
		t.Errorf("%+v, %v", mixed.Targets, err)
	}
	if _, err := part.Transformed(mixed, cut); err != nil {
		t.Errorf("CutMix behind Mixup: %v", err)
	}
	var arg *part.ArgError
	if _, err := part.Transformed(masked, up); !errors.As(err, &arg) {
		t.Errorf("masks: %v", err)
	}
	if _, err := part.Transformed(mixed, flip); err == nil {
		t.Error("a flip stands behind Mixup")
	}
	vector := part.Spec{Inputs: []part.InputSpec{{Shape: tensor.Shape{H: 1, W: 1, C: 4}, Numbers: true}}, Targets: labelled.Targets, Len: 4}
	if _, err := part.Transformed(vector, cut); !errors.As(err, &arg) {
		t.Errorf("a vector is cut: %v", err)
	}
	if _, err := part.Transformed(vector, up); err != nil {
		t.Errorf("a vector: %v", err)
	}
	for _, a := range []MixArgs{{Alpha: 0, Prob: 1}, {Alpha: 1, Prob: 1.5}, {Alpha: math.NaN(), Prob: 1}} {
		if a.Validate() == nil {
			t.Errorf("%+v is taken", a)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
