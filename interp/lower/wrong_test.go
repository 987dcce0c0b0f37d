package lower_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/lower"
	"qpipe/interp/part"
	"qpipe/interp/parttest"
	"qpipe/lang/diag"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

const (
	wrongSet       = "dataset.Wrong.train"
	wrongTransform = "dataset.Wrong.train.transform[0]"
	wrongMetric    = "stage.float.validation.metric[1]"
)

// TestWrongParts: what can be seen of a wrong part before a run is found by validation, at the part's own block.
func TestWrongParts(t *testing.T) {
	input := func(change func(in *part.InputSpec)) parttest.Wrong {
		return parttest.Wrong{Spec: func(s *part.Spec) { change(&s.Inputs[0]) }}
	}
	target := func(change func(t *part.TargetSpec)) parttest.Wrong {
		return parttest.Wrong{Spec: func(s *part.Spec) { change(&s.Targets[0]) }}
	}
	names := func(names ...string) parttest.Wrong {
		return parttest.Wrong{Names: func() []string { return names }, Values: func() []float64 { return nil }}
	}
	twoInputs := func(a, b string) parttest.Wrong {
		return parttest.Wrong{Spec: func(s *part.Spec) {
			s.Inputs = append(s.Inputs, s.Inputs[0])
			s.Inputs[0].Name, s.Inputs[1].Name = a, b
		}}
	}
	for _, c := range []struct {
		name, at, want string
		wrong          parttest.Wrong
	}{
		{"no input", wrongSet, "Wrong: the data set has no input", parttest.Wrong{Spec: func(s *part.Spec) { s.Inputs = nil }}},
		{"number", wrongSet, "it declares -2 samples", parttest.Wrong{Spec: func(s *part.Spec) { s.Len = -2 }}},
		{"empty", wrongSet, "the image is empty: 0×6×1", input(func(in *part.InputSpec) { in.Shape.H = 0 })},
		{"large", wrongSet, "the image is too large: 4000000000×6×1", input(func(in *part.InputSpec) { in.Shape.H = 4e9 })},
		{"std", wrongSet, "the image has the std 0 in channel 0", input(func(in *part.InputSpec) { in.Std = []float32{0} })},
		{"nan", wrongSet, "the image has the std NaN", input(func(in *part.InputSpec) { in.Std = []float32{float32(math.NaN())} })},
		{"mean", wrongSet, "the image has the mean +Inf", input(func(in *part.InputSpec) { in.Mean = []float32{float32(math.Inf(1))} })},
		{"channels", wrongSet, "std has 2 values, the images have 1 channel", input(func(in *part.InputSpec) { in.Std = []float32{1, 2} })},
		{"names", wrongSet, `one of the inputs has the name "a/b"`, twoInputs("a/b", "c")},
		{"no name", wrongSet, `one of the inputs has the name ""`, twoInputs("", "c")},
		{"same name", wrongSet, `two inputs have the name "a"`, twoInputs("a", "a")},
		{"target", wrongSet, "the target is empty: 0×2×1", target(func(t *part.TargetSpec) { t.Shape = tensor.Shape{W: 2, C: 1} })},
		{"classes", wrongSet, "the target has labels, but no classes", target(func(t *part.TargetSpec) { t.Classes = 0 })},
		{"class names", wrongSet, "the target has 3 classes, but 2 names", target(func(t *part.TargetSpec) { t.Names = []string{"a", "b"} })},

		{"transform", wrongTransform, "Wrong: the image is empty", parttest.Wrong{Transform: func(s *part.Spec) { s.Inputs[0].Shape.W = 0 }}},
		{"transformed number", wrongTransform, "it changes the number of samples from 40 to 41", parttest.Wrong{Transform: func(s *part.Spec) { s.Len++ }}},

		{"nothing made", "model.Wrong.net", "Wrong: its constructor returns neither a part nor an error", parttest.Wrong{Nothing: true}},
		{"no network", "model.Wrong.net", "Wrong: it returns neither a network nor an error", parttest.Wrong{Build: func(*nn.Graph) *nn.Graph { return nil }}},
		{"no targets", "stage.float", "the training data has no target, the validation data 3 classes", parttest.Wrong{Spec: func(s *part.Spec) { s.Targets = nil }}},
		{
			"fewer classes", "model.Wrong.net", "Wrong gives 3 values, but the data has 4 classes. Give it 4.",
			parttest.Wrong{Spec: func(s *part.Spec) { s.Targets[0].Classes = 4 }},
		},

		{"no names", wrongMetric, "Wrong: it has no Names", names()},
		{"empty name", wrongMetric, `it measures ""`, names("")},
		{"spaces", wrongMetric, `it measures "to p"`, names("to p")},
		{"control", wrongMetric, `it measures "a\x1b[0m"`, names("a\x1b[0m")},
		{"repeated", wrongMetric, `it has the name "a" twice`, names("a", "a")},
		{"loss", wrongMetric, `it measures "loss"`, names("loss")},
		{"taken", wrongMetric, `it measures "accuracy", which the metric Accuracy of this stage measures already`, names("accuracy")},
		{"values", wrongMetric, "it has 1 name, but 2 values", parttest.Wrong{Values: func() []float64 { return []float64{1, 2} }}},

		{"slots", "stage.float.trainer.optimizer", `it has the slot "m" twice`, parttest.Wrong{Slots: func() []string { return []string{"m", "m"} }}},
		{"dot", "stage.float.trainer.optimizer", `it has a slot "a.b"`, parttest.Wrong{Slots: func() []string { return []string{"a.b"} }}},
		{"empty slot", "stage.float.trainer.optimizer", `it has a slot ""`, parttest.Wrong{Slots: func() []string { return []string{""} }}},

		{"no hook", "stage.float.callback.Wrong[0]", "it has none of the hooks of a callback", parttest.Wrong{Callback: struct{}{}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := c.wrong.Program()
			if c.name == "fewer classes" {
				p.Stages[0].Val, p.Stages[0].Callbacks, p.Stages[0].Validation.Metrics = nil, nil, nil
			}
			_, list := lower.Lower(p, c.wrong.Catalog())
			list = slices.DeleteFunc(list, func(d *diag.Diagnostic) bool { return d.Severity == diag.Warning })
			if len(list) != 1 || list[0].Address != c.at || !strings.Contains(list[0].Summary+". "+list[0].Detail, c.want) {
				t.Errorf("want %s: %s", c.at, c.want)
				for _, d := range list {
					t.Logf("%s %s: %s. %s", d.Code, d.Address, d.Summary, d.Detail)
				}
			}
		})
	}
}

