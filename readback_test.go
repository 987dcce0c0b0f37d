package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"qpipe/ops/nn"
)

// readbackNets are the nets that TestReadback trains: models and quantizations of every kind.
var readbackNets = []struct {
	name, model, mode, qconfig string
	head                       bool // the logits are codes, too
}{
	{"LeNet", `"LeNet"`, "with_bn_reverse_fold", ``, false},
	{"ResNet-8", `"ResNet" "net" { depth = 8 }`, "with_bn", ``, false},
	{"MobileNetV2", `"MobileNetV2" "net" { width_mult = 0.35 }`, "fuse_bn", ``, false},
	{"MobileNetV2, affine uint8", `"MobileNetV2" "net" { width_mult = 0.35 }`, "with_bn_reverse_fold", `activation {
    dtype  = "uint8"
    scheme = "affine"
  }`, true},
	{"ResNet-8, affine", `"ResNet" "net" { depth = 8 }`, "fuse_bn", `activation { scheme = "affine" }`, true},
	{"LeNet, affine", `"LeNet"`, "with_bn", `activation { scheme = "affine" }`, true},
	{"LeNet, affine uint8", `"LeNet"`, "with_bn", `activation {
    dtype  = "uint8"
    scheme = "affine"
  }`, true},
	{"LeNet, per tensor", `"LeNet"`, "with_bn_reverse_fold", `weight { per_channel = false }`, false},
	{"LeNet, half up", `"LeNet"`, "fuse_bn", `activation { rounding = "half_up" }
  weight { rounding = "half_up" }`, true},
	{"LeNet, half range", `"LeNet"`, "with_bn", `activation { scale_rule = "half_range" }
  weight { scale_rule = "half_range" }`, true},
	{"LeNet, int4", `"LeNet"`, "with_bn_reverse_fold", `activation { dtype = "int4" }
  weight { dtype = "int4" }`, false},
	{"for ONNX Runtime", `"ResNet" "net" { depth = 8 }`, "with_bn", `target = "onnxruntime"
  activation { scheme = "affine" }`, false},
	{"LeNet, float islands", `"LeNet"`, "with_bn", `override "backbone.conv1" {
    activation { dtype = "float32" }
  }
  override "backbone.conv2" {
    weight { dtype = "float32" }
  }`, false},
	{"for TFLite", strings.TrimPrefix(residual, "model "), "fuse_bn", `target = "tflite"
  activation { scheme = "affine" }`, true},
}

// readbackPipeline trains a net for a moment, in float and quantized, and converts it.
func readbackPipeline(model, mode, qconfig string, head bool) string {
	if model == `"LeNet"` {
		model += ` "net" {}`
	}
	if !head {
		qconfig += `
  override "head.fc" {
    activation { dtype = "float32" }
  }`
	}
	stage := func(name, convert, lr string) string {
		trainer := ""
		if lr != "" {
			trainer = fmt.Sprintf("trainer {\n num_epochs = 1\n batch_size = 32\n optimizer \"SGD\" { lr = %s }\n}", lr)
		}
		if convert != "" {
			convert = fmt.Sprintf("model_convert_pipeline {\n qat_mode = %q\n qconfig = qconfig.q\n %s\n}", mode, convert)
		}
		train := ""
		if lr != "" {
			train = "train_data = dataset.train"
		}
		return fmt.Sprintf("stage %q {\n model = model.net\n %s\n val_data = dataset.test\n %s\n %s\n}\n", name, train, convert, trainer)
	}
	return `
dataset "Glyphs" "train" { num_samples = 480 }
dataset "Glyphs" "test" {
  split       = "test"
  num_samples = 130
}
model ` + model + `
qconfig "q" {
  ` + qconfig + `
}
` + stage("float", "", "0.02") +
		stage("qat", `converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.last }
 converter "Float2QAT" {}`, "0.005") +
		stage("int8", `converter "Float2QAT" {}
 converter "LoadCheckpoint" { checkpoint_path = stage.qat.checkpoint.last }
 converter "QAT2Quantize" {}`, "")
}

