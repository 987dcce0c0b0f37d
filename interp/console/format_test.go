package console

import "testing"

func TestNanoseconds(t *testing.T) {
	for ns, want := range map[int64]string{
		0: "0 ns", 7: "7 ns", 1234: "1.23 µs", 999_600: "1 ms", 45_678_901: "45.7 ms", 1_500_000_000: "1.5 s", 1_234_000_000_000: "1234 s",
	} {
		if got := Nanoseconds(ns); got != want {
			t.Errorf("%d ns are printed as %q, want %q", ns, got, want)
		}
	}
}
