package exec

import (
	"context"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/lower"
	"qpipe/interp/part"
	"qpipe/interp/parttest"
	"qpipe/lang/diag"
)

const (
	wrongSet       = "dataset.Wrong.train"
	wrongTransform = "dataset.Wrong.train.transform[0]"
	wrongMetric    = "stage.float.validation.metric[1]"
)

// runWrong runs the program of a wrong part, and returns what is reported. Before the run nothing is.
func runWrong(t *testing.T, w *parttest.Wrong) diag.List {
	t.Helper()
	plan, list := lower.Lower(w.Program(), w.Catalog())
	if len(list) > 0 {
		t.Fatal(list[0].Summary)
	}
	_, list = Run(context.Background(), plan, world(t.TempDir()))
	return list
}

// TestWrongParts: what a part does wrong in a run is reported at its own block.
func TestWrongParts(t *testing.T) {
	sample := func(change func(s *part.Sample)) parttest.Wrong {
		return parttest.Wrong{Sample: func(i int, s *part.Sample) error {
			if i == 13 {
				change(s)
			}
			return nil
		}}
	}
	ignoring := func(s *part.Spec) { s.Targets[0].Ignores = true }
	ignored := func(_ int, s *part.Sample) error { s.Targets[0].Label(part.Ignored); return nil }
	for _, c := range []struct {
		name, at, want string
		wrong          parttest.Wrong
	}{
		{"not opened", wrongSet, "Open returns neither samples nor an error", parttest.Wrong{Open: func() (part.Samples, error) { return nil, nil }}},
		{"other number", wrongSet, "Wrong: it has 39 samples once it is open, but declares 40", parttest.Wrong{Len: func() int { return 39 }}},
		{"negative number", wrongSet, "it has -1 samples once it is open", parttest.Wrong{Len: func() int { return -1 }}},
		{"label", wrongSet, "Wrong: image 13: its label is 3, but the data set declares 0 to 2", sample(func(s *part.Sample) { s.Targets[0].Label(3) })},
		{"images", wrongSet, "image 13: it has 0 images, but the data set declares 1", sample(func(s *part.Sample) { s.Images = nil })},
		{"targets", wrongSet, "image 13: it has 2 targets, but the data set declares 1", sample(func(s *part.Sample) { s.Targets = make([]part.Target, 2) })},
		{"size", wrongSet, "image 13: it is 5×6×1", sample(func(s *part.Sample) { s.Images[0].H = 5 })},
		{"transform", wrongTransform, "Wrong: image ", parttest.Wrong{Apply: func(s *part.Sample) { s.Images[0].Pix = s.Images[0].Pix[:7] }}},
		{"transformed images", wrongTransform, "it has 0 images", parttest.Wrong{Apply: func(s *part.Sample) { s.Images = nil }}},
		{"values", wrongMetric, "Wrong: it has 1 name, but 0 values", parttest.Wrong{Values: func() []float64 { return nil }}},
		{"rate", "stage.float.trainer.lr_updater", "Wrong: the learning rate of step 3 is -1", parttest.Wrong{Rate: func(step int) float64 {
			if step == 3 {
				return -1
			}
			return 0.1
		}}},
		{"ignored", "stage.float.trainer.loss", "Wrong: the loss is NaN for a batch in which every label is ignored", parttest.Wrong{Spec: ignoring, Sample: ignored}},
	} {
		t.Run(c.name, func(t *testing.T) {
			list := runWrong(t, &c.wrong)
			if len(list) != 1 || list[0].Severity != diag.Error || list[0].Address != c.at || !strings.Contains(list[0].Summary, c.want) {
				t.Errorf("want %s: %s", c.at, c.want)
				for _, d := range list {
					t.Logf("%s %s: %s. %s", d.Code, d.Address, d.Summary, d.Detail)
				}
			}
		})
	}
}

// TestAllIgnored: a training in which no label counts is reported once, at its data set.
func TestAllIgnored(t *testing.T) {
	w := &parttest.Wrong{
		Spec:   func(s *part.Spec) { s.Targets[0].Ignores = true },
		Sample: func(_ int, s *part.Sample) error { s.Targets[0].Label(part.Ignored); return nil },
		Loss:   func(b *part.Batch) float32 { clear(b.Outputs[0].Grad); return 0 },
	}
	list := slices.DeleteFunc(runWrong(t, w), func(d *diag.Diagnostic) bool { return d.Code == diag.AtChance })
	if len(list) != 1 || list[0].Code != diag.AllIgnored || list[0].Address != wrongSet || !strings.Contains(list[0].Summary, "every label in epoch 1 of the training is ignored") {
		for _, d := range list {
			t.Errorf("%s %s: %s", d.Code, d.Address, d.Summary)
		}
		t.Fatalf("%d diagnostics", len(list))
	}
}
