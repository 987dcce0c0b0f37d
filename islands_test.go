package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/artifact"
	"qpipe/interp/cli"
	"qpipe/interp/runs"
	"qpipe/lang/diag"
	"qpipe/stdlib"
)

// stubbed has a part between stubs, in which a layer is quantized by name, and an addition of what is in front and behind.
const stubbed = `model "Network" "net" {
layer "ConvModule2d" "stem" {
out_channels = 8
kernel_size = 3
padding = 1
}
layer "DeQuantStub" "float" {}
layer "ConvModule2d" "fine" {
out_channels = 8
kernel_size = 1
}
layer "ConvModule2d" "named" {
out_channels = 8
kernel_size = 1
}
layer "Sigmoid" "open" {}
layer "Mul" "gated" { from = [layer.fine, layer.open] }
layer "QuantStub" "again" {}
layer "Add" "sum" { from = [layer.again, layer.stem] }
layer "BasicResBlock" "down" {
out_channels = 12
stride = 2
}
layer "Linear" "fc" { out_features = 10 }
}`

const stubbedConfig = `override "fc" {
activation { dtype = "float32" }
}
override "named" {
activation { dtype = "int8" }
weight { dtype = "int8" }
}
override "down.conv1" {
activation { dtype = "float32" }
}`

// TestFloatIslands: in every mode a pipeline with float islands goes to its end, with absorptions on the way; the conversion is proved
// to change no integer and no value; validate names the islands that no stub asks for; and plan says which block, or stub, it is.
func TestFloatIslands(t *testing.T) {
	for _, mode := range []string{"fuse_bn", "with_bn", "with_bn_reverse_fold"} {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			s := defaultSlots()
			s["model"], s["override"], s["mode"] = stubbed, stubbedConfig, `qat_mode = "`+mode+`"`
			if mode != "fuse_bn" {
				s["qat"] = "callback \"FuseBN\" {\nwhen = \"step 3\"\nmodules = [\"fine\", \"down.conv1\"]\n}"
			}
			result, log := runEffect(t, s, "int8", filepath.Join(dir, "run"))
			if strings.HasPrefix(result, "exit code") {
				t.Fatal(log)
			}
			islandsOfRun(t, filepath.Join(dir, "run"))

			file := filepath.Join(dir, "p.hcl")
			must(t, os.WriteFile(file, []byte(effectPipeline(s)), 0o600))
			var said bytes.Buffer
			cli.Main([]string{"plan", "-nodes", file}, cli.Streams{Out: &said, Err: &said, Environ: environ()}, stdlib.Catalog())
			text := strings.Join(strings.Fields(said.String()), " ")
			for _, want := range []string{
				"runs: down.conv1.conv (its output is float32), down.conv2.conv (its operand down.conv1.conv is float32). If",
				"fine.conv float32 float32 a DeQuantStub in front of it",
				"named.conv int8 min_max averaging_constant 0.01 int8 per channel activation.dtype (p.hcl:",
				"in the int8 form 8 nodes stay float32, with ", "gated: its operand fine.conv is float32",
			} {
				if !strings.Contains(text, want) {
					t.Errorf("the plan does not say %q:\n%s", want, said.String())
				}
			}
		})
	}
}

// islandsOfRun looks at what a run has left of the islands.
func islandsOfRun(t *testing.T, dir string) {
	t.Helper()
	m, err := runs.ReadManifest(dir)
	must(t, err)
	why := map[string]string{}
	proof := m.Stage("int8").Proof
	for _, n := range proof.Nodes {
		if n.Island != "" {
			why[n.Node] = n.Island
		}
	}
	want := map[string]string{
		"float": "its output is float32", "fine.conv": "its weight is float32", "named.conv": "its operand fine.conv is float32",
		"gated": "its operand fine.conv is float32", "again": "its operand gated is float32",
		"down.conv1.conv": "its output is float32", "down.conv2.conv": "its operand down.conv1.conv is float32",
		"open": "its output is float32",
	}
	if proof.Changed != 0 || proof.Model != "int8 model, in part float32" || !maps.Equal(why, want) {
		t.Errorf("of the %s %d numbers change; its islands are %v", proof.Model, proof.Changed, why)
	}
	d, err := artifact.Describe(filepath.Join(dir, "int8", "int8"+artifact.Ext))
	must(t, err)
	types := map[string]string{}
	for _, v := range d.Tensors {
		types[v.Name] = v.DType
	}
	for name, dtype := range map[string]string{
		"stem.conv.weight": "int8", "stem.conv.bias": "int32", "fine.conv.weight": "float32", "fine.conv.bias": "float32", "fine.conv.act_scale": "",
		"named.conv.weight": "int8", "named.conv.bias": "float32", "named.conv.act_scale": "float32", "down.conv1.conv.bias": "int32",
	} {
		if types[name] != dtype {
			t.Errorf("%s is of type %q, want %q", name, types[name], dtype)
		}
	}
	if i := slices.IndexFunc(d.Layers, func(l artifact.Layer) bool { return l.Name == "fine.conv" }); d.Layers[i].Params != 8*8+8 {
		t.Errorf("a float island has %d parameters", d.Layers[i].Params)
	}
}

// TestTooManyProducts: a layer with more products than int32 holds is named where it is written, with the way out, whatever the
// codes of what it reads; one with fewer is computed with integers.
func TestTooManyProducts(t *testing.T) {
	for channels, want := range map[int]int{51: 0, 84: 1} { // of 28×28 pixels: 39,984 and 65,856
		for _, scheme := range []string{"symmetric", "affine"} {
			text := effectPipeline(slots{"activation": "scheme = \"" + scheme + "\"", "override": "override \"fc\" {\nactivation { dtype = \"float32\" }\n}", "model": fmt.Sprintf(`model "Network" "net" {
layer "Conv2d" "wide" {
out_channels = %d
kernel_size = 1
}
layer "Linear" "fc" { out_features = 10 }
}`, channels)})
			list, _ := validated(t, text)
			before, _, _ := strings.Cut(text, `layer "Linear"`)
			var said diag.List
			for _, d := range list {
				if d.Rule == "float-islands" {
					said = append(said, d)
				}
			}
			if len(said) != want {
				t.Fatalf("%d channels, %s: %v", channels, scheme, list)
			}
			for _, d := range said {
				if !strings.Contains(d.Detail, "fc (an output is a sum of 65856 products") || !strings.Contains(d.Detail, "behind a pool or a stride") ||
					len(d.Related) != 1 || d.Related[0].Message != "the first is this layer" || d.Related[0].Range.Start.Byte != len(before) {
					t.Errorf("%s: %+v", scheme, d)
				}
			}
		}
	}
}
