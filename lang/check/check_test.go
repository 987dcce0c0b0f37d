package check

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/lang/syntax"
)

func checked(t *testing.T, text string, o Options) *program.Program {
	t.Helper()
	o.Signatures = catalogue()
	files, list := syntax.ParseSource("main.hcl", []byte(text))
	if !list.HasErrors() {
		var p *program.Program
		if p, list = Check(files, o); !list.HasErrors() {
			return p
		}
	}
	var b strings.Builder
	_ = diag.WriteText(&b, list, files.Source, diag.Style{})
	t.Fatal(b.String())
	return nil
}

// TestExample: the example of the language's page, as it is decoded.
func TestExample(t *testing.T) {
	src, err := os.ReadFile("../../pipelines/mnist.hcl")
	if err != nil {
		t.Fatal(err)
	}
	p := checked(t, string(src), Options{Vars: []Var{{Name: "data_dir", Value: "/data"}}})
	calibration, qat, infer := p.Stages[1], p.Stages[2], p.Stages[4]
	q := p.QConfigs[0]
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"the variable", p.Datasets[0].Args, mnistArgs{Root: "/data", Split: "train", ValSamples: 5000}},
		{"a transform", p.Datasets[0].Transforms[0].Args, cropArgs{Size: 28, Padding: 2}},
		{"an address", p.Datasets[0].Transforms[0].Origin.Address, "dataset.train.transform.RandomCrop[0]"},
		{"the model's defaults", p.Models[0].Args, resnetArgs{Depth: 8, NumClasses: 10}},
		{"the stages' model", calibration.Model, p.Models[0]},
		{"the weight's defaults", []any{q.Weight.DType, q.Weight.Scheme, q.Weight.ScaleRule, q.Weight.Rounding, q.Weight.PerChannel, q.Weight.Observer.Type}, []any{"int8", "symmetric", "max", "half_even", true, "min_max"}},
		{"an override", []any{q.Overrides[0].Activation.DType, q.Overrides[0].Activation.Observer.Args, q.Overrides[0].Weight == nil, q.Overrides[0].Selector.Match("head.fc")}, []any{"float32", averaging{0.01}, true, true}},
		{"a checkpoint", calibration.Convert.Converters[0].Args, loadArgs{CheckpointPath: program.Checkpoint{Stage: "float", Which: "best"}}},
		{"its reference", []any{calibration.Convert.Converters[0].Refs[0].Stage, calibration.Convert.Converters[0].Refs[0].What, calibration.Convert.Converters[0].Refs[0].Attr}, []any{"float", "checkpoint.best", "checkpoint_path"}},
		{"the calibrator", []any{calibration.Calibrator.NumSteps, calibration.Calibrator.BatchSize}, []any{20, 64}},
		{"the trainer", []any{qat.Trainer.NumEpochs, qat.Trainer.NumSteps, qat.Trainer.BatchSize, qat.Trainer.DropLast, qat.Trainer.ResumeOptimizer, qat.Trainer.ResumeEpochOrStep, qat.Trainer.Losses[0].Type, qat.Trainer.LRUpdater == nil}, []any{4, 0, 128, true, false, false, "CrossEntropyLoss", true}},
		{"a schedule", []any{qat.Callbacks[1].When.Unit, qat.Callbacks[1].When.From, qat.Callbacks[0].When.Unit}, []any{program.Step, 1600, program.Epoch}},
		{"selectors", []any{len(qat.Callbacks[0].Modules), program.Select(qat.Callbacks[1].Modules, "backbone.stage3.0.conv1"), program.Select(qat.Callbacks[1].Modules, "backbone.stage1.0")}, []any{2, true, false}},
		{"the validation", []any{infer.Validation.BatchSize, infer.Validation.Metrics[0].Type, infer.Trainer == nil, infer.Val}, []any{256, "Accuracy", true, p.Datasets[2]}},
		{"a range", p.Stages[0].Trainer.Optimizer.Origin.Attrs["lr"].Start.Line, 60},
		{"an output", []any{p.Outputs[0].Name, p.Outputs[0].Refs[0].Stage, p.Outputs[0].Refs[0].What}, []any{"int8_accuracy", "int_infer", "metrics.accuracy"}},
	} {
		if d := cmp.Diff(c.want, c.got); d != "" {
			t.Errorf("%s: %s", c.what, d)
		}
	}
}

