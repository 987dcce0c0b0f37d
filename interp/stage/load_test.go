package stage

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/checkpoint"
	"qpipe/interp/part"
	"qpipe/ops/nn"
)

// trained is a snapshot of a short training.
func trained(t *testing.T, form nn.Form, mode nn.Mode, absorbed ...string) *checkpoint.Snapshot {
	t.Helper()
	b := newBench(t, form, mode)
	if len(absorbed) > 0 {
		b.add(absorb{}, atStep(6), absorbed...)
	}
	b.add(&average{}, nil)
	b.must(t)
	return b.kept.last("last")
}

// answer returns a graph's outputs for the validation data.
func answer(t *testing.T, g *nn.Graph) float64 {
	t.Helper()
	v := newBench(t, nn.Float, "")
	v.Model, v.Trainer = g, nil
	return v.must(t).Metrics["mean_logit"]
}

func answerOf(t *testing.T, s *checkpoint.Snapshot, form nn.Form, mode nn.Mode, o part.LoadOptions) float64 {
	t.Helper()
	g := tinyNet(t, form, mode)
	if err := checkpoint.LoadTensors(g, s, o); err != nil {
		t.Fatal(err)
	}
	return answer(t, g)
}

// TestLoad: a trained model has the same outputs after loading, also if absorptions must be
// replayed.
func TestLoad(t *testing.T) {
	for _, mode := range []nn.Mode{nn.WithBN, nn.ReverseFold} {
		b := newBench(t, nn.QAT, mode).add(absorb{}, atStep(6), "body.0.conv")
		want := b.must(t).Metrics["mean_logit"]
		if got := answerOf(t, b.kept.last("last"), nn.QAT, mode, part.LoadOptions{}); got != want {
			t.Errorf("%s: after loading it answers %v, before %v", mode, got, want)
		}
	}
	b := newBench(t, nn.Float, "")
	want := b.must(t).Metrics["mean_logit"]
	if got := answerOf(t, b.kept.last("last"), nn.Float, "", part.LoadOptions{}); got != want {
		t.Errorf("float: after loading it answers %v, before %v", got, want)
	}
}

// TestLoadAbsorbedIntoFuseBN: a node that has absorbed has the tensors of a folded one.
func TestLoadAbsorbedIntoFuseBN(t *testing.T) {
	b := newBench(t, nn.QAT, nn.ReverseFold).add(absorb{}, atStep(6), "body.0.conv", "body.1.conv")
	want := b.must(t).Metrics["mean_logit"]
	if got := answerOf(t, b.kept.last("last"), nn.QAT, nn.FuseBN, part.LoadOptions{}); got != want {
		t.Errorf("as fuse_bn it answers %v, before %v", got, want)
	}
}

