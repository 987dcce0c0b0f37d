package bench

import (
	"slices"
	"testing"
)

func TestCounts(t *testing.T) {
	var list []int
	f := countsFlag{&list, MostBatch}
	if err := f.Set("1,64,4096"); err != nil || !slices.Equal(list, []int{1, 64, 4096}) {
		t.Errorf("%v, %v", list, err)
	}
	for _, bad := range []string{"", "0", "1,", "-1", "4097", "x"} {
		if f.Set(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