func TestOverrides(t *testing.T) {
	p := checked(t, `
qconfig "q" {
  activation {
    observer           = "percentile"
    percentile         = 99.9
    averaging_constant = 0.1
  }
  override "a" {
    activation { dtype = "int16" }
  }
  override "b" {
    activation { percentile = 90 }
  }
  override "c" {
    activation { observer = "min_max" }
    weight { per_channel = false }
  }
}`, Options{})
	q := p.QConfigs[0]
	for i, want := range []any{percentileArgs{averaging{0.1}, 99.9}, percentileArgs{averaging{0.1}, 90}, averaging{0.01}} {
		if d := cmp.Diff(want, q.Overrides[i].Activation.Observer.Args, cmp.AllowUnexported(percentileArgs{})); d != "" {
			t.Errorf("override %d: %s", i, d)
		}
	}
	if o := q.Overrides[2]; q.Overrides[0].Activation.DType != "int16" || o.Activation.DType != "int8" || o.Weight.PerChannel || !q.Weight.PerChannel {
		t.Errorf("%+v", q)
	}
}

// TestNestedBlocks: arguments that are blocks, two levels of them, labels, defaults, dynamic ones, and their places.
func TestNestedBlocks(t *testing.T) {
	p := checked(t, `
locals { widths = [8, 16] }
model "Stack" "net" {
  note = "x"
  unit "conv" {
    width = 4
    act { limit = 6 }
  }
  dynamic "unit" {
    for_each = local.widths
    labels   = ["pool"]
    content {
      width = unit.value
      dynamic "act" {
        for_each = unit.value > 8 ? [unit.value] : []
        content { limit = act.value / 2 }
      }
    }
  }
  head {}
}`, Options{})
	m := p.Models[0]
	want := stackArgs{
		Note: "x", Head: &headArgs{Classes: 10},
		Units: []unitArgs{{"conv", 4, &actArgs{Limit: 6}}, {"pool", 8, nil}, {"pool", 16, &actArgs{Limit: 8}}},
	}
	if d := cmp.Diff(want, m.Args); d != "" || m.Faulty {
		t.Error(d)
	}
	for path, line := range map[string]int{
		"note": 4, "unit[0]": 5, "unit[0].width": 6, "unit[0].act": 7, "unit[0].act.limit": 7, "unit[2].width": 13, "unit[1].act.limit": 9, "head.classes": 20,
		"unit[0].kind": 5, "nowhere": 3,
	} {
		if got := m.Origin.At(path).Start.Line; got != line {
			t.Errorf("%s is in line %d, want %d", path, got, line)
		}
	}
}

type results map[string]float64

func (r results) Metric(stage, name string) (float64, bool) {
	v, ok := r[stage+"."+name]
	return v, ok
}

func (r results) Checkpoint(stage, which string) (string, bool) {
	return "runs/x/" + stage + "/" + which + ".safetensors", stage == "a"
}

// TestDeferred: what depends on a run is evaluated with its results, through
// local values too.
func TestDeferred(t *testing.T) {
	p := checked(t, `
model "LeNet" "net" {}
dataset "Glyphs" "d" {}
locals {
  percent = stage.a.metrics.accuracy * 100
  text    = format("%.1f%%", local.percent)
}
stage "a" {
  model      = model.net
  train_data = dataset.d
  val_data   = dataset.d
  trainer {
    num_epochs = 1
    batch_size = 1
    optimizer "SGD" { lr = 0.1 }
  }
  assert {
    condition     = stage.a.metrics.accuracy > 0.5
    error_message = "Only ${local.text}."
  }
}
output "text" { value = local.text }
output "all" {
  value = {
    path   = stage.a.checkpoint.last
    list   = [1, true, null]
    better = stage.a.metrics["accuracy"] > 0.5
  }
}
output "bad" { value = upper(stage.a.metrics.loss > 1 ? "x" : null) }
`, Options{})
	run := results{"a.accuracy": 0.25, "a.loss": 0.5}
	get := func(d program.Deferred, r program.Results) any {
		t.Helper()
		v, list := d(r)
		if list.HasErrors() {
			return string(list[0].Code) + " " + list[0].Summary
		}
		return v
	}
	for i, want := range []any{
		"25.0%",
		map[string]any{"path": "runs/x/a/last.safetensors", "list": []any{1.0, true, nil}, "better": false},
		"QP211 invalid function argument",
	} {
		if d := cmp.Diff(want, get(p.Outputs[i].Value, run)); d != "" {
			t.Errorf("output %d: %s", i, d)
		}
	}
	c := p.Stages[0].Conditions[0]
	if get(c.Holds, run) != false || get(c.Holds, results{"a.accuracy": 0.75}) != true || get(c.Message, run) != "Only 25.0%." {
		t.Errorf("the assert: %v, %v", get(c.Holds, run), get(c.Message, run))
	}
	if got := get(p.Outputs[0].Value, results{}); got != `QP244 stage "a" has no metric "accuracy"` {
		t.Errorf("a metric that is not there: %v", got)
	}
}

