package main

import (
	"fmt"
	"strings"
	"testing"

	"qpipe/lang/diag"
)

// TestOutputsAndClasses: an output is compared with the target that its loss or metric compares it with, in whatever order and number
// outputs and targets are; too few values are an error at the layer's argument, before anything runs.
func TestOutputsAndClasses(t *testing.T) {
	text := func(target, class, mask, outputs, losses, metrics string) string {
		return fmt.Sprintf(`
model "Network" "net" {
layer "Conv2d" "mask" {
out_channels = %s
kernel_size = 3
padding = 1
}
layer "GlobalAvgPool2d" "pool" {}
layer "Linear" "fc" { out_features = %s }
%s
}
dataset "Glyphs" "d" {
num_samples = 16
classes = "OX7"
target = %q
}
dataset "Glyphs" "test" {
num_samples = 16
split = "test"
classes = "OX7"
target = %q
}
stage "float" {
model = model.net
train_data = dataset.d
val_data = dataset.test
trainer {
num_steps = 1
batch_size = 8
optimizer "SGD" { lr = 0.1 }
%s
}
validation {
%s
}
}`, mask, class, outputs, target, target, losses, metrics)
	}
	const class, mask, both = "output \"class\" { from = layer.fc }\n", "output \"mask\" { from = layer.mask }\n", "output \"aux\" { from = layer.pool }\n"
	loss := func(of string) string { return fmt.Sprintf("loss \"CrossEntropyLoss\" { output = %q }\n", of) }
	metric := func(of string) string { return fmt.Sprintf("metric \"Accuracy\" { output = %q }\n", of) }
	two, shown := loss("class")+loss("mask"), metric("class")+metric("mask")
	for name, c := range map[string]struct{ text, want string }{
		"right":               {text("both", "3", "4", class+mask, two, shown), ""},
		"in the other order":  {text("both", "3", "4", mask+class, two, shown), ""},
		"too few pixels":      {text("both", "3", "3", mask+class, two, shown), "QP304:4 Network's output \"mask\" gives 3 values, but the data has 4 classes"},
		"one output more":     {text("both", "2", "4", mask+class+both, two, shown), "QP304:9 Network's output \"class\" gives 2 values, but the data has 3 classes"},
		"too few in a metric": {text("both", "2", "4", mask+class, loss("mask"), shown), "QP304:9 Network's output \"class\" gives 2 values, but the data has 3 classes"},
		"a map for a class":   {text("class", "3", "4", class+mask, loss("mask"), metric("class")), "QP311:33 CrossEntropyLoss does not fit: the output \"mask\" is a map, 28×28×4, but the data has one label for an image"},
		"a class for a mask":  {text("mask", "3", "4", class+mask, loss("class"), metric("mask")), "QP311:33 CrossEntropyLoss does not fit: the output \"class\" is 1×1×3, but the data has a label for each of 28×28 pixels"},
	} {
		list, _ := validated(t, c.text)
		var got []string
		for _, d := range list {
			if d.Severity == diag.Error {
				got = append(got, fmt.Sprintf("%s:%d %s", d.Code, d.Subject.Start.Line, d.Summary))
			}
		}
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], c.want)) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
