package view

import (
	"strings"
	"testing"

	"qpipe/interp/eval"
)

// TestConfusion: of many classes the most frequent mistakes are shown; shares of masks are percents of a row.
func TestConfusion(t *testing.T) {
	half := 0.5
	many := eval.Confusion{Classes: make([]eval.ClassRow, 21), Pairs: []eval.WrongPair{{Label: 20, Answer: 3, Count: 7}}}
	many.Classes[20] = eval.ClassRow{Label: 20, Name: "dog", Count: 9}
	many.Classes[3] = eval.ClassRow{Label: 3, Name: "3"}
	mask := eval.Confusion{
		Target: "mask", Map: true, Matrix: [][]int64{{3, 1}, {0, 0}},
		Classes: []eval.ClassRow{{Label: 0, Count: 4, Recall: &half}, {Label: 1, Precision: &half, IoU: &half}},
	}
	for _, c := range []struct {
		of   eval.Confusion
		want string
	}{
		{many, "confusion: the most frequent mistakes\n  label   answer  count  of\n  20 dog  3           7   9\n"},
		{mask, "confusion of mask: a row for each label, a column for each answer, in % of the row's pixels\n" +
			"  label     0     1  precision  recall     IoU\n  0      75.0  25.0          –  50.0 %       –\n  1         –     –     50.0 %       –  50.0 %\n"},
	} {
		s := NewSheet(false, 80)
		if s.confusion(c.of); strings.TrimLeft(s.String(), "\n") != c.want {
			t.Errorf("%s\nwant\n%s", s, c.want)
		}
	}
}
