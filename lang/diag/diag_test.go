package diag

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const source = "stage \"qat\" {\n  trainer {\n\tlr = \"größer\" # wide: 日本\n  }\n}\n"

func src(file string) []byte {
	if file == "x.hcl" {
		return []byte(source)
	}
	return nil
}

// span makes a range of the first occurrence of text.
func span(text string) Range {
	start := strings.Index(source, text)
	line := 1 + strings.Count(source[:start], "\n")
	column := start - strings.LastIndex(source[:start], "\n")
	return Range{"x.hcl", Pos{line, column, start}, Pos{line, column + len(text), start + len(text)}}
}

func sample() List {
	return List{
		{
			Code: WrongType, Summary: `"lr" needs a number`, Detail: "Write it as: lr = 0.1",
			Address: "stage.qat.trainer.optimizer.SGD", Subject: span(`"größer"`), Context: span(`stage "qat"`),
			Related: []Related{{Message: "the stage is here", Range: span("stage")}},
		},
		{
			Code: "QP412", Severity: Warning, Summary: "FuseBN: \x1b[31mthe scale\x1b[0m is odd", Address: "stage.qat.callback.FuseBN[0]",
			Module: "backbone.stem", Time: "epoch 4", Kept: "runs/x/last.safetensors", Next: "qpipe run --resume x.hcl",
			Detail: "A long sentence that has to be broken somewhere near here.",
		},
		{Code: Unclosed, Summary: "unclosed block", Detail: "Close it.", Subject: Range{"x.hcl", Pos{6, 1, len(source)}, Pos{6, 1, len(source)}}},
	}
}

