package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"qpipe/interp/cli"
	"qpipe/stdlib"
)

var graphCall = regexp.MustCompile("(?ms)^```text\n\\$ qpipe (graph .*?) networks\\.hcl\n(.*?)^```$")

// TestNetworksOnPages: what docs/networks.md shows of its first pipeline is what the program prints.
func TestNetworksOnPages(t *testing.T) {
	page := string(read("docs/networks.md"))
	file := filepath.Join(t.TempDir(), "networks.hcl")
	must(t, os.WriteFile(file, []byte(fence.FindStringSubmatch(page)[1]), 0o600))
	calls := graphCall.FindAllStringSubmatch(page, -1)
	if len(calls) < 2 {
		t.Fatal("the page shows no network")
	}
	for _, call := range calls {
		var out, errs bytes.Buffer
		code := cli.Main(append(strings.Fields(call[1]), file), cli.Streams{Out: &out, Err: &errs, Environ: environ()}, stdlib.Catalog())
		if code != 0 || out.String() != call[2] {
			t.Errorf("qpipe %s: exit code %d, %s, and prints\n%s", call[1], code, &errs, &out)
		}
	}
}

// TestParametersOfBN: a BN that follows no convolution has a factor and an offset for each channel in every form.
func TestParametersOfBN(t *testing.T) {
	s := defaultSlots()
	s["override"] = ""
	s["model"] = `
model "Network" "net" {
layer "ConvModule2d" "c" {
out_channels = 4
kernel_size = 3
}
layer "MaxPool2d" "p" { kernel_size = 2 }
layer "BatchNorm2d" "bn" {}
layer "Linear" "fc" { out_features = 10 }
}`
	file := filepath.Join(t.TempDir(), "p.hcl")
	must(t, os.WriteFile(file, []byte(effectPipeline(s)), 0o600))
	for _, stage := range []string{"float", "calibration", "qat", "int8"} {
		var out, errs bytes.Buffer
		cli.Main([]string{"graph", "-model", "net", "-stage", stage, file}, cli.Streams{Out: &out, Err: &errs, Environ: environ()}, stdlib.Catalog())
		if !regexp.MustCompile(`(?m)^bn +bn +13×13×4 +8\b`).MatchString(out.String()) {
			t.Errorf("%s: %s%s", stage, &out, &errs)
		}
	}
}
