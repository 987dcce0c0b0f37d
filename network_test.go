package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"qpipe/interp/artifact"
	"qpipe/interp/cli"
	"qpipe/stdlib"
)

// resnet8 is ResNet-8 as a pipeline writes it.
const resnet8 = `
network "backbone" {
  variable "width" { type = number }

  layer "ConvModule2d" "stem" {
    out_channels = var.width
    kernel_size  = 3
    padding      = 1
  }
  layer "BasicResBlock" "stage1" {
    count        = 1
    out_channels = var.width
  }
  layer "BasicResBlock" "stage2" {
    count        = 1
    out_channels = 2 * var.width
    stride       = count.index == 0 ? 2 : 1
  }
  layer "BasicResBlock" "stage3" {
    count        = 1
    out_channels = 4 * var.width
    stride       = count.index == 0 ? 2 : 1
  }
}

network "head" {
  variable "classes" { type = number }

  layer "GlobalAvgPool2d" "pool" {}
  layer "Linear" "fc" { out_features = var.classes }
}

model "Network" "net" {
  layer "backbone" "backbone" { width = 8 }
  layer "head" "head" { classes = 10 }
}
`

// TestNetworkIsTheBuiltIn: a network that is written in the pipeline trains, calibrates, trains quantized and converts to the
// same bytes as the built-in one.
func TestNetworkIsTheBuiltIn(t *testing.T) {
	dir := t.TempDir()
	tensors := func(name, model string) []byte {
		s := defaultSlots()
		s["model"] = model
		s["qat"] = "callback \"FuseBN\" {\nwhen = \"step 3\"\nmodules = [\"backbone.stage1\"]\n}"
		out := filepath.Join(dir, name)
		result, log := runEffect(t, s, "int8", out)
		if strings.HasPrefix(result, "exit code") {
			t.Fatal(log)
		}
		var all bytes.Buffer
		for _, file := range []string{"float/last", "calibration/last", "qat/last", "int8/int8"} {
			snap, err := artifact.Read(filepath.Join(out, file+artifact.Ext))
			must(t, err)
			fmt.Fprintf(&all, "%s %s %v %v", file, snap.Structure, snap.Model, snap.Metrics)
		}
		return all.Bytes()
	}
	if !bytes.Equal(tensors("written", resnet8), tensors("built-in", `model "ResNet" "net" {
depth = 8
width = 8
}`)) {
		t.Error("the two networks differ")
	}
}

// TestLayersAreInputs: a stage runs again when an argument of a layer changes, or what it reads, and not when only names of
// variables or the order of definitions do.
func TestLayersAreInputs(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	say := func(model, verb string) string {
		s := defaultSlots()
		s["model"], s["override"] = model, ""
		file := filepath.Join(dir, "p.hcl")
		must(t, os.WriteFile(file, []byte(effectPipeline(s)), 0o600))
		var said bytes.Buffer
		cli.Main([]string{verb, "-out", out, "-stage", "float", file}, cli.Streams{Out: &said, Err: &said, Environ: environ()}, stdlib.Catalog())
		return said.String()
	}
	net := func(arg, from string) string {
		return fmt.Sprintf(`
network "pair" {
variable "k" {}
layer "Conv2d" "a" {
out_channels = 4
kernel_size = var.k
padding = 1
}
layer "Conv2d" "b" {
out_channels = 4
kernel_size = 3
from = %s
padding = 1
}
layer "Add" "sum" { from = [layer.a, layer.b] }
}
model "Network" "net" {
layer "pair" "p" { k = %s }
layer "Linear" "fc" { out_features = 10 }
}`, from, arg)
	}
	if said := say(net("3", "input"), "run"); strings.Contains(said, "Error") {
		t.Fatal(said)
	}
	for name, c := range map[string]struct {
		model string
		again bool
	}{
		"the same":      {net("3", "input"), false},
		"another word":  {strings.ReplaceAll(net("3", "input"), "var.k", "1 * var.k"), false},
		"another from":  {net("3", "layer.a"), true},
		"another value": {strings.Replace(net("3", "input"), "kernel_size = 3", "kernel_size = [3, 3]", 1), true},
	} {
		said := say(c.model, "plan")
		if strings.Contains(said, "Error") || strings.Contains(said, "up to date") == c.again {
			t.Errorf("%s: %s", name, said)
		}
	}
}

