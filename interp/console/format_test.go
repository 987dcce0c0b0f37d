package console

import (
	"slices"
	"testing"
)

func TestNanoseconds(t *testing.T) {
	for ns, want := range map[int64]string{
		0: "0 ns", 7: "7 ns", 1234: "1.23 µs", 999_600: "1 ms", 45_678_901: "45.7 ms", 1_500_000_000: "1.5 s", 1_234_000_000_000: "1234 s",
	} {
		if got := Nanoseconds(ns); got != want {
			t.Errorf("%d ns are printed as %q, want %q", ns, got, want)
		}
	}
}

// Of several heads every metric has a row; the loss has one of its own.
func TestMetricRows(t *testing.T) {
	got := MetricRows(map[string]float64{"mask_mean_iou": 0.25, "loss": 1, "accuracy": 0.5, "class_top5": 2})
	want := [][2]string{{"accuracy", "50.00 %"}, {"class_top5", "2"}, {"mask_mean_iou", "0.2500"}}
	if !slices.Equal(got, want) {
		t.Errorf("rows %v, want %v", got, want)
	}
}