// TestLoadCalibration: the ranges of a calibration are loaded into the QAT form.
func TestLoadCalibration(t *testing.T) {
	b := calibrating(t)
	b.must(t)
	s := b.kept.last("last")
	g := tinyNet(t, nn.QAT, nn.WithBN)
	if err := checkpoint.LoadTensors(g, s, part.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	got := g.Tensors()
	ranges := 0
	for _, w := range s.Model {
		if strings.HasSuffix(w.Name, ".min_max") {
			ranges++
			if r := w.Data.([]float32); !(r[0] < r[1]) {
				t.Errorf("%s is %v after calibration", w.Name, r)
			}
		}
		if !slices.Equal(find(got, w.Name), w.Data.([]float32)) {
			t.Errorf("%s did not come along", w.Name)
		}
	}
	if ranges < 3 {
		t.Errorf("%d ranges were calibrated", ranges)
	}
}

// TestMismatches: the error names every tensor, with the most similar name on the other
// side. Each option allows one kind of mismatch.
func TestMismatches(t *testing.T) {
	s := trained(t, nn.Float, "")
	s.Model = slices.DeleteFunc(copied(s.Model), func(t nn.Tensor) bool { return t.Name == "head.fc.bias" })
	for i := range s.Model {
		switch s.Model[i].Name {
		case "body.0.bn.bias":
			s.Model[i].Name = "body.0.bnn.bias"
		case "body.1.conv.weight":
			s.Model[i].Shape = []int{6, 4, 1, 9}
		}
	}
	s.Model = append(s.Model, nn.Tensor{Name: "head.fd.bias", Shape: []int{5}, Data: make([]float32, 5)})
	load := func(o part.LoadOptions) *checkpoint.LoadError {
		err := checkpoint.LoadTensors(tinyNet(t, nn.Float, ""), s, o)
		if err == nil {
			return &checkpoint.LoadError{}
		}
		var e *checkpoint.LoadError
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		return e
	}
	e := load(part.LoadOptions{})
	want := checkpoint.LoadError{
		Renames: []checkpoint.Likely{{Theirs: "body.0.bnn", Ours: "body.0.bn", Tensors: 1}},
		Missing: []checkpoint.Mismatch{{Name: "head.fc.bias", Near: "head.fd.bias"}},
		Extra:   []checkpoint.Mismatch{{Name: "head.fd.bias", Near: "head.fc.bias"}},
		Shapes:  []checkpoint.Mismatch{{Name: "body.1.conv.weight", Reason: "the checkpoint has 6×4×1×9, the model 6×4×3×3"}},
	}
	if fmt.Sprintf("%+v", *e) != fmt.Sprintf("%+v", want) {
		t.Errorf("got  %+v\nwant %+v", *e, want)
	}
	for _, name := range []string{"likely: rename = { \"body.0.bnn\" = \"body.0.bn\" } would fit 1 tensor", "head.fc.bias (near: head.fd.bias)", "6×4×1×9", "allow_miss", "ignore_extra", "ignore_tensor_shape"} {
		if !strings.Contains(e.Error(), name) {
			t.Errorf("the message does not say %q:\n%v", name, e)
		}
	}
	for o, left := range map[string]part.LoadOptions{
		"1 1 0 0": {IgnoreExtra: true, IgnoreTensorShape: true},
		"1 0 1 0": {AllowMiss: true, IgnoreTensorShape: true},
		"0 0 0 1": {AllowMiss: true, IgnoreExtra: true},
		"0 0 0 0": {AllowMiss: true, IgnoreExtra: true, IgnoreTensorShape: true},
	} {
		e := load(left)
		if got := fmt.Sprint(len(e.Renames), len(e.Missing), len(e.Extra), len(e.Shapes)); got != o {
			t.Errorf("%+v leaves %s, want %s", left, got, o)
		}
	}
}

// TestRename: prefixes are replaced at dots, the longest first.
func TestRename(t *testing.T) {
	rename := map[string]string{
		"body": "trunk", "body.1": "tail", "head": "",
		"features.*.conv": "stage.*.unit", "features": "other", "features.**.norm.*": "other.**.*", "layer*": "stage.*.block", "drop.*.*": "left",
	}
	for old, want := range map[string]string{
		"body.0.conv.weight": "trunk.0.conv.weight",
		"body.1.conv.weight": "tail.conv.weight",
		"body.10.weight":     "trunk.10.weight",
		"bodyguard.weight":   "bodyguard.weight",
		"head.fc.bias":       "fc.bias",

		"features.0.conv.weight":      "stage.0.unit.weight",
		"features.12.conv.bias":       "stage.12.unit.bias",
		"features.1.2.conv.bias":      "other.1.2.conv.bias",
		"features.1.2.norm.bn.weight": "other.1.2.bn.weight",
		"layer3.0.weight":             "stage.3.block.0.weight",
		"drop.a.b.weight":             "left.weight",
	} {
		if got := checkpoint.Renamed(old, part.LoadOptions{Rename: rename}); got != want {
			t.Errorf("%s becomes %s, want %s", old, got, want)
		}
	}
	if got := checkpoint.Renamed("a.b", part.LoadOptions{Rename: map[string]string{"": "net"}}); got != "net.a.b" {
		t.Errorf("an added prefix gives %s", got)
	}
	b := newBench(t, nn.QAT, nn.WithBN).add(absorb{}, atStep(6), "body.0.conv")
	want := b.must(t).Metrics["mean_logit"]
	s := b.kept.last("last")
	for i := range s.Model {
		s.Model[i].Name = "net." + s.Model[i].Name
	}
	s.Absorbed[0].Module, s.Absorbed[0].BN = "net.body.0.conv", "net.body.0.bn"
	if got := answerOf(t, s, nn.QAT, nn.WithBN, part.LoadOptions{Rename: map[string]string{"net": ""}}); got != want {
		t.Errorf("renamed, it answers %v, want %v", got, want)
	}
}

// TestWrongForms are named as such, with the converter's place.
func TestWrongForms(t *testing.T) {
	float, qat := trained(t, nn.Float, ""), trained(t, nn.QAT, nn.WithBN)
	for _, c := range []struct {
		s    *checkpoint.Snapshot
		form nn.Form
		mode nn.Mode
		want string
	}{
		{float, nn.QAT, nn.WithBN, "put LoadCheckpoint before the converter"},
		{qat, nn.Float, "", "put LoadCheckpoint after Float2QAT"},
		{qat, nn.QAT, nn.FuseBN, `qat_mode = "with_bn", the model has "fuse_bn"`},
	} {
		err := checkpoint.LoadTensors(tinyNet(t, c.form, c.mode), c.s, part.LoadOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s into %s: %v", c.s.Form, c.form, err)
		}
	}
	if err := checkpoint.LoadTensors(tinyNet(t, nn.QAT, nn.WithBN), float, part.LoadOptions{AllowMiss: true}); err != nil {
		t.Errorf("float weights into a QAT model, allow_miss: %v", err)
	}
	float.Shadow = nil
	err := checkpoint.LoadTensors(tinyNet(t, nn.Float, ""), float, part.LoadOptions{LoadEMAModel: true})
	if attr(err) != "load_ema_model" {
		t.Errorf("without averaged weights: %v", err)
	}
}

// TestHandedOnAbsorptions: a stage whose model has absorbed BNs before writes checkpoints
// that a third stage can load.
func TestHandedOnAbsorptions(t *testing.T) {
	first := trained(t, nn.QAT, nn.WithBN, "body.0.conv")
	second := newBench(t, nn.QAT, nn.WithBN).add(absorb{}, atStep(2), "body.1.conv")
	if err := checkpoint.LoadTensors(second.Model, first, part.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	want := second.must(t).Metrics["mean_logit"]
	s := second.kept.last("last")
	if len(s.Absorbed) != 2 {
		t.Fatalf("%d absorptions", len(s.Absorbed))
	}
	if got := answerOf(t, s, nn.QAT, nn.WithBN, part.LoadOptions{}); got != want {
		t.Errorf("a third stage's model answers %v, want %v", got, want)
	}
}