// TestManyDeferred: thousands of outputs that refer to thousands of locals, and these to each other, are evaluated
// without each evaluating all of them; and anew where the stage has left something else.
func TestManyDeferred(t *testing.T) {
	const n = 1000
	var b strings.Builder
	b.WriteString("dataset \"Glyphs\" \"d\" {}\nmodel \"LeNet\" \"net\" {}\nlocals {\n  l0 = stage.a.metrics.loss\n")
	for i := range n {
		fmt.Fprintf(&b, "  l%d = local.l%d + 1\n", i+1, i)
	}
	b.WriteString("}\nstage \"a\" {\n  model = model.net\n  train_data = dataset.d\n  trainer {\n    num_epochs = 1\n    batch_size = 1\n    optimizer \"SGD\" { lr = 0.1 }\n  }\n}\n")
	for i := range n {
		fmt.Fprintf(&b, "output \"o%d\" { value = local.l%d }\n", i, n-i)
	}
	p := checked(t, b.String(), Options{})
	began := time.Now()
	for _, loss := range []float64{0.5, 0.25} {
		for i, o := range p.Outputs {
			if v, list := o.Value(results{"a.loss": loss}); list.HasErrors() || v != loss+float64(n-i) {
				t.Fatalf("output %d is %v: %v", i, v, list)
			}
		}
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the outputs took %v", took)
	}
}

// TestPrecedence: default, environment, *.auto.qvars in order, flags in order.
func TestPrecedence(t *testing.T) {
	dir := t.TempDir()
	lay := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	lay("main.hcl", strings.Join([]string{
		`variable "a" { default = "default" }`, `variable "b" { default = "default" }`, `variable "c" { default = "default" }`,
		`variable "d" { default = "default" }`, `variable "e" { default = "default" }`, `variable "f" { default = "default" }`,
		`output "x" { value = join(" ", [var.a, var.b, var.c, var.d, var.e, var.f]) }`,
	}, "\n"))
	lay("1.auto.qvars", "c = \"auto1\"\nd = \"auto1\"\ne = \"auto1\"\n")
	lay("2.auto.qvars", "d = \"auto2\"\n")
	file := lay("file.qvars", "e = \"file\"\nf = \"file\"\n")
	env := []string{"QPIPE_VAR_b=env", "QPIPE_VAR_c=env", "QPIPE_VAR_zzz=env", "HOME=x"}
	for want, vars := range map[string][]Var{
		"default env auto1 auto2 auto1 default": nil,
		"default env auto1 auto2 file flag":     {{File: file}, {Name: "f", Value: "flag"}},
		"default env auto1 auto2 file file":     {{Name: "f", Value: "flag"}, {File: file}},
	} {
		files, list := syntax.Parse(dir)
		if list.HasErrors() {
			t.Fatal(list[0].Summary)
		}
		p, list := Check(files, Options{Signatures: catalogue(), Vars: vars, Env: env})
		if p == nil || len(list) > 0 {
			t.Fatalf("%+v", list)
		}
		if got, _ := p.Outputs[0].Value(results{}); got != want {
			t.Errorf("%v: %v, want %s", vars, got, want)
		}
	}
}

