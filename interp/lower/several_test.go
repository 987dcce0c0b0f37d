package lower_test

import (
	"slices"
	"strings"
	"testing"

	"qpipe/interp/parttest"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// TestSeveralRefused: data, network, loss and metric that do not fit together are reported before anything runs.
func TestSeveralRefused(t *testing.T) {
	for want, change := range map[string]func(p *program.Program, x *parttest.Text){
		"QP311 CrossEntropy does not fit: it needs a network with one output": func(p *program.Program, x *parttest.Text) {
			p.Stages[0].Trainer.Losses[0].Call = x.Call(program.LossKind, "CrossEntropy", "stage.float.trainer.loss", parttest.Nothing{})
		},
		"QP311 Accuracy does not fit": func(p *program.Program, x *parttest.Text) {
			p.Stages[3].Validation.Metrics[0].Call = x.Call(program.MetricKind, "Accuracy", "stage.int_infer.validation.metric[0]", parttest.Nothing{})
		},
		"QP303 Tiny: it takes 1 input, and the data has 2": func(p *program.Program, x *parttest.Text) {
			p.Models[0].Call = x.Call(program.ModelKind, "Tiny", "model.Tiny.net", parttest.TinyArgs{Classes: 3, Width: 4})
		},
		"QP304 Heads's output \"head.fc\" gives 2 values, but the data has 3 classes": func(p *program.Program, x *parttest.Text) {
			p.Models[0].Call = x.Call(program.ModelKind, "Heads", "model.Heads.net", parttest.HeadsArgs{Classes: 2})
		},
		"QP312 the training images are \"image\" 6×6×1, \"depth\" 6×6×2 numbers, the validation images 6×6×1": func(p *program.Program, x *parttest.Text) {
			p.Datasets[1].Call = x.Call(program.DatasetKind, "Dots", "dataset.Dots.test", parttest.DotsArgs{N: 24, Size: 6, Classes: 3})
		},
		"QP311 CrossEntropy does not fit: the network has no output \"head.mast\". Did you mean \"head.mask\"?": func(p *program.Program, x *parttest.Text) {
			parttest.Split(p, x)
			p.Stages[0].Trainer.Losses[1].Output = "head.mast"
		},
		"QP311 Accuracy does not fit: the data has no target \"maks\". Did you mean \"mask\"?": func(p *program.Program, x *parttest.Text) {
			parttest.Split(p, x)
			p.Stages[3].Validation.Metrics[2].Target = "maks"
		},
		"QP311 Squares does not fit: it needs one output and as many numbers": func(p *program.Program, x *parttest.Text) {
			parttest.Split(p, x)
			p.Stages[0].Trainer.Losses[2].Target = "class"
		},
		"QP338 no loss of stage \"float\" sees the output head.mask": func(p *program.Program, x *parttest.Text) {
			parttest.Split(p, x)
			p.Stages[0].Trainer.Losses[1].Output = "head.fc"
			p.Stages[0].Trainer.Losses[1].Target = "class"
		},
	} {
		p, x := parttest.Several()
		change(p, x)
		if _, list := lowered(t, p); !slices.ContainsFunc(list, func(d *diag.Diagnostic) bool {
			return strings.Contains(string(d.Code)+" "+d.Summary, want)
		}) {
			t.Errorf("want %s", want)
			for _, d := range list {
				t.Log(d.Code, d.Summary)
			}
		}
	}
}
