package lower_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/lower"
	"qpipe/interp/part"
	"qpipe/interp/parttest"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// loadsFile lets the float stage load a file.
func loadsFile(p *program.Program, x *parttest.Text, path string) diag.Range {
	c := x.Convert("float", "", nil)
	load := x.Call(program.ConverterKind, "LoadCheckpoint", "l", parttest.LoadArgs{CheckpointPath: program.Checkpoint{Path: path}}, "checkpoint_path")
	c.Converters = []program.Call{load}
	p.Stages[0].Convert = c
	return load.Origin.At("checkpoint_path")
}

// TestPartial: a program with mistakes is lowered as far as possible.
func TestPartial(t *testing.T) {
	p, x := parttest.Flow()
	p.Stages[0].Model = nil
	p.Stages[1].Train, p.Stages[1].Val = nil, nil
	p.Stages[2].Convert.Converters[0].Type = "Nowhere"
	p.Stages[3].Convert.QConfig = nil
	p.Datasets[0].Args = nil
	bad := x.Stage("bad", p.Models[0], nil, p.Datasets[1], nil)
	bad.Callbacks = []program.Callback{x.FuseBN("f", nil, "nowhere")}
	p.Stages = append(p.Stages, bad)
	_, list := lowered(t, p)
	for _, d := range list {
		if d.Code == diag.Bug {
			t.Errorf("%s\n%s", d.Summary, d.Detail)
		}
	}
	if !slices.ContainsFunc(list, func(d *diag.Diagnostic) bool { return d.Code == diag.SelectsNothing }) {
		t.Errorf("the mistake of the sound stage is not found: %v", list)
	}
}

func TestFlow(t *testing.T) {
	p, _ := parttest.Flow()
	slices.Reverse(p.Stages) // the order of the text does not matter
	plan, list := lowered(t, p)
	if len(list) > 0 {
		t.Fatalf("%s: %s", list[0].Summary, list[0].Detail)
	}
	var got []string
	for _, s := range plan.Stages {
		got = append(got, fmt.Sprint(s.Name, " ", s.Model.Form(), " ", s.Mode, " ", s.Length, " ", s.Writes, " ", s.Modules))
	}
	want := []string{
		"float float  {2 10 5} [last best] [[]]",
		"calibration calibration with_bn_reverse_fold {1 3 3} [last] []",
		"qat qat with_bn_reverse_fold {2 10 5} [last best] [[body.a.conv] [body.b.conv] []]",
		"int_infer int8 with_bn_reverse_fold {0 0 0} [] []",
	}
	want[3] = strings.Replace(want[3], " int8 ", " quantized ", 1)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if r := plan.Stage("qat").Reads; len(r) != 1 || r[0] != plan.Stage("calibration") {
		t.Error("qat does not read calibration")
	}
	for _, m := range plan.Stage("qat").Model.Modules() {
		if m.Name == "head.fc" && (m.QConfig.Activation.Observer != nil || m.QConfig.Weight.Spec.DType.String() != "int8") {
			t.Errorf("the override of head.fc: %+v", m.QConfig)
		}
	}
}

// flow is a pipeline without mistakes, with its text.
type flow struct {
	*program.Program
	*parttest.Text
}