// TestDefinitionQuantizes: a definition from another file says how its nodes are quantized, an outer one what inner ones do not say, and
// the pipeline's overrides have the last word. When it changes, the stages that quantize run again and the others do not.
func TestDefinitionQuantizes(t *testing.T) {
	dir := t.TempDir()
	blocks, pipeline, out := filepath.Join(dir, "blocks.hcl"), filepath.Join(dir, "p.hcl"), filepath.Join(dir, "run")
	s := defaultSlots()
	s["override"] = "override \"s.1.u.conv\" {\nweight { per_channel = false }\n}\noverride \"fc\" {\nactivation { dtype = \"float32\" }\n}"
	s["model"] = `
network "pair" { source = "blocks.hcl" }
model "Network" "net" {
layer "pair" "s" { count = 2 }
layer "Linear" "fc" { out_features = 10 }
}`
	must(t, os.WriteFile(pipeline, []byte(effectPipeline(s)), 0o600))
	write := func(dtype string) {
		must(t, os.WriteFile(blocks, []byte(`
network "unit" {
layer "Conv2d" "conv" {
out_channels = 4
kernel_size = 3
stride = 2
}
qconfig {
weight { rounding = "half_up" }
}
}
network "pair" {
layer "unit" "u" {}
layer "ReLU" "act" {}
qconfig {
activation { scheme = "affine" }
weight {
dtype = "`+dtype+`"
rounding = "half_even"
scale_rule = "half_range"
}
}
override "u" {
activation {
observer = "percentile"
percentile = 99
}
}
}`), 0o600))
	}
	say := func(args ...string) string {
		var said bytes.Buffer
		cli.Main(append(args, pipeline), cli.Streams{Out: &said, Err: &said, Environ: environ()}, stdlib.Catalog())
		return said.String()
	}
	write("int4")
	for node, want := range map[string]string{
		"s.0.u.conv": "int8 affine percentile percentile 99 averaging_constant 0.01  int4 half_range half_up per channel",
		"s.1.u.conv": "int8 affine percentile percentile 99 averaging_constant 0.01  int4 half_range half_up ",
		"fc":         "float32                                                       int8 per channel",
	} {
		said := say("plan", "-nodes")
		line := regexp.MustCompile(`(?m)^ +` + regexp.QuoteMeta(node) + ` +(.*)$`).FindStringSubmatch(said)
		if line == nil || !strings.HasPrefix(line[1], want) {
			t.Errorf("%s should be %q:\n%s", node, want, said)
		}
	}
	if said := say("run", "-out", out, "-stage", "calibration"); strings.Contains(said, "Error") {
		t.Fatal(said)
	}
	again := func() (again []bool) {
		said := say("plan", "-out", out, "-stage", "calibration")
		for _, stage := range []string{"float", "calibration"} {
			again = append(again, !regexp.MustCompile(`(?m)^`+stage+` +up to date`).MatchString(said))
		}
		return again
	}
	if got := fmt.Sprint(again()); got != "[false false]" {
		t.Errorf("without a change: %s\n%s", got, say("plan", "-out", out))
	}
	write("int8")
	if got := fmt.Sprint(again()); got != "[false true]" {
		t.Errorf("after a change of a dtype: %s\n%s", got, say("plan", "-out", out))
	}
}

// TestStubInADefinition: what a definition says of all its nodes does not quantize those behind a DeQuantStub; an override does.
func TestStubInADefinition(t *testing.T) {
	for override, want := range map[string]string{
		"": "float32 +float32 ", "override \"f\" {\nweight { dtype = \"int4\" }\n}": "float32 +int4 ",
	} {
		s := defaultSlots()
		s["override"] = ""
		s["model"] = `
network "island" {
layer "DeQuantStub" "out" {}
layer "Conv2d" "f" {
out_channels = 4
kernel_size = 1
}
layer "QuantStub" "in" {}
qconfig {
activation { dtype = "int8" }
weight { dtype = "int8" }
}
` + override + `
}
model "Network" "net" {
layer "Conv2d" "c" {
out_channels = 4
kernel_size = 3
}
layer "island" "i" {}
layer "Linear" "fc" { out_features = 10 }
}`
		file := filepath.Join(t.TempDir(), "p.hcl")
		must(t, os.WriteFile(file, []byte(effectPipeline(s)), 0o600))
		var said bytes.Buffer
		cli.Main([]string{"plan", "-nodes", file}, cli.Streams{Out: &said, Err: &said, Environ: environ()}, stdlib.Catalog())
		if !regexp.MustCompile(`(?m)^ +i\.f +` + want).MatchString(said.String()) {
			t.Errorf("%q: %s", override, said.String())
		}
	}
}
