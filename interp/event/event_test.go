package event

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/number"
)

// samples are events of every kind, with and without the fields that may be left out.
func samples() []Event {
	type entry struct {
		Name  string `json:"name"`
		State string `json:"state"`
	}
	type proof struct {
		Model  string `json:"model"`
		Images int    `json:"images"`
	}
	num := func(v float64) *number.Float { return new(number.Float(v)) }
	absorb := Absorb{Module: "backbone.conv", BN: "backbone.bn", QATMode: "with_bn", WeightScale: "keep", Epoch: 1, Step: 10, MaxSteps: 0.5, Changed: 1, Integers: 1024}
	return []Event{
		{"qat", 0, 0, Run{Message: "runs: its <text> has changed", Reason: "its <text> has changed"}},
		{"qat", 0, 0, Skip{Message: "up to date", Reason: "nothing has changed"}},
		{"qat", 0, 0, Load{Message: "loaded 4 of 5 tensors", Checkpoint: "runs/x/a & b/last.safetensors", Tensors: 4, Of: 5, Missed: []string{"fc.bias"}}},
		{"qat", 0, 0, Start{TotalSteps: 40, StepsPerEpoch: 10, TrainImages: 320, ValImages: 64}},
		{"qat", 0, 0, Start{ValImages: 64}},
		{"qat", 1, 12, Resume{Scenario: "full", CheckpointEpoch: 1, CheckpointStep: 12, LR: 0.001, StepsLeft: 28}},
		{"qat", 1, 12, Progress{Phase: "train", Done: 13, Total: 40, Rate: 1234.5, ETA: num(2.25), Loss: num(0), LR: num(1e-7)}},
		{"qat", 0, 0, Progress{Phase: "prove", Done: 40, Total: 40, Rate: 1e21, ETA: num(0)}},
		{"eval", 0, 0, Progress{Phase: "dataset.test", Total: 40}},
		{"qat", 1, 12, Step{LR: num(0.001), Metrics: number.Map{"loss": 0.5}}},
		{"qat", 1, 10, Validation{Metrics: number.Map{"accuracy": 0.5, "<top>5": 1}, Images: 64}},
		{"qat", 1, 10, Epoch{Metrics: number.Map{"accuracy": 0.5, "loss": 0}, Loss: num(0), LR: num(0.001), Rate: 1234.5}},
		{"qat", 1, 10, Epoch{Metrics: number.Map{}}},
		{"qat", 1, 10, absorb},
		{"qat", 1, 10, Freeze{Modules: []string{"a.conv", "b.conv"}}},
		{"qat", 0, 0, Write{Name: "last", SHA256: "00ff", Bytes: 1234}},
		{"qat", 1, 10, Checkpoint{Name: "last"}},
		{"qat", 1, 10, Checkpoint{Name: "best", From: "float"}},
		{"int8", 0, 0, Proof{Message: "all 9 integers are equal", Proof: proof{"int8 model", 64}}},
		{"int8", 0, 0, Model{Message: "wrote the int8 model", Codes: "int8 model"}},
		{"int8", 0, 0, Export{Message: "ONNX wrote model.onnx", Exporter: "ONNX", Files: []string{"model.onnx"}}},
		{"qat", 0, 0, Warning{Message: "it has learned nothing", Code: "QP461"}},
		{"", 0, 0, Warning{Message: "events.jsonl was damaged", Code: "QP458", Detail: "two lines are lost"}},
		{"qat", 0, 0, Fallback{Message: "no checkpoint had been written yet: starts from the beginning"}},
		{"qat", 0, 0, Fallback{Message: "x; continues from y instead", Error: "x", Checkpoint: "y"}},
		{"qat", 0, 0, Restore{Message: "restored: its text is as before", Reason: "its text is as before"}},
		{"qat", 1, 12, Interrupt{}},
		{"qat", 4, 40, End{Metrics: number.Map{"accuracy": 0.75}, Seconds: 1.5}},
		{"qat", 0, 0, End{}},
		{"qat", 0, 0, Failed{Message: "the loss is NaN", Error: "the loss is NaN", Code: "QP412"}},
		{"int8", 0, 0, NotRun{Message: `not run: stage "qat" failed`, Reason: `stage "qat" failed`}},
		{"qat", 0, 0, Entry{Entry: entry{"qat", "complete"}}},
		{"", 0, 0, Output{Message: "best = 0.75", Name: "best", Value: 0.75}},
		{"", 0, 0, Output{Message: "list = [1 x]", Name: "list", Value: []any{1.0, "x", map[string]any{"b": true, "a": nil}}}},
	}
}