// TestMistakes changes that pipeline in one way each and expects exactly one
// diagnostic, at the right place.
func TestMistakes(t *testing.T) {
	stage := func(f flow, name string) *program.Stage {
		i := slices.IndexFunc(f.Stages, func(s *program.Stage) bool { return s.Name == name })
		return f.Stages[i]
	}
	for _, c := range []struct {
		name   string
		change func(f flow) diag.Range // returns where the mistake is
		code   diag.Code
		says   string // in summary, detail or related
	}{
		{"selector", func(f flow) diag.Range {
			cb := &stage(f, "qat").Callbacks[0]
			cb.Modules = append(cb.Modules, f.Selector("body.aa"))
			return cb.Modules[1].Range
		}, diag.SelectsNothing, `Did you mean "body.a"?`},
		{"deep selector", func(f flow) diag.Range {
			cb := &stage(f, "qat").Callbacks[0]
			cb.Modules = append(cb.Modules, f.Selector("body.a.something"))
			return cb.Modules[1].Range
		}, diag.SelectsNothing, "body.a.conv"},
		{"override selector", func(f flow) diag.Range {
			f.QConfigs[0].Overrides[0].Selector = f.Selector("head.fcc")
			stage(f, "int_infer").Convert.Converters = stage(f, "int_infer").Convert.Converters[:2]
			return f.QConfigs[0].Overrides[0].Selector.Range
		}, diag.SelectsNothing, `"head.fc"`},
		{"absorbed twice", func(f flow) diag.Range {
			cb := &stage(f, "qat").Callbacks[1]
			cb.Modules = append(cb.Modules, f.Selector("body.*.bn"))
			return cb.Origin.At("modules")
		}, diag.AbsorbedTwice, `absorbed here at "step 3" already`},
		{"absorbed again by a later stage", func(f flow) diag.Range {
			again := f.Stage("again", f.Models[0], f.Datasets[0], f.Datasets[1], f.Convert("again", "with_bn_reverse_fold", f.QConfigs[0], "Float2QAT", "qat.last"))
			again.Trainer = f.Trainer("again", 1, 0.01)
			again.Callbacks = []program.Callback{f.FuseBN("again.FuseBN", f.At(program.Step, 1), "body.b")}
			f.Stages = append(f.Stages, again)
			return again.Callbacks[0].Origin.At("modules")
		}, diag.AbsorbedTwice, `absorbed here at "epoch 1" already`},
		{"absorbed at two points", func(f flow) diag.Range {
			cb := &stage(f, "qat").Callbacks[0]
			cb.When.Every = 4
			return cb.Origin.At("when")
		}, diag.AbsorbedTwice, "at step 3 and at step 7"},
		{"no BN", func(f flow) diag.Range {
			cb := &stage(f, "qat").Callbacks[0]
			cb.Modules = []program.Selector{f.Selector("head")}
			stage(f, "qat").Callbacks[1].Modules = nil
			return cb.Origin.At("modules")
		}, diag.SelectsNoBN, "body.a.conv"},
		{"no BN that a convolution could absorb", func(f flow) diag.Range {
			f.Models[0].Args = parttest.TinyArgs{Classes: 3, Width: 4, Norms: true}
			qat := stage(f, "qat")
			qat.Callbacks = append(qat.Callbacks, f.FuseBN("alone", f.At(program.Step, 5), "body.mid"))
			return qat.Callbacks[3].Origin.At("modules")
		}, diag.SelectsNoBN, "does not follow a convolution remains a node of its own, in the int8 model, too: body.mid"},
		{"too late", func(f flow) diag.Range {
			cb := &stage(f, "qat").Callbacks[0]
			cb.When.From = 10
			return cb.When.Range
		}, "QP306", `"step 9"`},
		{"model", func(f flow) diag.Range {
			f.Models[0].Args = parttest.TinyArgs{Classes: 3}
			return f.Models[0].Origin.At("width")
		}, diag.ModelMisfit, "must be positive"},
		{"shape", func(f flow) diag.Range {
			f.Models[0].Args = parttest.TinyArgs{Classes: 3, Width: 4, Kernel: 9}
			return f.Models[0].Origin.Header
		}, diag.ModelMisfit, "body.a.conv"},
		{"classes", func(f flow) diag.Range {
			f.Models[0].Args = parttest.TinyArgs{Classes: 2, Width: 4}
			return f.Models[0].Origin.At("num_classes")
		}, diag.ClassCount, "num_classes = 3"},
		{"too many classes", func(f flow) diag.Range {
			f.Models[0].Args = parttest.TinyArgs{Classes: 5, Width: 4}
			return f.Models[0].Origin.At("num_classes")
		}, diag.ClassCount, "last 2"},
		{"transform", func(f flow) diag.Range {
			crop := f.Call(program.TransformKind, "Crop", "t", parttest.CropArgs{Size: 7}, "size")
			f.Datasets[0].Transforms = []program.Call{crop}
			return crop.Origin.At("size")
		}, diag.BadData, "larger than the image"},
		{"train and val", func(f flow) diag.Range {
			f.Datasets[0].Transforms = []program.Call{f.Call(program.TransformKind, "Crop", "t", parttest.CropArgs{Size: 5}, "size")}
			f.Stages = f.Stages[:1]
			return f.Stages[0].Origin.At("val_data")
		}, "QP312", "5×5×1"},
		{"batch", func(f flow) diag.Range {
			stage(f, "float").Trainer.BatchSize = 41
			return stage(f, "float").Trainer.Origin.At("batch_size")
		}, diag.BadData, "do not fill one batch of 41"},
		{"weight dtype", func(f flow) diag.Range {
			f.QConfigs[0].Weight.DType = "int16"
			f.Stages = f.Stages[:2]
			return f.QConfigs[0].Weight.Origin.At("dtype")
		}, diag.BadDType, "int16"},
		{"override of a node that passes through", func(f flow) diag.Range {
			o := f.QConfigs[0].Overrides[0]
			o.Selector = f.Selector("body.pool")
			f.QConfigs[0].Overrides = append(f.QConfigs[0].Overrides, o)
			return o.Selector.Range
		}, diag.BadDType, "no quantization of their own"},
		{"not convertible", func(f flow) diag.Range {
			o := f.QConfigs[0].Overrides[0]
			o.Selector = f.Selector("body.a")
			a := *o.Activation
			a.DType, o.Activation = "int16", &a
			f.QConfigs[0].Overrides = append(f.QConfigs[0].Overrides, o)
			return stage(f, "int_infer").Convert.Converters[2].Origin.Header
		}, diag.NotConvertible, "body.a.conv"},
		{"float islands", func(f flow) diag.Range {
			o := f.QConfigs[0].Overrides[0]
			o.Selector = f.Selector("body.a")
			f.QConfigs[0].Overrides = append(f.QConfigs[0].Overrides, o)
			return stage(f, "int_infer").Origin.Header
		}, "QP343", "body.a.conv (its output is float32), body.b.conv (its operand body.a.conv is float32)"},
		{"checkpoint of another model", func(f flow) diag.Range {
			wide := f.Model("wide", parttest.TinyArgs{Classes: 3, Width: 5})
			f.Models = append(f.Models, wide)
			stage(f, "calibration").Model = wide
			f.Stages = f.Stages[:2]
			return f.Stages[1].Convert.Converters[0].Origin.At("checkpoint_path")
		}, diag.CheckpointMismatch, "head.fc.weight (the checkpoint has 3×4, the model 3×5)"},
		{"checkpoint with more", func(f flow) diag.Range {
			deep := f.Model("deep", parttest.TinyArgs{Classes: 3, Width: 4, Deep: true})
			f.Models = append(f.Models, deep)
			stage(f, "float").Model = deep
			f.Stages = f.Stages[:2]
			return f.Stages[1].Convert.Converters[0].Origin.At("checkpoint_path")
		}, diag.CheckpointMismatch, "Not in the model: body.c.bn.bias"},
		{"converter", func(f flow) diag.Range {
			stage(f, "float").Convert = f.Convert("float", "no_such_mode", f.QConfigs[0], "Float2QAT")
			f.Stages = f.Stages[:1]
			return f.Stages[0].Convert.Converters[0].Origin.Header
		}, diag.BadConversion, "no_such_mode"},
		{"part", func(f flow) diag.Range {
			f.QConfigs[0].Activation.Observer = f.Call(program.ObserverKind, "min_max", "o", parttest.ObserverArgs{Constant: -1}, "averaging_constant")
			return f.QConfigs[0].Activation.Observer.Origin.At("averaging_constant")
		}, diag.BadPart, "must not be negative"},
		{"checkpoint file", func(f flow) diag.Range {
			path := filepath.Join(t.TempDir(), "f.safetensors")
			w := nn.Tensor{Name: "body.a.conv.weight", Shape: []int{4, 1, 5, 5}, Data: make([]float32, 100)}
			if err := artifact.Write(path, &checkpoint.Snapshot{Form: nn.Float, Model: []nn.Tensor{w}}); err != nil {
				t.Fatal(err)
			}
			return loadsFile(f.Program, f.Text, path)
		}, diag.CheckpointMismatch, "body.a.conv.weight (the checkpoint has 4×1×5×5, the model 4×1×3×3)"},
		{"checkpoint file of another form", func(f flow) diag.Range {
			path := filepath.Join(t.TempDir(), "f.safetensors")
			if err := artifact.Write(path, &checkpoint.Snapshot{Form: nn.QAT, Mode: nn.WithBN}); err != nil {
				t.Fatal(err)
			}
			return loadsFile(f.Program, f.Text, path)
		}, diag.BadConversion, "written from a qat model"},
		{"absent checkpoint file", func(f flow) diag.Range {
			return loadsFile(f.Program, f.Text, filepath.Join(t.TempDir(), "f.safetensors"))
		}, "QP314", "does not exist"},
		{"no data", func(f flow) diag.Range {
			stage(f, "int_infer").Val = nil
			return stage(f, "int_infer").Origin.Header
		}, diag.MissingData, "has no data"},
		{"metric", func(f flow) diag.Range {
			ref := program.Ref{Stage: "qat", What: "metrics.acuracy", Attr: "value", Range: f.Origin("output.x").Header}
			f.Outputs = append(f.Outputs, &program.Output{Name: "x", Refs: []program.Ref{ref, ref}})
			return ref.Range
		}, "QP315", `Did you mean "accuracy"?`},
		{"warm-up", func(f flow) diag.Range {
			ramp := f.Call(program.LRUpdaterKind, "Ramp", "r", parttest.RampArgs{WarmupLen: 10}, "warmup_len")
			stage(f, "float").Trainer.LRUpdater = &ramp
			return ramp.Origin.At("warmup_len")
		}, "QP316", "lasts 10 steps, and training ends after 10"},
		{"a BN named twice in one list", func(f flow) diag.Range {
			cb := &stage(f, "qat").Callbacks[0]
			cb.Modules = append(cb.Modules, cb.Modules[0])
			cb.Modules[1].Range = f.Selector("again").Range
			return cb.Modules[1].Range
		}, diag.AbsorbedTwice, "selected here already"},
		{"damaged checkpoint file", func(f flow) diag.Range {
			path := filepath.Join(t.TempDir(), "f.safetensors")
			must(t, os.WriteFile(path, []byte("no"), 0o600))
			return loadsFile(f.Program, f.Text, path)
		}, diag.BadConversion, "f.safetensors: cut short"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, text := parttest.Flow()
			where := c.change(flow{p, text})
			_, list := lowered(t, p)
			if len(list) != 1 {
				for _, d := range list {
					t.Logf("%s %s: %s. %s", d.Code, d.Address, d.Summary, d.Detail)
				}
				t.Fatalf("%d diagnostics", len(list))
			}
			d := list[0]
			all := fmt.Sprintln(d.Summary, d.Detail, d.Module, d.Related)
			if d.Code != c.code || d.Subject != where || !strings.Contains(all, c.says) {
				t.Errorf("%s at line %d (want %s at line %d): %s", d.Code, d.Subject.Start.Line, c.code, where.Start.Line, all)
			}
			if strings.Contains(d.Summary, "%!") || strings.Contains(d.Detail, "%!") || strings.Contains(d.Detail, "..") {
				t.Errorf("text: %s / %s", d.Summary, d.Detail)
			}
		})
	}
}

