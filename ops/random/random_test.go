package random

import "testing"

// TestAt: any number of a sequence is the one that is reached step by step.
func TestAt(t *testing.T) {
	s := SplitMix(77)
	for i, begin := uint64(0), s; i < 1000; i++ {
		if got, want := begin.At(i), s.Next(); got != want {
			t.Fatalf("number %d is %x, want %x", i, got, want)
		}
	}
}