// TestLines: the lines of events are byte for byte those that earlier versions wrote, and every kind is among them.
func TestLines(t *testing.T) {
	var got bytes.Buffer
	e := json.NewEncoder(&got)
	e.SetEscapeHTML(false)
	kinds := map[string]bool{}
	for _, s := range samples() {
		kinds[s.Data.Kind()] = true
		if err := e.Encode(s.Line("2026-01-02T03:04:05.678Z")); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(filepath.Join("testdata", "lines.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		if g, w := at(gotLines, i), at(wantLines, i); g != w {
			t.Errorf("line %d:\n got %s\nwant %s", i+1, g, w)
		}
	}
	for _, d := range Kinds() {
		if !kinds[d.Kind()] {
			t.Errorf("no sample of %s", d.Kind())
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// TestReadAgain: a line that was written is read again with the same kind, place and fields.
func TestReadAgain(t *testing.T) {
	for _, s := range samples() {
		text, err := json.Marshal(s.Line(""))
		if err != nil {
			t.Fatal(err)
		}
		var l Logged
		if err := json.Unmarshal(text, &l); err != nil || l.Kind != s.Data.Kind() || l.Stage != s.Stage || l.Epoch != s.Epoch || l.Step != s.Step {
			t.Errorf("%s is read as %+v, %v", text, l, err)
		}
		again := reflect.New(reflect.TypeOf(s.Data))
		if len(l.Data) > 0 {
			if err := json.Unmarshal(l.Data, again.Interface()); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
		same, err := json.Marshal(Event{s.Stage, s.Epoch, s.Step, again.Elem().Interface().(Data)}.Line(""))
		if err != nil || !reflect.DeepEqual(values(t, same), values(t, text)) {
			t.Errorf("%s becomes %s, %v", text, same, err)
		}
	}
}

func values(t *testing.T, text []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestNotFinite: numbers that JSON does not have are words, wherever they are.
func TestNotFinite(t *testing.T) {
	inf := number.Float(math.Inf(1))
	text, err := json.Marshal(Event{"s", 0, 0, Epoch{Loss: &inf, Metrics: number.Map{"loss": number.Float(math.NaN())}}}.Line(""))
	if want := `{"event":"epoch","stage":"s","epoch":0,"step":0,"data":{"loss":"+Inf","metrics":{"loss":"NaN"}}}`; err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
}

// TestPage: docs/events.md has every kind with the fields of its struct, those that may be left out marked so, in the
// order of Kinds; and no others. The fields of a struct are in the order of their names.
func TestPage(t *testing.T) {
	names, page := documented(t)
	var kinds []string
	for _, d := range Kinds() {
		kinds = append(kinds, d.Kind())
		fields := map[string]bool{}
		var order []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(d)) {
			name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
			fields[name] = option == "omitempty"
			order = append(order, name)
		}
		if !maps.Equal(fields, page[d.Kind()]) {
			t.Errorf("%s: the page has %v, the struct %v", d.Kind(), page[d.Kind()], fields)
		}
		if !slices.IsSorted(order) {
			t.Errorf("%s: the fields are in the order %v", d.Kind(), order)
		}
	}
	if !slices.Equal(names, kinds) {
		t.Errorf("the page has the kinds\n%v, this package\n%v", names, kinds)
	}
}

// documented reads docs/events.md: the kinds, and for each its fields, true for those that may be left out.
func documented(t *testing.T) (names []string, kinds map[string]map[string]bool) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "events.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| `event` | when | `data` |")
	table, _, _ = strings.Cut(table, "\n## ")
	kinds = map[string]map[string]bool{}
	aside := regexp.MustCompile(`\([^)]*\)|: as .*`)
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.Contains(cells[1], "`") {
			continue
		}
		fields := map[string]bool{}
		for _, m := range regexp.MustCompile("`(\\w+)`(\\??)").FindAllStringSubmatch(aside.ReplaceAllString(cells[3], ""), -1) {
			fields[m[1]] = m[2] == "?"
		}
		name := strings.Trim(cells[1], " `")
		names, kinds[name] = append(names, name), fields
	}
	return names, kinds
}