// TestFuseBNLeavesTheRest: a FuseBN without modules absorbs what others leave.
func TestFuseBNLeavesTheRest(t *testing.T) {
	p, text := parttest.Flow()
	qat := p.Stages[2]
	rest := text.FuseBN("rest", text.At(program.Step, 1))
	qat.Callbacks = append([]program.Callback{rest}, qat.Callbacks[1:]...)
	plan, list := lowered(t, p)
	if len(list) > 0 {
		t.Fatal(list[0].Summary)
	}
	if m := plan.Stage("qat").Modules; !slices.Equal(m[0], []string{"body.a.conv"}) || !slices.Equal(m[1], []string{"body.b.conv"}) {
		t.Errorf("%v", m)
	}
}

// TestBestMayBeOlder: "best" may have been written before an absorption, so a
// later stage may absorb the same BN.
func TestBestMayBeOlder(t *testing.T) {
	p, text := parttest.Flow()
	again := text.Stage("again", p.Models[0], p.Datasets[0], p.Datasets[1], text.Convert("again", "with_bn_reverse_fold", p.QConfigs[0], "Float2QAT", "qat.best"))
	again.Trainer = text.Trainer("again", 1, 0.01)
	again.Callbacks = []program.Callback{text.FuseBN("again.FuseBN", text.At(program.Step, 1), "body")}
	p.Stages = append(p.Stages, again)
	plan, list := lowered(t, p)
	if len(list) > 0 {
		t.Fatal(list[0].Summary)
	}
	if m := plan.Stage("again").Modules[0]; len(m) != 2 {
		t.Errorf("%v", m)
	}
}

