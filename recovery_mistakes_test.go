package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"qpipe/lang/diag"
)

// TestRecoveryMistakes varies a stage that continues another one's training, and expects everything that validation
// must report: errors for what cannot be continued, warnings for what is past, has no effect, or is measured
// differently.
func TestRecoveryMistakes(t *testing.T) {
	text, err := os.ReadFile("testdata/pipelines/continued.hcl")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range recoveryMistakes() {
		t.Run(m.name, func(t *testing.T) {
			list, src := validated(t, edited(t, string(text), m.edits))
			var got []string
			for _, d := range list {
				b := src(d.Subject.File)
				line := string(d.Code) + " " + string(b[d.Subject.Start.Byte:d.Subject.End.Byte])
				if d.Severity == diag.Error {
					line += " !"
				}
				got = append(got, line)
				if d.Detail == "" || strings.Contains(d.Summary+d.Detail, "%!") {
					t.Errorf("%s: %s", d.Summary, d.Detail)
				}
			}
			slices.Sort(got)
			if want := slices.Sorted(slices.Values(m.want)); !slices.Equal(got, want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
			}
		})
	}
}

// edited replaces pairs of texts, each at its first place.
func edited(t *testing.T, text string, edits []string) string {
	t.Helper()
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("the pipeline has no %q", edits[i])
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	return text
}