func TestWriteText(t *testing.T) {
	var b strings.Builder
	if err := WriteText(&b, sample(), src, Style{Width: 40}); err != nil {
		t.Fatal(err)
	}
	want := `Error QP204: "lr" needs a number
  x.hcl:3:7, in stage "qat", trainer, optimizer "SGD"
    1: stage "qat" {
       …
    3:     lr = "größer" # wide: 日本
                ^^^^^^^^
  Write it as: lr = 0.1
  note: the stage is here
  x.hcl:1:1
    1: stage "qat" {
       ^^^^^

Warning QP412: FuseBN: �[31mthe
  scale�[0m is odd
  in stage "qat", callback "FuseBN"
  module  backbone.stem
  time    epoch 4
  kept    runs/x/last.safetensors      next: qpipe run --resume x.hcl
  A long sentence that has to be broken
  somewhere near here.

Error QP106: unclosed block
  x.hcl:6:1
  Close it.
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
	b.Reset()
	if err := WriteText(&b, sample(), src, Style{Color: true}); err != nil || !strings.Contains(b.String(), "\x1b[1;31m^^^^^^^^\x1b[0m") {
		t.Errorf("%v %q", err, b.String())
	}
	if strings.Count(b.String(), "\x1b[31m") != 0 {
		t.Error("an escape of the user's text reaches the terminal")
	}
}

func TestWriteJSON(t *testing.T) {
	var b strings.Builder
	if err := WriteJSON(&b, sample(), src); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatal(err)
	}
	first := got["diagnostics"].([]any)[0].(map[string]any)
	snippet := first["snippet"].(map[string]any)
	code := snippet["code"].(string)
	for what, pair := range map[string][2]any{
		"format_version": {got["format_version"], "1.1"},
		"valid":          {got["valid"], false},
		"errors":         {got["error_count"], 2.0},
		"warnings":       {got["warning_count"], 1.0},
		"code":           {first["code"], "QP204"},
		"severity":       {first["severity"], "error"},
		"address":        {first["address"], "stage.qat.trainer.optimizer.SGD"},
		"line":           {first["range"].(map[string]any)["start"].(map[string]any)["line"], 3.0},
		"related":        {len(first["related"].([]any)), 1},
		"context":        {snippet["context"], `stage "qat" {`},
		"highlight":      {code[int(snippet["highlight_start_offset"].(float64)):int(snippet["highlight_end_offset"].(float64))], `"größer"`},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %v, want %v", what, pair[0], pair[1])
		}
	}
	b.Reset()
	if err := WriteJSON(&b, nil, src); err != nil || !strings.Contains(b.String(), `"valid": true`) || !strings.Contains(b.String(), `"diagnostics": []`) {
		t.Errorf("%v %s", err, b.String())
	}
}

// TestMost: of a long list the first hundred are shown in order, errors before warnings,
// and how many more there are.
func TestMost(t *testing.T) {
	var list List
	for i := range 3 * Most {
		d := &Diagnostic{Code: NoValue, Severity: Warning, Summary: "w", Subject: Range{"y.hcl", Pos{i + 1, 1, i}, Pos{i + 1, 2, i + 1}}}
		if i%2 == 1 && i > 2*Most {
			d.Code, d.Severity, d.Summary = Unclosed, Error, "e"
		}
		list = append(list, d)
	}
	shown, rest := list.Shown()
	if errors, warnings := shown.Counts(); len(shown) != Most || errors != Most/2 || warnings != Most/2 || rest != (Rest{Warnings: 2 * Most}) {
		t.Errorf("%d errors, %d warnings and %+v", errors, warnings, rest)
	}
	for i := 1; i < len(shown); i++ {
		if shown[i-1].Subject.Start.Line >= shown[i].Subject.Start.Line {
			t.Fatalf("line %d before line %d", shown[i-1].Subject.Start.Line, shown[i].Subject.Start.Line)
		}
	}
	var b strings.Builder
	if err := WriteText(&b, list, src, Style{}); err != nil || !strings.HasSuffix(b.String(), "\n\nand 200 more warnings\n") {
		t.Errorf("%v %q", err, b.String()[max(0, b.Len()-100):])
	}
	r := NewReport(list, src)
	if r.ErrorCount != Most/2 || r.WarningCount != 3*Most-Most/2 || len(r.Diagnostics) != Most || r.More != 2*Most {
		t.Errorf("%d, %d, %d, %d", r.ErrorCount, r.WarningCount, len(r.Diagnostics), r.More)
	}
	for _, d := range list {
		d.Severity = Error
	}
	list[Most].Severity, list[0].Unfinished = Warning, true
	b.Reset()
	if err := WriteText(&b, list, src, Style{}); err != nil || !strings.HasSuffix(b.String(), "\n\nand at least 199 more errors and 1 more warning\n") {
		t.Errorf("%v %q", err, b.String()[max(0, b.Len()-100):])
	}
	b.Reset()
	if err := WriteText(&b, list[:1], src, Style{}); err != nil || !strings.HasSuffix(b.String(), "\n\nThere may be more: the check stopped here.\n") {
		t.Errorf("%v %q", err, b.String())
	}
}

// TestLongLines: what a diagnostic quotes does not grow with the text, and the mistake is in it.
func TestLongLines(t *testing.T) {
	for _, filler := range []string{"x", "\u0301", "日", "\t", "\xff"} {
		for _, at := range []int{0, 1, 150, 5_000, 99_990} {
			line := strings.Repeat(filler, at) + "MISTAKE" + strings.Repeat(filler, 100_000-at)
			start := at * len(filler)
			d := &Diagnostic{
				Code: BadValue, Summary: strings.Repeat("s", 100_000), Detail: strings.Repeat("ü", 100_000), Address: strings.Repeat("a.", 50_000),
				Subject: Range{"l.hcl", Pos{1, at + 1, start}, Pos{1, at + 8, start + 7}},
			}
			one := func(string) []byte { return []byte(line) }
			var text, doc strings.Builder
			if err := WriteText(&text, List{d}, one, Style{Width: 80}); err != nil {
				t.Fatal(err)
			}
			if text.Len() > 20_000 || !strings.Contains(text.String(), "MISTAKE") && filler != "\u0301" {
				t.Errorf("%q at %d: %d bytes, %q", filler, at, text.Len(), text.String()[:min(text.Len(), 300)])
			}
			if err := WriteJSON(&doc, List{d}, one); err != nil || doc.Len() > 20_000 {
				t.Errorf("%q at %d: %v, %d bytes of JSON", filler, at, err, doc.Len())
			}
			s := newSnippet(d, one)
			if got := s.Code[s.HighlightStart:s.HighlightEnd]; got != "MISTAKE" {
				t.Errorf("%q at %d: %q is highlighted", filler, at, got)
			}
		}
	}
}

func TestDidYouMean(t *testing.T) {
	names := []string{"Checkpoint", "FreezeBN", "FuseBN", "int4", "int8", "lr"}
	for name, want := range map[string]string{
		"Chekpoint": `Did you mean "Checkpoint"?`,
		"fusebn":    `Did you mean "FuseBN"?`,
		"rl":        `Did you mean "lr"?`,
		"int9":      `Did you mean "int4" or "int8"?`,
		"zzzzzz":    "The names: Checkpoint, FreezeBN, FuseBN, int4, int8, lr.",
	} {
		if got := DidYouMean(name, names, "names"); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := DidYouMean("x", nil, "names"); got != "There are no names." {
		t.Error(got)
	}
}

func TestSorted(t *testing.T) {
	a := &Diagnostic{Code: Unclosed, Summary: "b", Subject: span("trainer")}
	list := List{a, {Code: Unclosed, Summary: "a", Subject: span("stage")}, {Code: Unclosed, Summary: "b", Subject: span("trainer")}, {Code: NoValue, Severity: Warning, Summary: "c"}}
	got := list.Sorted()
	if len(got) != 3 || got[0].Summary != "c" || got[1].Summary != "a" || got[2] != a || !got.HasErrors() {
		t.Errorf("%+v", got)
	}
}

// TestMeanings: every code once, in order, in its block.
func TestMeanings(t *testing.T) {
	last := Code("")
	for _, m := range Meanings() {
		if m.Code <= last || m.Text == "" || !strings.HasPrefix(string(m.Code), "QP") || len(m.Code) != 5 {
			t.Errorf("%s after %s: %q", m.Code, last, m.Text)
		}
		last = m.Code
	}
}
