package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// fusing are the functions in which a product and a sum may be one instruction: either the product is exact, since it is one of
// two float32 numbers in float64 or has a power of two in it, or nothing that is trained depends on it.
var fusing = regexp.MustCompile(`^qpipe/(` +
	`ops/kernel/(ref|portable)\.(Conv\w+|ChannelStats|GateSums|WeightGrad|dot4|addProducts4|addSums)` +
	`|interp/stage\.\(\*trainer\)\.step` + // a float32 loss times the number of images
	`|stdlib/lrupdaters\.cos\.LR` + // half of a number
	`|ops/engine\.Need|interp/bench\..*` + // an estimate, random images
	`|onnx/exporter\.\(\*step\)\.runtime(Adds|Multiplies)` + // ONNX Runtime's own fused products, asked for by name
	`)\(SB\)$`)

// TestNoFusedProducts: where the instruction set has one for x·y + z, Go uses it unless the product is converted, and rounds once
// in place of twice. "Each operation rounded separately" holds there as well.
func TestNoFusedProducts(t *testing.T) {
	if os.Getenv("QPIPE_LONG") == "" {
		t.Skip("set QPIPE_LONG=1: it builds the program for another processor")
	}
	program := filepath.Join(t.TempDir(), "qpipe.arm64")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	listing, err := exec.Command("go", "tool", "objdump", "-s", "^qpipe/", program).Output()
	must(t, err)
	function, line := "", regexp.MustCompile(`^\s*(\S+:\d+).*\b(FN?M(ADD|SUB)[SD])\b`)
	found := map[string]bool{}
	for text := range bytes.Lines(listing) {
		if name, ok := bytes.CutPrefix(text, []byte("TEXT ")); ok {
			function = string(bytes.Fields(name)[0])
			continue
		}
		m := line.FindSubmatch(text)
		if m == nil {
			continue
		}
		if found[function] = true; !fusing.MatchString(function) {
			t.Errorf("%s: %s is a fused %s: convert the product, float64(x*y) + z", m[1], function, m[2])
		}
	}
	if len(found) < 5 {
		t.Errorf("only %d functions have fused instructions: is the listing still read?", len(found))
	}
}
