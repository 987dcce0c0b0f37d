package exec

import (
	"context"
	"os"
	"path/filepath"
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

// panicking is a callback whose hooks panic.
type panicking struct{ start, step, epoch, end bool }

func boomIf(yes bool) error {
	if yes {
		parttest.Boom()
	}
	return nil
}

func (p panicking) Start(*part.State) error    { return boomIf(p.start) }
func (p panicking) StepEnd(*part.State) error  { return boomIf(p.step) }
func (p panicking) EpochEnd(*part.State) error { return boomIf(p.epoch) }
func (p panicking) End(*part.State) error      { return boomIf(p.end) }

// TestPanics: a panic in a part's code is an error of the part, at its block, with the place in its code. Its stack is in the log.
func TestPanics(t *testing.T) {
	const callback, metric, optimizer = "stage.float.callback.Wrong[0]", wrongMetric, "stage.float.trainer.optimizer"
	after := func(n int) func() {
		return func() {
			if n--; n < 0 {
				parttest.Boom()
			}
		}
	}
	values := after(1)
	for _, c := range []struct {
		at, want string
		wrong    parttest.Wrong
	}{
		{wrongSet, "Open panics", parttest.Wrong{Open: func() (part.Samples, error) { parttest.Boom(); return nil, nil }}},
		{wrongSet, "Wrong: Len panics", parttest.Wrong{Len: func() int { parttest.Boom(); return 0 }}},
		{wrongSet, "Wrong: Sample panics on image 13", parttest.Wrong{Sample: func(i int, _ *part.Sample) error { return boomIf(i == 13) }}},
		{wrongTransform, "Wrong: Apply panics on image ", parttest.Wrong{Apply: func(*part.Sample) { parttest.Boom() }}},
		{"stage.float.trainer.loss", "Wrong: Loss panics", parttest.Wrong{Loss: func(*part.Batch) float32 { parttest.Boom(); return 0 }}},
		{metric, "Wrong: Update panics", parttest.Wrong{Update: func(*part.Batch) { parttest.Boom() }}},
		{metric, "Wrong: Values panics", parttest.Wrong{Values: func() []float64 { values(); return []float64{0} }}},
		{metric, "Wrong: Reset panics", parttest.Wrong{Reset: after(1)}},
		{optimizer, "Wrong: Update panics", parttest.Wrong{Step: func(*part.Update) { parttest.Boom() }}},
		{"stage.float.trainer.lr_updater", "Wrong: LR panics", parttest.Wrong{Rate: func(int) float64 { parttest.Boom(); return 0 }}},
		{callback, "Wrong: Start panics", parttest.Wrong{Callback: panicking{start: true}}},
		{callback, "Wrong: StepEnd panics", parttest.Wrong{Callback: panicking{step: true}}},
		{callback, "Wrong: EpochEnd panics", parttest.Wrong{Callback: panicking{epoch: true}}},
		{callback, "Wrong: End panics", parttest.Wrong{Callback: panicking{end: true}}},
	} {
		t.Run(c.want, func(t *testing.T) {
			plan, list := lower.Lower(c.wrong.Program(), c.wrong.Catalog())
			if list.HasErrors() {
				t.Fatal(list[0].Summary)
			}
			o := world(t.TempDir())
			_, list = Run(context.Background(), plan, o)
			list = slices.DeleteFunc(list, func(d *diag.Diagnostic) bool { return d.Severity == diag.Warning })
			if len(list) != 1 || list[0].Address != c.at || !strings.Contains(list[0].Summary, c.want) || !strings.HasSuffix(list[0].Summary, ": runtime error: index out of range [3] with length 0") ||
				list[0].Code == diag.Bug || !strings.Contains(list[0].Detail, "parttest/wrong.go:") || strings.Contains(list[0].Summary+list[0].Detail, "goroutine") {
				t.Errorf("want %s: %s", c.at, c.want)
				for _, d := range list {
					t.Logf("%s %s: %s. %s", d.Code, d.Address, d.Summary, d.Detail)
				}
			}
			log, err := os.ReadFile(filepath.Join(o.Out, "events.jsonl"))
			must(t, err)
			if !strings.Contains(string(log), `"stack":"goroutine`) {
				t.Error("the log has no stack")
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
