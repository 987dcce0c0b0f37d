package bench

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"qpipe/ops/engine"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/tensor"
)

func TestKinds(t *testing.T) {
	got := Kinds([]Layer{
		{Name: "a", Kind: "conv 1×1", MACs: 1, Forward: 2},
		{Name: "b", Kind: "conv 3×3", MACs: 10, Forward: 5, Backward: 7},
		{Name: "c", Kind: "conv 1×1", MACs: 3, Forward: 4, Backward: 1},
	})
	want := []Layer{{Kind: "conv 3×3", MACs: 10, Forward: 5, Backward: 7}, {Kind: "conv 1×1", MACs: 4, Forward: 6, Backward: 1}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}

// testLab measures with the default kernel set.
func testLab(t *testing.T) *Lab {
	t.Helper()
	set, err := sets.ByName("")
	if err != nil {
		t.Fatal(err)
	}
	return &Lab{Kernels: set, Clock: time.Now}
}

// The turns fit into the time, and there are three at least.
func TestMeasure(t *testing.T) {
	runs := 0
	w := &Work{clock: testLab(t).nanoseconds(), run: func() error { runs++; time.Sleep(time.Millisecond); return nil }}
	m, err := w.measure(5 * time.Millisecond)
	if err != nil || m.Turns < leastTurns || m.Runs != 1 || runs != m.Turns+2 {
		t.Errorf("%+v after %d runs, %v", m, runs, err)
	}
	if m.Min < int64(time.Millisecond) || m.Median < m.Min || m.Max < m.Median {
		t.Errorf("%+v", m)
	}
}

// The named convolutions are those of the networks: the sizes of their results are whole.
func TestConvShapes(t *testing.T) {
	names := map[string]bool{}
	for _, s := range ConvShapes() {
		p := s.geometry(2)
		if names[s.name] || p.OH < 1 || p.C%p.Groups != 0 || p.OutC%p.Groups != 0 {
			t.Errorf("%s: %+v", s.name, p)
		}
		names[s.name] = true
		if strings.Contains(s.name, "s2") != (p.OH*2 == p.H) {
			t.Errorf("%s: %d rows become %d", s.name, p.H, p.OH)
		}
	}
	if len(names) != 37 {
		t.Errorf("%d convolutions", len(names))
	}
}

// Every kind runs, on one thread and on two, on a convolution with more rows than threads and on one with fewer.
func TestConvKinds(t *testing.T) {
	l := testLab(t)
	for threads := 1; threads <= 2; threads++ {
		pool := engine.NewWorkers(threads)
		for _, shape := range []string{"r18c_1x1s2_256-512_8", "mnv2c_dw3x3_384_8"} {
			for _, kind := range convKinds() {
				w, err := l.Conv(pool, shape, kind, 1)
				if err == nil {
					err = w.run()
				}
				if err != nil {
					t.Errorf("%s %s: %v", shape, kind, err)
				}
			}
		}
		pool.Close()
	}
}

func TestWithArgs(t *testing.T) {
	type args struct {
		Depth int     `arg:"depth"`
		Rate  float64 `arg:"rate,optional"`
	}
	before := args{8, 0.1}
	got := withArgs(before, map[string]any{"depth": 20, "nosuch": true}, map[string]any{"rate": 1.0})
	if got != (args{20, 1}) || before != (args{8, 0.1}) {
		t.Errorf("%+v, %+v", got, before)
	}
}

// Random images have about mean 0 and variance 1, and are the same every time.
func TestRandomImages(t *testing.T) {
	x := randomImages(tensor.Shape{H: 32, W: 32, C: 3}, 4)
	var sum, sq float64
	for _, v := range x {
		sum += float64(v)
		sq += float64(v) * float64(v)
	}
	n := float64(len(x))
	if mean, variance := sum/n, sq/n; math.Abs(mean) > 0.05 || math.Abs(variance-1) > 0.05 {
		t.Errorf("mean %.3f, variance %.3f", mean, variance)
	}
	if !slices.Equal(x, randomImages(tensor.Shape{H: 32, W: 32, C: 3}, 4)) {
		t.Error("they differ")
	}
}