// TestReadback compares int8 models with tools/readback, a reader in NumPy that is written from docs/format.md and
// shares no code with qpipe: not one integer of any node differs. Those of float islands are right within rounding, and nearly all
// of them leave no choice.
func TestReadback(t *testing.T) {
	if os.Getenv("QPIPE_LONG") == "" {
		t.Skip("takes a minute: set QPIPE_LONG=1 (make long)")
	}
	python := numpy(t)
	for _, n := range readbackNets {
		t.Run(n.name, func(t *testing.T) {
			dir := t.TempDir()
			file, out, dump := filepath.Join(dir, "x.hcl"), filepath.Join(dir, "run"), filepath.Join(dir, "dump")
			must(t, os.WriteFile(file, []byte(readbackPipeline(n.model, n.mode, n.qconfig, n.head)), 0o600))
			if code := run(t, "run", "-out", out, file); code != 0 {
				t.Fatal("the run failed")
			}
			model := filepath.Join(out, "int8", "int8.safetensors")
			evalJSON(t, model, "-data", "dataset.test", "-dump", dump, file)
			readback(t, python, model, dump, 130*1000)
		})
	}
	for name, q := range evalQuants() {
		t.Run("every op, "+name, func(t *testing.T) {
			dir := t.TempDir()
			forms := oddForms(t, q)
			model, pipeline := saveGraph(t, dir, forms[len(forms)-1])
			evalJSON(t, model, "-data", "dataset.d", "-dump", filepath.Join(dir, "dump"), pipeline)
			readback(t, python, model, filepath.Join(dir, "dump"), 7000)
		})
	}
}

// numpy is a Python with NumPy: the one that QPIPE_PYTHON names, otherwise python3.
func numpy(t *testing.T) string {
	t.Helper()
	python := os.Getenv("QPIPE_PYTHON")
	if python == "" {
		python = "python3"
	}
	if err := exec.Command(python, "-c", "import numpy").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s with NumPy is missing: %v", python, err)
		}
		t.Skipf("no %s with NumPy: %v (set QPIPE_PYTHON)", python, err)
	}
	return python
}

var (
	readbackVerdict = regexp.MustCompile(`(?m)^(\d+) of (\d+) numbers differ`)
	readbackUnsure  = regexp.MustCompile(`(?m)^(\d+) of (\d+) integers at the end of float islands.*`)
)

// readback compares a dump with what the reader computes: at least so many numbers, all equal.
func readback(t *testing.T, python, model, dump string, least int) {
	t.Helper()
	out, err := exec.Command(python, "tools/readback/readback.py", model, dump).CombinedOutput()
	m := readbackVerdict.FindStringSubmatch(string(out))
	if err != nil || m == nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log(m[0])
	if u := readbackUnsure.FindStringSubmatch(string(out)); u != nil {
		t.Log(u[0])
		unsure, _ := strconv.Atoi(u[1])
		if of, _ := strconv.Atoi(u[2]); unsure*100 > of {
			t.Errorf("too few integers of float islands are certain: %s", u[0])
		}
	}
	if total, _ := strconv.Atoi(m[2]); m[1] != "0" || total < least {
		t.Errorf("%s", out)
	}
}

// TestReadbackSeesDifferences changes one integer of a weight, or one float32 weight of an island by a tenth: the reader must say so.
func TestReadbackSeesDifferences(t *testing.T) {
	if os.Getenv("QPIPE_LONG") == "" {
		t.Skip("set QPIPE_LONG=1 (make long)")
	}
	python := numpy(t)
	for _, name := range []string{"int8", "islands"} {
		dir, g := t.TempDir(), oddForms(t, evalQuants()[name])[3]
		model, pipeline := saveGraph(t, dir, g)
		evalJSON(t, model, "-data", "dataset.d", "-dump", filepath.Join(dir, "dump"), pipeline)
		what := changeWeight(t, g, name == "islands")
		model, _ = saveGraph(t, dir, g)
		out, err := exec.Command(python, "tools/readback/readback.py", model, filepath.Join(dir, "dump")).CombinedOutput()
		if err == nil || what == "" || readbackVerdict.FindSubmatch(out) == nil {
			t.Errorf("%s, %q is another: %v\n%s", name, what, err, out)
		}
	}
}

// changeWeight changes a weight, one of float32 or of integers, and returns its name.
func changeWeight(t *testing.T, g *nn.Graph, float bool) string {
	t.Helper()
	for _, ts := range g.Tensors() {
		f, isFloat := ts.Data.([]float32)
		w, isCode := ts.Data.([]int8)
		switch {
		case float && isFloat && strings.HasSuffix(ts.Name, ".weight"):
			f[0] += 0.1
		case !float && isCode:
			w[0]--
		default:
			continue
		}
		must(t, g.SetTensor(ts))
		return ts.Name
	}
	return ""
}
