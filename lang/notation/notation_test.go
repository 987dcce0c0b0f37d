package notation

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"qpipe/lang/program"
)

func TestSchedule(t *testing.T) {
	for text, want := range map[string]program.Schedule{
		"epoch 4":                           {Unit: program.Epoch, From: 4, To: -1},
		"step 1600":                         {Unit: program.Step, From: 1600, To: -1},
		"every 2 epochs":                    {Unit: program.Epoch, From: 2, Every: 2, To: -1},
		"every epoch":                       {Unit: program.Epoch, From: 1, Every: 1, To: -1},
		"every 500 steps from 1000 to 4000": {Unit: program.Step, From: 1000, Every: 500, To: 4000},
		" every  500 steps  from 0 ":        {Unit: program.Step, From: 0, Every: 500, To: -1},
		"start":                             {Start: true, To: -1},
		"end":                               {End: true, To: -1},
	} {
		got, err := Schedule(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		want.Text = text
		if d := cmp.Diff(want, *got); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
}

func TestErrors(t *testing.T) {
	schedule := func(s string) *Error { _, err := Schedule(s); return err }
	selector := func(s string) *Error { _, err := Selector(s); return err }
	version := func(s string) *Error { _, err := VersionConstraint(s); return err }
	for _, c := range []struct {
		parse          func(string) *Error
		text           string
		offset, length int
		message        string
	}{
		{schedule, "", 0, 0, "empty"},
		{schedule, "  ", 0, 0, "empty"},
		{schedule, "epoch", 5, 0, "ends too early"},
		{schedule, "epoch4", 0, 6, `"epoch4" does not fit here`},
		{schedule, "epoch 4 5", 8, 1, `"5" does not fit here`},
		{schedule, "epoch -1", 6, 1, `"-" is not allowed`},
		{schedule, "Epoch 1", 0, 5, `"Epoch" does not fit here`},
		{schedule, "every 0 steps", 6, 1, "never end"},
		{schedule, "every 5 steps from 10 to 9", 25, 1, "ends at step 9, before its first point 10"},
		{schedule, "epoch 99999999999", 6, 11, "too large"},
		{schedule, "step ä", 5, 2, `"ä" is not allowed`},
		{schedule, "step \x00", 5, 1, "is not allowed"},
		{schedule, strings.Repeat("every ", 5000), 0, 0, "at most 500"},
		{selector, "a..b", 2, 1, `"." does not fit here`},
		{selector, ".a", 0, 1, `"." does not fit here`},
		{selector, "a.", 2, 0, "ends too early"},
		{selector, "a.[3-1]", 5, 1, "the range [3-1] is empty"},
		{selector, "a[1-", 4, 0, "ends too early"},
		{selector, "a.**b", 4, 1, `"b" does not fit here`},
		{selector, "a{b.c}", 3, 1, `"." does not fit here`},
		{selector, "a b", 1, 1, `" " is not allowed`},
		{selector, "a{" + strings.Repeat("b,", 40) + "b}{" + strings.Repeat("b,", 40) + "b}", 0, 1, "more than 100 alternatives"},
		{selector, strings.Repeat("a.", 70) + "a", 128, 1, "more than 64 parts"},
		{version, "1.x", 2, 1, `"x" is not allowed`},
		{version, ">=", 2, 0, "ends too early"},
	} {
		err := c.parse(c.text)
		switch {
		case err == nil:
			t.Errorf("%q is accepted", c.text)
		case err.Offset != c.offset || err.Length != c.length || !strings.Contains(err.Message, c.message) || err.Help == "":
			t.Errorf("%q: at %d+%d: %s (%s)", c.text, err.Offset, err.Length, err.Message, err.Help)
		}
	}
}

func TestVersionConstraint(t *testing.T) {
	for _, c := range []struct {
		constraint, version string
		ok, known           bool
	}{
		{">= 0.2, < 1.0", "0.3.1", true, true},
		{">= 0.2, < 1.0", "v1.0.0", false, true},
		{">= 0.2, < 1.0", "0.1.9", false, true},
		{"~> 1.2", "1.9.0", true, true},
		{"~> 1.2", "2.0.0", false, true},
		{"~> 1.2.3", "1.3.0", false, true},
		{"1.2", "1.2.0", true, true},
		{"!= 1.2", "1.2.0", false, true},
		{"> 1.0.0-rc1", "1.0.0", true, true},
		{">= 1.0.0", "1.0.0-rc1", false, true},
		{"= 1.0.0", "1.0.0+build5", true, true},
		{"<= 1.0", "dev", true, false},
		{"<= 1.0", "", true, false},
	} {
		p, err := VersionConstraint(c.constraint)
		if err != nil {
			t.Fatal(err)
		}
		if ok, known := p.Allows(c.version); ok != c.ok || known != c.known {
			t.Errorf("%s allows %q: %v, %v", c.constraint, c.version, ok, known)
		}
	}
}

// TestEBNF: the grammar that the language's page prints names every notation.
func TestEBNF(t *testing.T) {
	for _, c := range []struct{ got, has string }{
		{ScheduleEBNF(), `Schedule = "start" | "end" | Every | Point .`},
		{SelectorEBNF(), `Selector = "!"? Segment ("." Segment)* .`},
		{ConstraintEBNF(), `Constraint = Bound ("," Bound)* .`},
	} {
		if !strings.Contains(c.got, c.has) {
			t.Errorf("%s\nlacks %s", c.got, c.has)
		}
	}
}

func seeds(f *testing.F) {
	for _, s := range []string{
		"epoch 4", "every 500 steps from 1000 to 4000", "start", "", "backbone.stage[1-3].**", "{a,b*}.!c", "!a", "~> 1.2, != 1.2.3-rc1+x",
		"every 0 steps", "a[9999999999]", "\xff", "{{", "***", "[", ">= ", "epoch\t1",
	} {
		f.Add(s)
	}
}

// check holds an error to what all of them promise: a place inside the text.
func check(t *testing.T, text string, err *Error) {
	t.Helper()
	if err == nil {
		return
	}
	if err.Offset < 0 || err.Length < 0 || err.Offset+err.Length > len(text) || err.Message == "" || err.Help == "" {
		t.Errorf("%q: %+v", text, err)
	}
}

func FuzzNotation(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		_, err := Schedule(text)
		check(t, text, err)
		sel, err := Selector(text)
		check(t, text, err)
		if err == nil {
			sel.Match("backbone.stage1.0.conv1.bn")
		}
		c, err := VersionConstraint(text)
		check(t, text, err)
		if err == nil {
			c.Allows(text)
		}
	})
}
