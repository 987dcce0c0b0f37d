package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/interp/artifact"
	"qpipe/interp/cli"
	"qpipe/lang/program"
	"qpipe/ops/nn"
	"qpipe/stdlib"
)

// residual has what targets differ in: an addition behind a convolution, one without, an average of windows, a sigmoid.
const residual = `model "Network" "net" {
layer "ConvModule2d" "stem" {
out_channels = 8
kernel_size = 3
padding = 1
}
layer "BasicResBlock" "block" { out_channels = 8 }
layer "AvgPool2d" "pool" { kernel_size = 2 }
layer "Sigmoid" "gate" {}
layer "Add" "sum" { from = [layer.gate, layer.pool] }
layer "ReLU" "act" {}
layer "BasicResBlock" "down" {
out_channels = 12
stride = 2
}
layer "Linear" "fc" { out_features = 10 }
}`

// TestTargets: for every target a pipeline goes to its end, with an absorption on the way; the conversion is proved to change no
// integer; and the int8 model has the nodes that the target has.
func TestTargets(t *testing.T) {
	for _, rules := range nn.Targets() {
		target := string(rules.Target)
		t.Run(target, func(t *testing.T) {
			dir := t.TempDir()
			s := defaultSlots()
			s["model"] = residual
			s["override"] = "target = \"" + target + "\"\noverride \"fc\" {\nactivation { dtype = \"float32\" }\n}"
			s["mode"] = `qat_mode = "with_bn_reverse_fold"`
			s["qat"] = "callback \"FuseBN\" {\nwhen = \"step 3\"\nmodules = [\"block\"]\n}"
			result, log := runEffect(t, s, "int8", filepath.Join(dir, "run"))
			if strings.HasPrefix(result, "exit code") {
				t.Fatal(log)
			}
			snap, err := artifact.Read(filepath.Join(dir, "run", "int8", "int8"+artifact.Ext))
			must(t, err)
			g, err := nn.Restore(snap.Structure)
			must(t, err)
			got := map[string]nn.Module{}
			for _, m := range g.Modules() {
				got[m.Name] = m
			}
			sum, act := got["sum"], got["block.add"]
			if _, apart := got["act"]; g.Target() != rules.Target || apart == rules.SumsApart || (act.Op == "add") != rules.SumsApart || (sum.Act != 0) != rules.SumsApart {
				t.Errorf("for %s the nodes are %v", g.Target(), got)
			}
			if pool := got["pool"]; pool.HasQuant == rules.Prescribes {
				t.Errorf("the average has a quant node of its own: %t", pool.HasQuant)
			}
			scale, zero := tensorOf(snap.Model, "gate.act_scale"), tensorOf(snap.Model, "gate.act_zero_point")
			if fixed := scale == "[0.00390625]" && zero == "[-128]"; fixed != rules.Prescribes {
				t.Errorf("the sigmoid's scale is %s, its zero point %s", scale, zero)
			}

			file := filepath.Join(dir, "p.hcl")
			must(t, os.WriteFile(file, []byte(effectPipeline(s)), 0o600))
			var said bytes.Buffer
			cli.Main([]string{"plan", "-nodes", file}, cli.Streams{Out: &said, Err: &said, Environ: environ()}, stdlib.Catalog())
			if named := strings.Contains(said.String(), "qconfig.q for "+target); named != (rules.Target != nn.Horizon) {
				t.Errorf("the plan says:\n%s", said.String())
			}
		})
	}
	var words []string
	for _, r := range nn.Targets() {
		words = append(words, string(r.Target))
	}
	if strings.Join(program.Targets(), " ") != strings.Join(words, " ") {
		t.Errorf("the language has the targets %v, the networks %v", program.Targets(), words)
	}
}

// tensorOf is the data of the tensor of that name, as text.
func tensorOf(list []nn.Tensor, name string) string {
	for _, v := range list {
		if v.Name == name {
			return fmt.Sprint(v.Data)
		}
	}
	return "none"
}
