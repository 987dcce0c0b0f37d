package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/interp/cli"
	"qpipe/stdlib"
)

// TestBenchOfHeads: a checkpoint of a network with several outputs, or with a map as its output, is measured in training as well, with
// a loss for each output.
func TestBenchOfHeads(t *testing.T) {
	const net = `
model "Network" "net" {
layer "ConvModule2d" "mask" {
out_channels = 4
kernel_size = 3
padding = 1
}
%s
}
dataset "Glyphs" "d" {
num_samples = 16
classes = "OX7"
target = %q
}
stage "float" {
model = model.net
train_data = dataset.d
trainer {
num_steps = 1
batch_size = 8
optimizer "SGD" { lr = 0.1 }
%s
}
}`
	for name, text := range map[string]string{
		"two heads": fmt.Sprintf(net, "layer \"Linear\" \"fc\" { out_features = 3 }\noutput \"class\" { from = layer.fc }\noutput \"mask\" { from = layer.mask }", "both",
			"loss \"CrossEntropyLoss\" { output = \"class\" }\nloss \"CrossEntropyLoss\" { output = \"mask\" }"),
		"a map": fmt.Sprintf(net, "", "mask", ""),
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "p.hcl")
		must(t, os.WriteFile(file, []byte(text), 0o600))
		var said bytes.Buffer
		streams := cli.Streams{Out: &said, Err: &said, Environ: environ()}
		if cli.Main([]string{"run", "-out", filepath.Join(dir, "run"), file}, streams, stdlib.Catalog()) != 0 {
			t.Fatalf("%s: %s", name, &said)
		}
		said.Reset()
		code := cli.Main([]string{"bench", "-time", "1ms", "-threads", "1", "-batch", "2", filepath.Join(dir, "run/float/last.safetensors")}, streams, stdlib.Catalog())
		if lines := strings.Count(said.String(), " training "); code != 0 || lines != 4 || !strings.Contains(said.String(), "int8 ") {
			t.Errorf("%s: exit code %d, and %d forms are trained:\n%s", name, code, lines, &said)
		}
	}
}