func recoveryMistakes() []mistake {
	const (
		ema      = `callback "ExponentialMovingAverage" {}`
		first    = "# first\n"
		later    = `callback "Checkpoint" { monitor = "accuracy" } # later`
		optimize = "resume_optimizer = true"
		only     = "resume_optimizer = true\n resume_epoch_or_step = false"
		last     = "stage.first.checkpoint.last"
		best     = "stage.first.checkpoint.best"
		lr       = `optimizer "SGD" { lr = 0.02 } # later`
		cosine   = `lr_updater "CosLrUpdater" {}`
		test     = "num_samples = 100\n"
	)
	fuse := func(when string) string {
		return "callback \"FuseBN\" {\n when = \"" + when + "\"\n modules = [\"backbone.conv1\"]\n}\n"
	}
	return []mistake{
		{"nothing", nil, nil},
		{"steps per epoch", []string{"64 # steps", "32"}, []string{"QP330 32 !"}},
		{"other data", []string{"train_data = dataset.train\n  val_data   = dataset.test\n\n  model_convert_pipeline {\n    qat_mode = \"with_bn_reverse_fold\"\n    qconfig  = qconfig.int8\n    converter \"Float2QAT\" {}\n    converter \"L", "train_data = dataset.test\n  val_data   = dataset.test\n\n  model_convert_pipeline {\n    qat_mode = \"with_bn_reverse_fold\"\n    qconfig  = qconfig.int8\n    converter \"Float2QAT\" {}\n    converter \"L"}, []string{"QP330 64 !"}},
		{"too short", []string{"num_epochs       = 4", "num_epochs       = 1"}, []string{"QP330 1 !"}},
		{"nothing left", []string{"num_epochs       = 4", "num_epochs       = 2"}, []string{"QP332 2", "QP315 stage.later.metrics.loss !"}},
		{"the best may be the last", []string{last, best, "num_epochs       = 4", "num_epochs       = 2"}, []string{"QP332 2"}},
		{"a state is lost", []string{first, ema + "\n"}, []string{"QP330 true !"}},
		{"the best is lost", []string{later, ""}, []string{"QP330 true !"}},
		{"a state is lost and the steps differ", []string{first, ema + "\n", "64 # steps", "32"}, []string{"QP330 32 !", "QP330 true !"}},
		{"another order", []string{first, ema + "\n", later, ema + "\n" + later}, nil},
		{"a new state", []string{later, ema + "\n" + later}, nil},
		{"one without a state", []string{later, "callback \"FreezeBN\" {}\n" + later}, nil},
		{"at the boundary", []string{later, fuse("epoch 2") + later}, nil},
		{"at the boundary in steps", []string{later, fuse("step 8") + later}, nil},
		{"at the start", []string{later, fuse("start") + later}, nil},
		{"passed", []string{later, fuse("epoch 1") + later}, []string{`QP331 "epoch 1" !`}},
		{"passed in steps", []string{later, fuse("step 7") + later}, []string{`QP331 "step 7" !`}},
		{"passed by another callback", []string{later, "callback \"FreezeBN\" { when = \"epoch 0\" }\n" + later}, []string{`QP331 "epoch 0" !`}},
		{"passed in part", []string{later, "callback \"FreezeBN\" { when = \"every epoch\" }\n" + later}, []string{`QP331 "every epoch"`}},
		{"passed maybe", []string{last, best, later, fuse("epoch 1") + later}, []string{`QP331 "epoch 1"`}},
		{"done in the other stage", []string{first, fuse("epoch 1"), later, fuse("epoch 1") + later}, nil},
		{"the best of both", []string{first, fuse("epoch 1"), later, later + "\n}\nstage \"third\" {\n model = model.net\n val_data = dataset.test\n model_convert_pipeline {\n qat_mode = \"with_bn_reverse_fold\"\n qconfig = qconfig.int8\n converter \"Float2QAT\" {}\n converter \"LoadCheckpoint\" { checkpoint_path = stage.later.checkpoint.best }\n }"}, nil},
		{"done twice", []string{first, fuse("epoch 1"), later, fuse("epoch 2") + later}, []string{`QP301 ["backbone.conv1"] !`}},
		{"the optimizer only", []string{optimize, only}, nil},
		{"the optimizer only, any schedule", []string{optimize, only, later, fuse("epoch 1") + later}, nil},
		{"a rate without effect", []string{optimize, only, lr, `optimizer "SGD" { lr = 0.5 }`}, []string{"QP334 0.5"}},
		{"a cosine that has ended", []string{optimize, only, "# first trainer", cosine}, []string{"QP334 0.02"}},
		{"the rate of the best", []string{optimize, only, "# first trainer", cosine, last, best}, []string{"QP334 0.02"}},
		{"another rate", []string{lr, `optimizer "SGD" { lr = 0.01 }`}, []string{"QP333 0.01"}},
		{"a cosine that goes on", []string{"# first trainer", cosine, "# later trainer", cosine}, []string{`QP333 lr_updater "CosLrUpdater"`}},
		{"a cosine that does not", []string{"# first trainer", cosine}, []string{"QP333 0.02"}},
		{"steps that go on", []string{"# first trainer", `lr_updater "StepDecayLrUpdater" { lr_decay_id = [1] }`, "# later trainer", `lr_updater "StepDecayLrUpdater" { lr_decay_id = [1] }`}, nil},
		{"renamed", []string{"{ checkpoint_path = " + last + " }", "{\n checkpoint_path = " + last + "\n rename = { \"head\" = \"head\" }\n}"}, []string{`QP330 { "head" = "head" } !`}},
		{"averaged weights", []string{first, ema + "\n", later, ema + "\n" + later, "{ checkpoint_path = " + last + " }", "{\n checkpoint_path = " + last + "\n load_ema_model = true\n}"}, []string{"QP334 true"}},
		{"the best by averaged weights", []string{first, ema + "\n", optimize, "", last, best}, []string{"QP336 stage.first.checkpoint.best"}},
		{"the last by averaged weights", []string{first, ema + "\n", optimize, ""}, nil},
		{"other values", []string{test, test + "}\ndataset \"Glyphs\" \"other\" {\n num_samples = 256\n transform \"Normalize\" {\n mean = [0.1]\n std = [0.3]\n }\n", "stage \"later\" {\n  model      = model.net\n  train_data = dataset.train\n  val_data   = dataset.test", "stage \"later\" {\n  model      = model.net\n  train_data = dataset.other\n  val_data   = dataset.other"}, []string{`QP335 dataset "Glyphs" "other"`}},
		{"the smallest accuracy", []string{later, `callback "Checkpoint" { mode = "min" }`}, []string{`QP337 "min"`}},
		{"the largest loss", []string{later, "callback \"Checkpoint\" {\n monitor = \"loss\"\n mode = \"max\"\n}"}, []string{`QP337 "max"`}},
		{"the largest loss, no validation", []string{"  val_data   = dataset.test\n\n  model_convert_pipeline {\n    qat_mode = \"with_bn_reverse_fold\"\n    qconfig  = qconfig.int8\n    converter \"Float2QAT\" {}\n  }", "  model_convert_pipeline {\n    qat_mode = \"with_bn_reverse_fold\"\n    qconfig  = qconfig.int8\n    converter \"Float2QAT\" {}\n  }", `callback "Checkpoint" { monitor = "accuracy" }`, "callback \"Checkpoint\" {\n monitor = \"loss\"\n mode = \"max\"\n}"}, []string{`QP337 "max"`}},
		{"the smallest loss", []string{later, "callback \"Checkpoint\" {\n monitor = \"loss\"\n mode = \"min\"\n}"}, nil},
		{"the loss", []string{later, `callback "Checkpoint" { monitor = "loss" }`}, nil},
		{"no validation by null", []string{"stage \"later\" {\n  model      = model.net\n  train_data = dataset.train\n  val_data   = dataset.test", "stage \"later\" {\n  model      = model.net\n  train_data = dataset.train\n  val_data   = null", later, `callback "Checkpoint" {}`}, []string{"QP241 stage.later.metrics.accuracy !"}},
	}
}