func TestFunctions(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "t.txt"), []byte("%{ for x in list }<${x}>%{ endfor }"), 0o644); err != nil {
		t.Fatal(err)
	}
	for expr, want := range map[string]any{
		`max(1, 2) + min(3, 4) + abs(-1) + ceil(0.5) + floor(1.5) + pow(2, 3) + sum([1, 2])`: 19.0,
		`parseint("ff", 16)`: 255.0,
		`upper(trimspace(" a ")) == "A" && startswith("abc", "ab") && endswith("abc", "bc") && strcontains("abc", "b")`: true,
		`replace("a1b22", "/[0-9]+/", "x")`:                          "axbx",
		`replace("a.b", ".", "-")`:                                   "a-b",
		`join(",", sort(distinct(["b", "a", "b"])))`:                 "a,b",
		`format("%03d %s", 7, "x")`:                                  "007 x",
		`regex("[0-9]+", "a12b")`:                                    "12",
		`length("äö") + length([1, 2]) + length({ a = 1 })`:          5.0,
		`lookup({ a = 1 }, "b", 2)`:                                  2.0,
		`index(["a", "b"], "b")`:                                     1.0,
		`coalesce(null, "", "x")`:                                    "x",
		`one([5])`:                                                   5.0,
		`alltrue([true, false]) || anytrue([true, false])`:           true,
		`jsonencode(jsondecode("{\"a\":[1,2]}"))`:                    `{"a":[1,2]}`,
		`base64decode(base64encode("ä"))`:                            "ä",
		`substr(sha256("x"), 0, 8)`:                                  "2d711642",
		`try({}.a, "none")`:                                          "none",
		`can({}.a)`:                                                  false,
		`fileexists("t.txt") && !fileexists("no.txt")`:               true,
		`templatefile("t.txt", { list = ["a", "b"] })`:               "<a><b>",
		`keys(merge({ a = 1 }, { b = 2 }))`:                          []any{"a", "b"},
		`[for k, v in zipmap(["x"], [1]) : "${k}=${v}"]`:             []any{"x=1"},
		`flatten([[1], [2, [3]]])`:                                   []any{1.0, 2.0, 3.0},
		`tolist(fileset(".", "*.txt"))`:                              []any{"t.txt"},
		`formatdate("YYYY", timeadd("2026-01-01T00:00:00Z", "24h"))`: "2026",
		`basename(dirname("a/b/c"))`:                                 "b",
	} {
		files, list := syntax.ParseSource(filepath.Join(dir, "main.hcl"), []byte("output \"x\" {\n  value = "+expr+"\n}\n"))
		if list.HasErrors() {
			t.Fatal(expr, list[0].Summary)
		}
		p, list := Check(files, Options{Signatures: catalogue()})
		if list.HasErrors() {
			t.Errorf("%s: %s %s", expr, list[0].Summary, list[0].Detail)
			continue
		}
		got, list := p.Outputs[0].Value(results{})
		if d := cmp.Diff(want, got); d != "" || list.HasErrors() {
			t.Errorf("%s: %s", expr, d)
		}
	}
}

// TestDoubling: values that double from line to line are stopped early.
func TestDoubling(t *testing.T) {
	for _, form := range []string{`"${local.x%d}${local.x%d}"`, `[local.x%d, local.x%d]`, `concat(local.x%d, local.x%d)`, `{ a = local.x%d, b = local.x%d }`, `local.x%d * local.x%d`} {
		var b strings.Builder
		b.WriteString("locals {\n  x0 = " + map[byte]string{'"': `"x"`, 'c': "[1]", '[': "1", '{': "1", 'l': "1e300"}[form[0]] + "\n")
		for i := range 64 {
			name := func(n int) string { return "x" + string(rune('0'+n/10)) + string(rune('0'+n%10)) }
			if i > 0 {
				b.WriteString("  " + name(i+1) + " = " + strings.ReplaceAll(form, "x%d", name(i)) + "\n")
			} else {
				b.WriteString("  x01 = local.x0\n")
			}
		}
		b.WriteString("}\n")
		files, list := syntax.ParseSource("main.hcl", []byte(b.String()))
		if list.HasErrors() {
			t.Fatal(list[0].Summary)
		}
		start := time.Now()
		_, list = Check(files, Options{Signatures: catalogue()})
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s takes %s", form, took)
		}
		if len(list) == 0 || list[0].Code != diag.ValueTooLarge {
			t.Errorf("%s is let through", form)
		}
	}
}

