package losses

import (
	"errors"
	"math"
	"testing"

	"qpipe/interp/part"
)

func loss(t *testing.T, smooth float64) part.Loss {
	t.Helper()
	l, err := NewCrossEntropy(CrossEntropyArgs{LabelSmoothing: smooth})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// batch makes n rows of logits, with labels.
func batch(seed uint64, n, classes int) ([]float32, []int32) {
	r := part.NewRand(seed)
	x, labels := make([]float32, n*classes), make([]int32, n)
	for i := range x {
		x[i] = float32(8*r.Float64() - 4)
	}
	for i := range labels {
		labels[i] = int32(r.Intn(classes))
	}
	return x, labels
}

// formula is -Σ t·log softmax(x), mean over rows, straight from the definition.
func formula(x []float64, labels []int32, classes int, smooth float64) float64 {
	total := 0.0
	for i, label := range labels {
		sum := 0.0
		for _, v := range x[i*classes:][:classes] {
			sum += math.Exp(v)
		}
		for c, v := range x[i*classes:][:classes] {
			target := smooth / float64(classes)
			if c == int(label) {
				target += 1 - smooth
			}
			total -= target * math.Log(math.Exp(v)/sum)
		}
	}
	return total / float64(len(labels))
}

func TestCrossEntropyIsTheFormula(t *testing.T) {
	for _, smooth := range []float64{0, 0.1, 0.7} {
		for _, classes := range []int{2, 3, 10, 100} {
			x, labels := batch(uint64(classes), 7, classes)
			wide := make([]float64, len(x))
			for i, v := range x {
				wide[i] = float64(v)
			}
			grad := make([]float32, len(x))
			got := float64(loss(t, smooth).Loss(x, labels, classes, grad))
			if want := formula(wide, labels, classes, smooth); math.Abs(got-want) > 1e-6*(1+want) {
				t.Errorf("smoothing %v, %d classes: %v, want %v", smooth, classes, got, want)
			}
			for i := range wide {
				const h = 1e-4
				keep := wide[i]
				wide[i] = keep + h
				up := formula(wide, labels, classes, smooth)
				wide[i] = keep - h
				slope := (up - formula(wide, labels, classes, smooth)) / (2 * h)
				wide[i] = keep
				if math.Abs(float64(grad[i])-slope) > 1e-6 {
					t.Fatalf("smoothing %v, %d classes: gradient %d is %v, the difference quotient %v", smooth, classes, i, grad[i], slope)
				}
			}
		}
	}
}

// Large logits overflow nothing, and a hopeless one costs what it should.
func TestCrossEntropyOfLargeLogits(t *testing.T) {
	grad := make([]float32, 3)
	if got := loss(t, 0).Loss([]float32{1e30, 0, -1e30}, []int32{0}, 3, grad); got != 0 || grad != nil && (grad[0] != 0 || grad[1] != 0 || grad[2] != 0) {
		t.Errorf("certain and right: %v, %v", got, grad)
	}
	if got := loss(t, 0).Loss([]float32{1000, 0, 0}, []int32{1}, 3, grad); got != 1000 || grad[0] != 1 || grad[1] != -1 {
		t.Errorf("certain and wrong: %v, %v", got, grad)
	}
	if got := loss(t, 0).Loss([]float32{0, float32(math.NaN()), 0}, []int32{0}, 3, grad); got == got {
		t.Errorf("a logit that is not a number gives the loss %v", got)
	}
}

// The gradient of a row sums to zero, and a smaller batch weighs its rows more.
func TestCrossEntropyGradientIsAMean(t *testing.T) {
	x, labels := batch(1, 4, 5)
	whole, half := make([]float32, 20), make([]float32, 10)
	loss(t, 0.2).Loss(x, labels, 5, whole)
	loss(t, 0.2).Loss(x[:10], labels[:2], 5, half)
	for i := range half {
		if math.Abs(float64(half[i])-2*float64(whole[i])) > 1e-7 {
			t.Fatalf("gradient %d: %v of two rows, %v of four", i, half[i], whole[i])
		}
	}
	for row := range 4 {
		sum := float32(0)
		for _, g := range whole[row*5:][:5] {
			sum += g
		}
		if math.Abs(float64(sum)) > 1e-6 {
			t.Errorf("row %d sums to %v", row, sum)
		}
	}
}

func TestBadArguments(t *testing.T) {
	for _, s := range []float64{-0.1, 1, math.NaN()} {
		var arg *part.ArgError
		if _, err := NewCrossEntropy(CrossEntropyArgs{LabelSmoothing: s}); !errors.As(err, &arg) || arg.Attr != "label_smoothing" {
			t.Errorf("%v: %v", s, err)
		}
	}
}
