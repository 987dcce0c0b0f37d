package console

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"qpipe/interp/event"
	"qpipe/interp/number"
)

// TestBroken: whatever the line and the width, no word is lost, none is broken, and a
// line is longer than the width only where it is a single word.
func TestBroken(t *testing.T) {
	word := rapid.StringMatching(`(\x1b\[1m)?[a-zé日.:/]{1,24}(\x1b\[0m)?`)
	rapid.Check(t, func(t *rapid.T) {
		line := strings.Repeat(" ", rapid.IntRange(0, 9).Draw(t, "indent"))
		for i := range rapid.IntRange(1, 12).Draw(t, "words") {
			if i > 0 {
				line += strings.Repeat(" ", rapid.IntRange(1, 3).Draw(t, "gap"))
			}
			line += word.Draw(t, "word")
		}
		columns := rapid.IntRange(1, 60).Draw(t, "columns")
		lines := broken(line, columns)
		if got, want := strings.Fields(strings.Join(lines, "\n")), strings.Fields(line); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Fatalf("%q at %d became %q", line, columns, lines)
		}
		for i, l := range lines {
			if cells(l) > columns && len(strings.Fields(l)) > 1 {
				t.Fatalf("%q at %d: the line %q is too long", line, columns, l)
			}
			if i > 0 && columns >= 8 && !strings.HasPrefix(l, "  ") {
				t.Fatalf("%q at %d: %q is not indented", line, columns, l)
			}
		}
	})
	for _, c := range []struct {
		line    string
		columns int
		want    string
	}{
		{"float: epoch 1/2  loss 0.2500  lr 0.01", 38, "float: epoch 1/2  loss 0.2500  lr 0.01"},
		{"float: epoch 1/2  loss 0.2500  lr 0.01", 37, "float: epoch 1/2  loss 0.2500\n  lr 0.01"},
		{"  one two three", 9, "  one two\n    three"},
	} {
		if got := strings.Join(broken(c.line, c.columns), "\n"); got != c.want {
			t.Errorf("%q at %d:\n%s\nwant\n%s", c.line, c.columns, got, c.want)
		}
	}
}

// TestBarFits: a bar is one line at every width, and says less where there is less room.
func TestBarFits(t *testing.T) {
	b := &bars{narrator: &narrator{stages: map[string]*extent{"qat": {epochs: 4}}}}
	r := b.progress(event.Event{Stage: "qat", Epoch: 1}, event.Progress{
		Phase: "train", Done: 37, Total: 120, Rate: 12345.6, ETA: new(number.Float(83)), Loss: new(number.Float(0.25)),
	})
	for columns := range 200 {
		if s := r.fit(columns); cells(s) > columns {
			t.Fatalf("at %d columns: %q", columns, s)
		}
	}
	for columns, want := range map[int]string{
		100: "qat: epoch 2/4 ━━━━━━━─────────────────  37/120  12.3k images/s  1:23 left  loss 0.2500",
		44:  "qat: epoch 2/4 ━━━━━─────────────  1:23 left",
		30:  "qat: epoch 2/4  1:23 left",
		20:  "qat: epoch 2/4",
		9:   "qat: epo…",
		0:   "",
	} {
		if got := r.fit(columns); got != want {
			t.Errorf("at %d columns: got  %q\nwant %q", columns, got, want)
		}
	}
}

// TestStreamsOfATerminal drives the two streams of one terminal: what is said on either
// stands above the bar.
func TestStreamsOfATerminal(t *testing.T) {
	var shown strings.Builder
	out, errs := NewStreams(&shown, &shown, false)
	width := func() int { return 30 }
	out.columns, errs.columns = width, width
	b := newBars(out, &narrator{stages: map[string]*extent{}})
	b.ticks.Reset(time.Hour)
	b.Event(event.Event{Stage: "s", Data: event.Progress{Phase: "validate", Done: 1, Total: 2}})
	fmt.Fprint(errs, "a warn")
	fmt.Fprint(errs, "ing\n")
	b.Close()
	b.Event(event.Event{Stage: "s", Data: event.End{}})
	bar := "\x1b[?7ls: validate ━━━━━━──────  1/2\x1b[?7h\x1b[J\r"
	clear := "\x1b[?7h\r\x1b[J"
	want := "\r" + bar + clear + "a warning\n\r" + bar + clear
	if got := shown.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestPlurals: one of a thing is no plural, wherever a message counts.
func TestPlurals(t *testing.T) {
	n := &narrator{stages: map[string]*extent{}}
	got := n.line(event.Event{Data: event.Absorb{
		Module: "m", QATMode: "with_bn", WeightScale: "keep", MaxChange: 0.5, MaxSteps: 1, Changed: 1, Integers: 1,
	}})
	if want := "at most 0.5, 1 step; 1 of 1 integer changes (100 %)"; !strings.HasSuffix(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := Count(1, "class") + Count(2, "class") + Count(0, "step") + Count(1, "step"); got != "1 class2 classes0 steps1 step" {
		t.Error(got)
	}
	// In the source: a number that may be one is counted by Count. Those here are bounds, above one.
	bound := regexp.MustCompile(`(?i)at most|more than|it must be|there must be|a crop has|no images do|averaging|this one first|panic|batches of|record %d|cut short|not a safetensors|divide|a kernel of|that a node may have|%d bytes", n|%d×%d|a batch of|and the model wants`)
	plural := regexp.MustCompile(`%(d|\.0f|\.3g) (image|step|epoch|node|class|tensor|value|channel|label|name|item|integer|thread|file|stage|argument)(s|es)\b`)
	out, err := exec.Command("git", "ls-files", "../../*.go").Output()
	if err != nil {
		t.Skip("no git here")
	}
	for _, name := range strings.Fields(string(out)) {
		if regexp.MustCompile(`_test\.go$|tools/|bench/|kerneltest|refvec|kernel/gen|parttest`).MatchString(name) {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			continue // moved
		}
		for i, line := range strings.Split(string(text), "\n") {
			if plural.MatchString(line) && !bound.MatchString(line) {
				t.Errorf("%s:%d: %s", name, i+1, strings.TrimSpace(line))
			}
		}
	}
}