// FuzzCheck: any text gives a program or diagnostics with places inside it.
func FuzzCheck(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*.hcl")
	for _, p := range paths {
		if src, err := os.ReadFile(p); err == nil && filepath.Base(p) != "evaluation.hcl" {
			f.Add(string(src))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "file") {
			return // the file system is not the text's
		}
		files, list := syntax.ParseSource("main.hcl", []byte(text))
		if !list.HasErrors() {
			var p *program.Program
			p, list = Check(files, Options{Signatures: catalogue()})
			if p == nil {
				t.Error("no program")
			}
		}
		for _, d := range list {
			if d.Code == "" || d.Summary == "" || d.Subject.End.Byte > len(files.Source(d.Subject.File)) || d.Subject.Start.Byte < 0 {
				t.Errorf("%+v", d)
			}
		}
		_ = diag.WriteText(&strings.Builder{}, list, files.Source, diag.Style{Width: 60})
	})
}

func BenchmarkExample(b *testing.B) {
	src, err := os.ReadFile("../../pipelines/mnist.hcl")
	if err != nil {
		b.Fatal(err)
	}
	o := Options{Signatures: catalogue()}
	b.ReportAllocs()
	for b.Loop() {
		files, _ := syntax.ParseSource("main.hcl", src)
		if _, list := Check(files, o); list.HasErrors() {
			b.Fatal("errors")
		}
	}
}

// TestTooLarge: networks that are written out stop at a limit, also where hardly a layer remains of them.
func TestTooLarge(t *testing.T) {
	nested := "network \"n0\" {\n  layer \"Sum\" \"x\" { count = 0 }\n}\n"
	deep := "network \"n0\" {\n  layer \"Sum\" \"x\" {}\n}\n"
	for i := range 150 {
		deep += fmt.Sprintf("network \"n%d\" {\n  layer \"n%d\" \"x\" {}\n}\n", i+1, i)
		if i < 12 {
			nested += fmt.Sprintf("network \"n%d\" {\n  layer \"n%d\" \"x\" { count = 10 }\n}\n", i+1, i)
		}
	}
	inside := func(what string) string {
		return "network \"n0\" {\n" + strings.Repeat(what, 900) + "  layer \"Sum\" \"x\" { count = 0 }\n}\n"
	}
	loop := "network \"n0\" {\n"
	variables := loop
	for i := range 900 {
		loop += fmt.Sprintf("  layer \"Sum\" \"x%d\" { count = 0 }\n", i)
		variables += fmt.Sprintf("  variable \"v%d\" { default = %[1]d }\n", i)
	}
	for _, c := range []struct{ name, text, used, want string }{
		{"definitions of nothing", nested, `"n12" "x" {}`, "more than 10000 layers"},
		{"loops of nothing", loop + "}\n", `"n0" "x" { count = 10000 }`, "more than 10000 layers"},
		{"variables", variables + "  layer \"Sum\" \"x\" { count = 0 }\n}\n", `"n0" "x" { count = 10000 }`, "more than 10000 layers"},
		{"overrides", inside("  override \"x\" {\n    activation { dtype = \"int8\" }\n  }\n"), `"n0" "x" { count = 10000 }`, "more than 10000 layers"},
		{"definitions in definitions", deep, `"n150" "x" {}`, "more than 100 networks are inside of one another"},
	} {
		files, list := syntax.ParseSource("main.hcl", []byte(c.text+"model \"Network\" \"m\" {\n  layer "+c.used+"\n}\n"))
		if list.HasErrors() {
			t.Fatal(c.name, list[0].Summary)
		}
		begun := time.Now()
		_, list = Check(files, Options{Signatures: catalogue()})
		if n, _ := list.Counts(); n != 1 || !strings.Contains(list.Sorted()[0].Summary, c.want) {
			t.Errorf("%s: %d errors, and not one that says %q", c.name, n, c.want)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("%s: it took %v", c.name, took)
		}
	}
}
