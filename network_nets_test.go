package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/interp/artifact"
	"qpipe/interp/runs"
)

// mobileNetV2 is MobileNetV2 for small images, 0.1 times as wide, as a pipeline writes it.
const mobileNetV2 = `
network "stage" {
variable "expand" { default = 6 }
variable "channels" { type = number }
variable "blocks" { type = number }
variable "stride" { default = 1 }

layer "InvertedResidual" "part" {
for_each = { for i in range(var.blocks) : "b${i}" => i }
from = each.value == 0 ? input : layer.part["b${each.value - 1}"]
expand_ratio = var.expand
out_channels = var.channels
stride = each.value == 0 ? var.stride : 1
act = "relu6"
}
}
model "Network" "net" {
layer "ConvModule2d" "stem" {
out_channels = 8
kernel_size = 3
padding = 1
act = "relu6"
}
layer "stage" "stage1" {
expand = 1
channels = 8
blocks = 1
}
layer "stage" "stage2" {
channels = 8
blocks = 2
}
layer "stage" "stage3" {
channels = 8
blocks = 3
stride = 2
}
layer "stage" "stage4" {
channels = 8
blocks = 4
stride = 2
}
layer "stage" "stage5" {
channels = 16
blocks = 3
}
layer "stage" "stage6" {
channels = 16
blocks = 3
stride = 2
}
layer "stage" "stage7" {
channels = 32
blocks = 1
}
layer "ConvModule2d" "last" {
out_channels = 1280
kernel_size = 1
act = "relu6"
}
layer "GlobalAvgPool2d" "pool" {}
layer "Linear" "fc" { out_features = 10 }
}`

// uNet is a U-Net of two levels, whose output has a value for each class and pixel.
const uNet = `
network "twice" {
variable "channels" { type = number }
layer "ConvModule2d" "conv1" {
out_channels = var.channels
kernel_size = 3
padding = 1
}
layer "ConvModule2d" "conv2" {
out_channels = var.channels
kernel_size = 3
padding = 1
}
}
network "down" {
variable "channels" { type = number }
layer "twice" "twice" { channels = var.channels }
layer "MaxPool2d" "pool" { kernel_size = 2 }
output "skip" { from = layer.twice }
output "deeper" { from = layer.pool }
}
network "up" {
variable "channels" { type = number }
input "deeper" {}
input "skip" {}
layer "ConvTranspose2d" "up" {
from = input.deeper
out_channels = var.channels
kernel_size = 2
stride = 2
}
layer "Concat" "concat" { from = [layer.up, input.skip] }
layer "twice" "twice" { channels = var.channels }
}
model "Network" "net" {
layer "down" "down" {
count = 2
from = count.index == 0 ? input : layer.down[count.index - 1].deeper
channels = 4 * pow(2, count.index)
}
layer "twice" "bottom" {
from = layer.down[1].deeper
channels = 16
}
layer "up" "up1" {
from = [layer.bottom, layer.down[1].skip]
channels = 8
}
layer "up" "up0" {
from = [layer.up1, layer.down[0].skip]
channels = 4
}
layer "Conv2d" "fc" {
out_channels = 11
kernel_size = 1
}
}`

// TestWrittenNets: MobileNetV2 and a U-Net, written in the pipeline, go from float to int8 in every mode, with BNs absorbed on the way, and the
// conversion is proved to change no integer.
func TestWrittenNets(t *testing.T) {
	masks := "\ntarget = \"mask\""
	for _, c := range []struct {
		name, model, data, mode, fuse string
		nodes                         int
	}{
		{"MobileNetV2", mobileNetV2, "", "fuse_bn", "", 55},
		{"MobileNetV2", mobileNetV2, "", "with_bn", "stage2", 55},
		{"MobileNetV2", mobileNetV2, "", "with_bn_reverse_fold", "stage[2-5]", 55},
		{"U-Net", uNet, masks, "fuse_bn", "", 17},
		{"U-Net", uNet, masks, "with_bn", "down.0", 17},
		{"U-Net", uNet, masks, "with_bn_reverse_fold", "up1", 17},
	} {
		t.Run(c.name+", "+c.mode, func(t *testing.T) {
			if c.name == "MobileNetV2" && c.mode != "with_bn_reverse_fold" && os.Getenv("QPIPE_LONG") == "" {
				t.Skip("takes seconds: set QPIPE_LONG=1 (make long)")
			}
			dir := t.TempDir()
			s := defaultSlots()
			s["model"], s["mode"] = c.model, fmt.Sprintf("qat_mode = %q", c.mode)
			s["train"], s["test"] = "num_samples = 16"+c.data, "split = \"test\"\nnum_samples = 8"+c.data
			s["override"] = "override \"fc\" {\nactivation { dtype = \"float32\" }\n}"
			if c.fuse != "" {
				s["qat"] = fmt.Sprintf("callback \"FuseBN\" {\nwhen = \"step 2\"\nmodules = [%q]\n}", c.fuse)
			}
			if result, log := runEffect(t, s, "int8", dir); strings.HasPrefix(result, "exit code") {
				t.Fatal(log)
			}
			m, err := runs.ReadManifest(dir)
			must(t, err)
			if p := m.Stage("int8").Proof; p == nil || p.Changed != 0 || len(p.Nodes) < c.nodes {
				t.Errorf("the proof is %+v", p)
			}
		})
	}
}

// TestWrittenMobileNetV2: it has the structure of the built-in one, but for the names.
func TestWrittenMobileNetV2(t *testing.T) {
	structure := func(model string, rename ...string) []byte {
		s := defaultSlots()
		s["model"], s["override"], s["trainer"] = model, "", "num_steps = 1\nbatch_size = 4"
		dir := t.TempDir()
		if result, log := runEffect(t, s, "float", dir); strings.HasPrefix(result, "exit code") {
			t.Fatal(log)
		}
		snap, err := artifact.Read(filepath.Join(dir, "float", "last"+artifact.Ext))
		must(t, err)
		return []byte(strings.NewReplacer(rename...).Replace(string(snap.Structure)))
	}
	written := structure(mobileNetV2, ".part.b", ".")
	builtIn := structure("model \"MobileNetV2\" \"net\" { width_mult = 0.1 }", "backbone.", "", "head.", "")
	for i := range min(len(written), len(builtIn)) {
		if written[i] != builtIn[i] {
			t.Fatalf("written: …%.300s\nbuilt-in: …%.300s", written[max(i-100, 0):], builtIn[max(i-100, 0):])
		}
	}
	if len(written) != len(builtIn) {
		t.Errorf("%d bytes, and of the built-in one %d", len(written), len(builtIn))
	}
}
