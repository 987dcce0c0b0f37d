package metrics

import (
	"errors"
	"math"
	"slices"
	"testing"

	"qpipe/interp/part"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// answers are logits with their labels.
func answers(logits []float32, labels []int32) *part.Batch {
	return &part.Batch{Len: len(labels), Outputs: []part.Output{{Values: logits}}, Targets: []part.Target{{Labels: labels}}}
}

func TestAccuracy(t *testing.T) {
	nan := float32(math.NaN())
	logits := []float32{
		1, 3, 2, // label 1: first
		1, 3, 2, // label 2: second
		5, 5, 5, // label 0: equal ones count by number
		5, 5, 5, // label 1: not the first of the equal ones
		nan, 0, -1, // label 0: not a number, last
		nan, 0, -1, // label 1: beats what is not a number
		nan, nan, nan, // label 0: no points for a broken network
	}
	labels := []int32{1, 2, 0, 1, 0, 1, 0}
	nothing := answers(make([]float32, 6), []int32{part.Ignored, part.Ignored}) // counts for nothing
	for k, want := range map[int]float64{1: 3, 2: 5, 3: 7} {
		m, err := NewTopKAccuracy(TopKArgs{K: k})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // a second pass starts from zero
			m.Reset()
			m.Update(nothing)
			m.Update(answers(logits[:9], labels[:3]))
			m.Update(answers(logits[9:], labels[3:]))
			if got := m.Values(); len(got) != 1 || got[0] != want/7 {
				t.Errorf("top %d: %v, want %v", k, got, want/7)
			}
		}
	}
}

func TestNames(t *testing.T) {
	a, err1 := NewAccuracy(AccuracyArgs{})
	k, err2 := NewTopKAccuracy(TopKDefaults())
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if !slices.Equal(a.Names(), []string{"accuracy"}) || !slices.Equal(k.Names(), []string{"top5_accuracy"}) {
		t.Error(a.Names(), k.Names())
	}
	a.Reset()
	if v := a.Values(); v[0] != 0 {
		t.Errorf("of nothing: %v", v)
	}
	var arg *part.ArgError
	if _, err := NewTopKAccuracy(TopKArgs{}); !errors.As(err, &arg) || arg.Attr != "k" {
		t.Error(err)
	}
}

// Against sorting: the label is among the k largest.
func TestTopKAgainstSorting(t *testing.T) {
	r := part.NewRand(4)
	for range 500 {
		x := make([]float32, 12)
		for i := range x {
			x[i] = float32(r.Intn(6)) // with many equal ones
		}
		order := make([]int, len(x))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int {
			switch {
			case x[a] > x[b]:
				return -1
			case x[a] < x[b]:
				return 1
			}
			return 0
		})
		label := r.Intn(len(x))
		if got, want := rank(x, label), slices.Index(order, label); got != want {
			t.Fatalf("%v: class %d is number %d, want %d", x, label, got, want)
		}
	}
}

// TestChance: the best answer that is the same for every image has the share of the
// most frequent labels.
func TestChance(t *testing.T) {
	m, err := NewAccuracy(AccuracyArgs{})
	if err != nil {
		t.Fatal(err)
	}
	two, err := NewTopKAccuracy(TopKArgs{K: 2})
	if err != nil {
		t.Fatal(err)
	}
	labels := []int32{0, 1, 1, 1, 2, 2}
	for _, c := range []struct {
		m    part.Metric
		want float64
	}{{m, 3.0 / 6}, {two, 5.0 / 6}} {
		for range 2 {
			c.m.Reset()
			c.m.Update(answers(make([]float32, 3*len(labels)), labels))
		}
		if got := c.m.(part.Guesser).Chance(); got[0] != c.want {
			t.Errorf("%v: chance %v, want %v", c.m.Names(), got, c.want)
		}
	}
}

// TestTopKFits: more of the largest values than there are values are refused at k.
func TestTopKFits(t *testing.T) {
	out := []nn.Port{{Label: "fc", Shape: tensor.Shape{H: 1, W: 1, C: 4}}}
	labels := []part.TargetSpec{{Shape: tensor.Shape{H: 1, W: 1, C: 1}, Classes: 4}}
	for k, fits := range map[int]bool{1: true, 4: true, 5: false, 100: false} {
		m, err := NewTopKAccuracy(TopKArgs{K: k})
		if err != nil {
			t.Fatal(err)
		}
		var arg *part.ArgError
		if err := part.Fits(m, out, labels); (err == nil) != fits || !fits && (!errors.As(err, &arg) || arg.Attr != "k") {
			t.Errorf("k = %d of 4 values: %v", k, err)
		}
	}
}