func TestModelIsLoweredForItsData(t *testing.T) {
	p, _ := parttest.Flow()
	plan, _ := lowered(t, p)
	if in := plan.Stages[0].Model.Input(); in.H != 6 || in.C != 1 || plan.Stages[0].Model.Form() != nn.Float {
		t.Errorf("%v", in)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// picky is an exporter that takes int8 models only.
type picky struct{}

func (picky) Files() []string           { return []string{"x.txt"} }
func (picky) Export(*part.Export) error { return nil }
func (picky) Fits(g *nn.Graph) error {
	if g.Form() != nn.Quantized {
		return fmt.Errorf("it takes no %s model", g.Form())
	}
	return nil
}

// TestExporterFits: an exporter that does not fit the stage's model is found before the run, at its block.
func TestExporterFits(t *testing.T) {
	catalog := append(parttest.Catalog(), part.ExporterPart("Picky", "", parttest.Nothing{},
		func(parttest.Nothing) (part.Exporter, error) { return picky{}, nil }))
	for _, c := range []struct{ place, mistakes int }{{0, 1}, {3, 0}} { // float, int8
		p, x := parttest.Flow()
		call := x.Call(program.ExportKind, "Picky", "e", parttest.Nothing{})
		p.Stages[c.place].Exports = []program.Call{call}
		_, list := lower.Lower(p, catalog)
		if len(list) != c.mistakes {
			t.Errorf("stage %d: %v", c.place, list)
		}
		for _, d := range list {
			if d.Code != diag.CannotExport || d.Subject != call.Origin.Header || !strings.Contains(d.Summary, "no float model") {
				t.Errorf("%s %v: %s", d.Code, d.Subject, d.Summary)
			}
		}
	}
}
