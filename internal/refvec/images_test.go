package refvec

import (
	"path/filepath"
	"testing"

	"qpipe/ops/tensor"
)

// TestImages: both layouts are read, also where the name is only in a sentence.
func TestImages(t *testing.T) {
	for text, want := range map[string]tensor.Shape{
		"MNIST training images in file order": {H: 28, W: 28, C: 1},
		"clothing10, flipped":                 {H: 32, W: 32, C: 3},
	} {
		dir := DataFolder(t, text)
		for _, split := range []string{"train", "test"} {
			x, labels, shape := Images(t, dir, split, 100)
			if shape != want || len(labels) != 100 || len(x) != 100*want.H*want.W*want.C {
				t.Errorf("%s, %s: %d labels, %d values, %v", filepath.Base(dir), split, len(labels), len(x), shape)
			}
			classes := map[int32]bool{}
			for _, l := range labels {
				classes[l] = true
			}
			if len(classes) < 5 || classes[-1] || classes[10] {
				t.Errorf("%s, %s: the labels %v", filepath.Base(dir), split, classes)
			}
		}
	}
}
