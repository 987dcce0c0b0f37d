package eval

import (
	"reflect"
	"testing"

	"qpipe/interp/part"
)

// TestCounters: what is counted is the same whether each pair has a place or only those that occur, the pairs are the
// mistakes in order, and a share of nothing is none.
func TestCounters(t *testing.T) {
	const classes = 30
	match := part.Match{Gives: classes}
	dense := &counter{Match: match, names: []string{"a", "b"}, dense: make([]int64, classes*classes)}
	sparse := &counter{Match: match, names: []string{"a", "b"}, pairs: map[[2]int32]int64{}}
	r := part.NewRand(1)
	for range 2000 {
		label, answer := r.Intn(classes-1), r.Intn(classes-2)
		dense.dense[label*classes+answer]++
		sparse.pairs[[2]int32{int32(label), int32(answer)}]++
	}
	a, b := dense.result(false), sparse.result(false)
	if b.Matrix = a.Matrix; !reflect.DeepEqual(a, b) {
		t.Errorf("%+v\n%+v", a, b)
	}
	if last := a.Classes[classes-1]; last.Precision != nil || last.Recall != nil || a.Classes[1].Name != "b" || a.Classes[classes-2].Precision != nil {
		t.Errorf("%+v", last)
	}
	if len(a.Pairs) != mostPairs {
		t.Errorf("%d pairs", len(a.Pairs))
	}
	for i, p := range a.Pairs {
		if p.Label == p.Answer || p.Count != a.Matrix[p.Label][p.Answer] || i > 0 && p.Count > a.Pairs[i-1].Count {
			t.Errorf("pair %d: %+v", i, p)
		}
	}
}
