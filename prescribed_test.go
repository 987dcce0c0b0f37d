package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/interp/cli"
	"qpipe/stdlib"
)

// TestPrescribedOverride: an override of a grid that the target prescribes is a warning, or an error that names the target.
func TestPrescribedOverride(t *testing.T) {
	const fixed = "activation {\nobserver = \"fixed_scale\"\nscale = 0.1\n}"
	const grid = "tflite prescribes the grid of sigmoid: scale 1/256, zero point -128"
	const mean = "For tflite the output of avg_pool has the grid of its input"
	for _, c := range []struct {
		target, override string
		says             string
	}{
		{`target = "tflite"`, "override \"s\" {\n" + fixed + "\n}", grid},
		{"", "override \"s\" {\n" + fixed + "\n}", ""},
		{`target = "tflite"`, "override \"s\" {\nactivation { dtype = \"float32\" }\n}", ""},
		{`target = "tflite"`, "override \"c\" {\n" + fixed + "\n}", ""},
		{`target = "tflite"`, "override \"*\" {\n" + fixed + "\n}", grid},
		{`target = "tflite"`, "override \"*\" {\n" + fixed + "\n}", "What the override says has no effect on s. Let it select other nodes only"},
		{`target = "tflite"`, "override \"s\" {\nactivation {\ndtype = \"int8\"\nscheme = \"affine\"\nobserver = \"fixed_scale\"\nscale = 1 / 256\nzero_point = -128\n}\n}", ""},
		{`target = "tflite"`, "override \"s\" {\nactivation {\nobserver = \"fixed_scale\"\nscale = 1 / 256\nzero_point = -127\n}\n}", grid},
		{`target = "tflite"`, "override \"*\" {\nactivation { dtype = \"int8\" }\n}", ""},
		{`target = "tflite"`, "override \"p\" {\n" + fixed + "\n}", mean},
		{"", "override \"p\" {\n" + fixed + "\n}", ""},
	} {
		s := defaultSlots()
		s["override"] = c.target + "\n" + c.override
		s["model"] = `
model "Network" "net" {
layer "Conv2d" "c" {
out_channels = 4
kernel_size = 3
}
layer "Sigmoid" "s" {}
layer "AvgPool2d" "p" { kernel_size = 2 }
layer "Linear" "fc" { out_features = 10 }
}`
		file := filepath.Join(t.TempDir(), "p.hcl")
		must(t, os.WriteFile(file, []byte(effectPipeline(s)), 0o600))
		var said bytes.Buffer
		cli.Main([]string{"validate", file}, cli.Streams{Out: &said, Err: &said, Environ: environ()}, stdlib.Catalog())
		text := strings.Join(strings.Fields(said.String()), " ")
		if c.says == "" && (strings.Contains(text, grid) || strings.Contains(text, mean) || !strings.Contains(text, "valid ")) || !strings.Contains(text, c.says) {
			t.Errorf("%s %s: %s", c.target, c.override, said.String())
		}
	}
}
