package program_test

import (
	"testing"

	"pgregory.net/rapid"

	"qpipe/lang/notation"
	"qpipe/lang/program"
)

func selector(t interface{ Fatal(...any) }, text string) program.Selector {
	s, err := notation.Selector(text)
	if err != nil {
		t.Fatal(text, err)
	}
	return s
}

func TestSelectorMatch(t *testing.T) {
	for _, c := range []struct {
		selector  string
		yes, notA []string
	}{
		{"backbone.stem", []string{"backbone.stem", "backbone.stem.conv", "backbone.stem.a.b"}, []string{"backbone", "backbone.stem2", "x.backbone.stem"}},
		{"backbone.stage[1-3]", []string{"backbone.stage1.0.conv1", "backbone.stage3"}, []string{"backbone.stage0", "backbone.stage4", "backbone.stage12", "backbone.stage01", "backbone.stage"}},
		{"backbone.stage[2]", []string{"backbone.stage2.0"}, []string{"backbone.stage1", "backbone.stage22"}},
		{"*.conv", []string{"head.conv", "stem.conv.weight"}, []string{"conv", "a.b.conv"}},
		{"**.bn", []string{"bn", "a.bn", "a.b.c.bn", "a.bn.x"}, []string{"a.bn2", "a.b"}},
		{"{head,neck}", []string{"head", "neck.fc"}, []string{"backbone", "headneck"}},
		{"backbone.stage[2-3].**", []string{"backbone.stage2", "backbone.stage3.0.conv1.conv"}, []string{"backbone.stage1.0"}},
		{"a{b,c*}d", []string{"abd", "acxd", "acd"}, []string{"ad", "abbd"}},
		{"*o*v*", []string{"conv", "ov.x"}, []string{"con"}},
		{"**", []string{"a", "a.b"}, nil},
		{"a.**.b.**.c", []string{"a.b.c", "a.x.b.y.z.c.d"}, []string{"a.c.b", "a.b"}},
	} {
		s := selector(t, c.selector)
		for _, path := range c.yes {
			if !s.Match(path) {
				t.Errorf("%s does not match %s", c.selector, path)
			}
		}
		for _, path := range c.notA {
			if s.Match(path) {
				t.Errorf("%s matches %s", c.selector, path)
			}
		}
	}
}

func TestSelect(t *testing.T) {
	for _, c := range []struct {
		list []string
		path string
		want bool
	}{
		{nil, "a", false},
		{[]string{"a"}, "a.b", true},
		{[]string{"!a"}, "a.b", false},
		{[]string{"!a"}, "b", true},
		{[]string{"!a.b", "a"}, "a.b.c", false},
		{[]string{"a", "!a.b"}, "a.c", true},
		{[]string{"a", "!a.b"}, "c", false},
	} {
		var list []program.Selector
		for _, text := range c.list {
			list = append(list, selector(t, text))
		}
		if got := program.Select(list, c.path); got != c.want {
			t.Errorf("%v selects %s: %v", c.list, c.path, got)
		}
	}
}

// TestMatchIsHereditary: whatever a selector names, it names all below it.
func TestMatchIsHereditary(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		word := rapid.StringMatching(`[a-c][0-3]?`)
		part := rapid.OneOf(word, rapid.Just("*"), rapid.Just("**"), rapid.Just("a[1-2]"), rapid.Just("{a,b1}"), rapid.Just("*1"))
		text := part.Draw(r, "part")
		for range rapid.IntRange(0, 3).Draw(r, "parts") {
			text += "." + part.Draw(r, "part")
		}
		path := word.Draw(r, "path")
		for range rapid.IntRange(0, 4).Draw(r, "depth") {
			path += "." + word.Draw(r, "path")
		}
		s := selector(r, text)
		if s.Match(path) && !s.Match(path+".x.y") {
			r.Fatalf("%s matches %s but not what is below it", text, path)
		}
	})
}

// firings simulates a run and lists the steps before which the schedule is due.
func firings(s *program.Schedule, epochs, stepsPerEpoch int) []int {
	var out []int
	for step := range epochs * stepsPerEpoch {
		if s.Due(step/stepsPerEpoch, step, step%stepsPerEpoch == 0) {
			out = append(out, step)
		}
	}
	return out
}

func TestScheduleDue(t *testing.T) {
	for _, c := range []struct {
		text string
		want []int // with 4 epochs of 10 steps
	}{
		{"epoch 0", []int{0}},
		{"epoch 2", []int{20}},
		{"step 7", []int{7}},
		{"every epoch", []int{10, 20, 30}},
		{"every 2 epochs", []int{20}},
		{"every 1 epochs from 0", []int{0, 10, 20, 30}},
		{"every 15 steps from 5 to 35", []int{5, 20, 35}},
		{"every 15 steps to 29", []int{15}},
		{"start", nil},
		{"end", nil},
		{"epoch 4", nil},
	} {
		s, err := notation.Schedule(c.text)
		if err != nil {
			t.Fatal(err)
		}
		got := firings(s, 4, 10)
		if len(got) != len(c.want) {
			t.Errorf("%s fires at %v, want %v", c.text, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s fires at %v, want %v", c.text, got, c.want)
			}
		}
	}
}

// TestLateMeansNever: Late is true exactly for schedules that never fire, and the
// point that it names would.
func TestLateMeansNever(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		epochs, perEpoch := rapid.IntRange(1, 6).Draw(r, "epochs"), rapid.IntRange(1, 6).Draw(r, "steps")
		s := &program.Schedule{
			Unit: program.Unit(rapid.IntRange(0, 1).Draw(r, "unit")), From: rapid.IntRange(0, 40).Draw(r, "from"),
			Every: rapid.IntRange(0, 3).Draw(r, "every"), To: -1,
		}
		last, late := s.Late(program.Length{Epochs: epochs, Steps: epochs * perEpoch, StepsPerEpoch: perEpoch})
		if fires := len(firings(s, epochs, perEpoch)) > 0; fires == late {
			r.Fatalf("%+v: late %v, fires %v", s, late, fires)
		}
		if late {
			p, err := notation.Schedule(last)
			if err != nil || len(firings(p, epochs, perEpoch)) != 1 {
				r.Fatalf("%q is not a point that fires", last)
			}
		}
	})
}