// TestPanics: a panic of a part before the run is an error of the part, with the place in its code.
func TestPanics(t *testing.T) {
	for _, c := range []struct {
		name, at string
		wrong    parttest.Wrong
	}{
		{"its constructor", wrongSet, parttest.Wrong{Make: parttest.Boom}},
		{"Spec", wrongSet, parttest.Wrong{Spec: func(*part.Spec) { parttest.Boom() }}},
		{"Spec", wrongTransform, parttest.Wrong{Transform: func(*part.Spec) { parttest.Boom() }}},
		{"Build", "model.Wrong.net", parttest.Wrong{Build: func(*nn.Graph) *nn.Graph { parttest.Boom(); return nil }}},
		{"Fits", "stage.float.trainer.loss", parttest.Wrong{Fits: func() error { parttest.Boom(); return nil }}},
		{"Names", wrongMetric, parttest.Wrong{Names: func() []string { parttest.Boom(); return nil }}},
		{"Reset", wrongMetric, parttest.Wrong{Reset: parttest.Boom}},
		{"Slots", "stage.float.trainer.optimizer", parttest.Wrong{Slots: func() []string { parttest.Boom(); return nil }}},
		{"Files", "stage.float.export[0]", parttest.Wrong{Export: func() []string { parttest.Boom(); return nil }}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, list := lower.Lower(c.wrong.Program(), c.wrong.Catalog())
			list = slices.DeleteFunc(list, func(d *diag.Diagnostic) bool { return d.Severity == diag.Warning })
			want := c.name + " panics: runtime error: index out of range [3]"
			if len(list) != 1 || list[0].Address != c.at || !strings.Contains(list[0].Summary, want) || !strings.Contains(list[0].Detail, "parttest/wrong.go:") ||
				list[0].Code == diag.Bug || list[0].Stack == "" || strings.Contains(list[0].Summary+list[0].Detail, "goroutine") {
				t.Errorf("want %s: %s", c.at, want)
				for _, d := range list {
					t.Logf("%s %s: %s. %s", d.Code, d.Address, d.Summary, d.Detail)
				}
			}
		})
	}
}

// TestSoundParts: the parts of TestWrongParts are sound where nothing is changed.
func TestSoundParts(t *testing.T) {
	w := &parttest.Wrong{Callback: &ended{}}
	if _, list := lower.Lower(w.Program(), w.Catalog()); len(list) > 0 {
		t.Errorf("%s: %s", list[0].Address, list[0].Summary)
	}
}

type ended struct{}

func (*ended) End(*part.State) error { return nil }
