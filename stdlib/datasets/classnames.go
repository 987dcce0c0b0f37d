package datasets

import (
	"strings"

	"qpipe/interp/part"
	"qpipe/ops/tensor"
)

// classified describes data of one image and one class, whose pixels become values from -1 to 1.
func classified(image tensor.Shape, classes int, names []string, n int) part.Spec {
	half := []float32{0.5}
	return part.Spec{
		Inputs:  []part.InputSpec{{Shape: image, Mean: half, Std: half}},
		Targets: []part.TargetSpec{{Classes: classes, Names: names}},
		Len:     n,
	}
}

// namesOr returns the given class names, or if there are none the data's own.
func namesOr(given, own []string) []string {
	if len(given) > 0 {
		return given
	}
	return own
}

func digitNames() []string { return strings.Split("0123456789", "") }

// cifarNames are those of CIFAR-10's batches.meta.txt.
func cifarNames() []string {
	return []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}
}
