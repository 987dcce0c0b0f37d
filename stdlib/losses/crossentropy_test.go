package losses

import (
	"errors"
	"math"
	"slices"
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

// lossOf is the loss of logits with their labels.
func lossOf(t *testing.T, smooth float64, logits []float32, labels []int32, grad []float32) float32 {
	return loss(t, smooth).Loss(&part.Batch{
		Len: len(labels), Outputs: []part.Output{{Values: logits, Grad: grad}}, Targets: []part.Target{{Labels: labels}},
	})
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
			got := float64(lossOf(t, smooth, x, labels, grad))
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
	if got := lossOf(t, 0, []float32{1e30, 0, -1e30}, []int32{0}, grad); got != 0 || grad != nil && (grad[0] != 0 || grad[1] != 0 || grad[2] != 0) {
		t.Errorf("certain and right: %v, %v", got, grad)
	}
	if got := lossOf(t, 0, []float32{1000, 0, 0}, []int32{1}, grad); got != 1000 || grad[0] != 1 || grad[1] != -1 {
		t.Errorf("certain and wrong: %v, %v", got, grad)
	}
	if got := lossOf(t, 0, []float32{0, float32(math.NaN()), 0}, []int32{0}, grad); got == got {
		t.Errorf("a logit that is not a number gives the loss %v", got)
	}
}

// The gradient of a row sums to zero, and a smaller batch weighs its rows more.
func TestCrossEntropyGradientIsAMean(t *testing.T) {
	x, labels := batch(1, 4, 5)
	whole, half := make([]float32, 20), make([]float32, 10)
	lossOf(t, 0.2, x, labels, whole)
	lossOf(t, 0.2, x[:10], labels[:2], half)
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

// Labels that are ignored count for nothing, and get no gradient; without a gradient the loss is the same.
func TestIgnoredLabels(t *testing.T) {
	x, labels := batch(3, 6, 4)
	labels[1], labels[4] = part.Ignored, part.Ignored
	grad, want := make([]float32, len(x)), make([]float32, 16)
	for i := range grad {
		grad[i] = 7
	}
	got := lossOf(t, 0.1, x, labels, grad)
	left := append(append(append([]float32{}, x[:4]...), x[8:16]...), x[20:]...)
	if l := lossOf(t, 0.1, left, []int32{labels[0], labels[2], labels[3], labels[5]}, want); l != got || lossOf(t, 0.1, x, labels, nil) != got {
		t.Errorf("the loss is %v, of those that count %v", got, l)
	}
	all := append(append(append(append(append([]float32{}, want[:4]...), 0, 0, 0, 0), want[4:12]...), 0, 0, 0, 0), want[12:]...)
	for i := range all {
		if grad[i] != all[i] {
			t.Fatalf("gradient %d is %v, want %v", i, grad[i], all[i])
		}
	}
	if l := lossOf(t, 0, x[:8], []int32{part.Ignored, part.Ignored}, grad[:8]); l != 0 {
		t.Errorf("the loss of nothing is %v", l)
	}
}

// TestCrossEntropyOfMixedLabels: the loss of shares of two labels is the weighted mean of the losses of each, with label smoothing, too, and
// so is the gradient. A share of 1 changes no bit.
func TestCrossEntropyOfMixedLabels(t *testing.T) {
	const n, classes = 5, 4
	for _, smooth := range []float64{0, 0.1} {
		x, first := batch(1, n, classes)
		_, other := batch(2, n, classes)
		other[0] = first[0]
		shares := []float32{0.25, 0.3, 1, 0, 0.875}
		of := func(labels, other []int32, shares []float32) (float64, []float32) {
			grad := make([]float32, n*classes)
			v := loss(t, smooth).Loss(&part.Batch{
				Len: n, Outputs: []part.Output{{Values: x, Grad: grad}}, Targets: []part.Target{{Labels: labels, Other: other, Shares: shares}},
			})
			return float64(v), grad
		}
		got, grad := of(first, other, shares)
		want := 0.0
		for i := range n {
			for k, labels := range [][]int32{first, other} {
				w := float64(shares[i])
				if k == 1 {
					w = 1 - w
				}
				want += w * formula(wide(x[i*classes:][:classes]), labels[i:i+1], classes, smooth) / n
			}
		}
		if math.Abs(got-want) > 1e-6 {
			t.Errorf("smoothing %g: %g, want %g", smooth, got, want)
		}
		_, a := of(first, first, []float32{1, 1, 1, 1, 1})
		_, b := of(other, other, []float32{1, 1, 1, 1, 1})
		for i, g := range grad {
			s := float64(shares[i/classes])
			if want := s*float64(a[i]) + (1-s)*float64(b[i]); math.Abs(float64(g)-want) > 1e-7 {
				t.Errorf("smoothing %g: gradient %g, want %g", smooth, g, want)
			}
		}
		plain := make([]float32, n*classes)
		whole, bits := of(first, other, []float32{1, 1, 1, 1, 1})
		if v := lossOf(t, smooth, x, first, plain); float64(v) != whole || !slices.Equal(plain, bits) {
			t.Errorf("smoothing %g: a share of 1 changes something", smooth)
		}
	}
}

func wide(x []float32) (y []float64) {
	for _, v := range x {
		y = append(y, float64(v))
	}
	return y
}
