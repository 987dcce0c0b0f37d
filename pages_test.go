package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"qpipe/interp/cli"
	"qpipe/lang/diag"
	"qpipe/lang/syntax"
	"qpipe/stdlib"
)

// shown is a text in the language that a reader may copy: a file of pipelines/, or a block on a page.
type shown struct {
	name string // README.md:25
	text string
}

// pages finds every text in the language that the repository shows, each text once.
func pages(t *testing.T) []shown {
	t.Helper()
	var all []shown
	seen := map[string]bool{}
	add := func(name, text string) {
		if !seen[text] {
			seen[text] = true
			all = append(all, shown{name, text})
		}
	}
	err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && path != "." && (e.Name()[0] == '.' || slices.Contains([]string{"testdata", "bin", "runs"}, e.Name())):
			return filepath.SkipDir
		case filepath.Ext(path) == ".md":
			for line, text := range blocks(string(read(path))) {
				add(fmt.Sprintf("%s:%d", e.Name(), line), text)
			}
		case filepath.Ext(path) == ".hcl":
			add(e.Name(), string(read(path)))
		}
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d texts, %v", len(all), err)
	}
	return all
}

var fence = regexp.MustCompile("(?ms)^```hcl\n(.*?)^```$")

// blocks are the blocks of a page, by their lines.
func blocks(page string) map[int]string {
	out := map[int]string{}
	for _, at := range fence.FindAllStringSubmatchIndex(page, -1) {
		out[1+strings.Count(page[:at[0]], "\n")] = page[at[2]:at[3]]
	}
	return out
}

var stageBlock = regexp.MustCompile(`(?m)^stage "(\w+)"`)

// whole reports whether the text is a pipeline by itself.
func (s shown) whole() bool { return stageBlock.MatchString(s.text) }

// stages are the names of its stages.
func (s shown) stages() []string {
	var names []string
	for _, m := range stageBlock.FindAllStringSubmatch(s.text, -1) {
		names = append(names, m[1])
	}
	return names
}

var dataDir = regexp.MustCompile(`(?s)variable "data_dir" \{[^}]*default += "([^"]+)"`)

// data is the folder of its data, relative to the shared folder; "" for built-in data.
func (s shown) data() string {
	if m := dataDir.FindStringSubmatch(s.text); m != nil {
		return m[1]
	}
	return ""
}

// args are the arguments with which the pipeline finds its data. Real data takes longer: the test is skipped
// unless QPIPE_LONG is set and the data is there.
func (s shown) args(t *testing.T) []string {
	t.Helper()
	if s.data() == "" {
		if testing.Short() || strings.HasSuffix(s.name, ".hcl") {
			t.Skip("`make accept` runs it")
		}
		return nil
	}
	return []string{"-var", "data_dir=" + filepath.Join(longShared(t), s.data())}
}

// TestPagesAreSound: every text on a page is formatted, and every whole pipeline is valid. (TestPipelines checks the
// files.)
func TestPagesAreSound(t *testing.T) {
	for _, s := range pages(t) {
		t.Run(s.name, func(t *testing.T) {
			file := written(t, s.text)
			if run(t, "fmt", "-check", "-diff", file) != 0 || s.whole() && run(t, "validate", file) != 0 {
				t.Error("it is not formatted, or not valid")
			}
		})
	}
}

var claim = regexp.MustCompile(`condition += stage\.\w+\.metrics\.\w*(accuracy|mean_iou) > 0\.\d`)

// TestPagesRun runs every pipeline that a reader may copy to its end, those on built-in data in every run of the tests. The files in
// pipelines are run by `make accept`, those on real data here.
// Each has an assert block about the accuracy that it reaches, so the exit code shows whether it does.
func TestPagesRun(t *testing.T) {
	for _, s := range pages(t) {
		if !s.whole() {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			if !claim.MatchString(s.text) {
				t.Error("no assert block claims an accuracy or a mean IoU")
			}
			args := s.args(t)
			if code := run(t, append(append([]string{"run", "-out", t.TempDir()}, args...), written(t, s.text))...); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// frame is what a part of a pipeline on a page may refer to. %s is the place for the rest of a stage.
const frame = `
variable "data_dir" { default = "data" }
dataset "Glyphs" "train" {}
dataset "Glyphs" "validation" { split = "validation" }
dataset "Glyphs" "test" { split = "test" }
model "LeNet" "net" {}
qconfig "int8" {}

stage "framed" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation
  %s
}
`

// TestPagesPieces checks the texts that are only parts of a pipeline: they parse, and they are valid beside a pipeline
// (or in a stage, if they belong there).
func TestPagesPieces(t *testing.T) {
	for _, s := range pages(t) {
		if s.whole() {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			if _, list := syntax.Parse(written(t, s.text)); list.HasErrors() {
				t.Fatal(said(list))
			}
			beside, _ := validated(t, fmt.Sprintf(frame, "")+s.text)
			inside, _ := validated(t, fmt.Sprintf(frame, s.text))
			heads, _ := validated(t, fmt.Sprintf(strings.NewReplacer(
				`"Glyphs" "train" {}`, `"Glyphs" "train" { target = "both" }`, "  val_data   = dataset.validation\n", "", `model "LeNet" "net" {}`, twoHeads,
			).Replace(frame), s.text))
			if beside.HasErrors() && inside.HasErrors() && heads.HasErrors() {
				t.Errorf("beside a pipeline: %s\nin a stage: %s", said(beside), said(inside))
			}
		})
	}
}

// said are the summaries of a list.
func said(list diag.List) string {
	var text []string
	for _, d := range list {
		text = append(text, d.Summary)
	}
	return strings.Join(text, "; ")
}

// written puts a text into a file.
func written(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "pipeline.hcl")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	networks, err := filepath.Glob("pipelines/*.onnx") // which are beside those that name them
	must(t, err)
	for _, n := range networks {
		must(t, os.WriteFile(filepath.Join(dir, filepath.Base(n)), read(n), 0o600))
	}
	return file
}

// TestSeeds runs the pipelines with the seeds 0 to QPIPE_SEEDS-1 and prints what each stage reached (make seeds). None
// may end near chance, and the accuracy of the int8 model equals that of the QAT model, digit for digit.
func TestSeeds(t *testing.T) {
	seeds, err := strconv.Atoi(os.Getenv("QPIPE_SEEDS"))
	if err != nil {
		t.Skip("takes minutes: set QPIPE_SEEDS to the number of seeds (make seeds)")
	}
	for _, s := range pages(t) {
		if !s.whole() {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			args, stages := s.args(t), s.stages()
			fmt.Printf("\n%s\n\n| seed | %s | int8 = QAT | collapsed |\n|%s\n", s.name, strings.Join(stages, " | "), strings.Repeat(" --- |", len(stages)+3))
			for seed := range seeds {
				file := written(t, fmt.Sprintf("%s\nqpipe {\n  seed = %d\n}\n", s.text, seed))
				out := t.TempDir()
				var told strings.Builder
				code := cli.Main(append(append([]string{"run", "-out", out}, args...), file),
					cli.Streams{In: strings.NewReader(""), Out: &told, Err: &told, Environ: environ()}, stdlib.Catalog())
				if code != 0 {
					t.Errorf("seed %d: exit code %d\n%s", seed, code, &told)
				}
				fmt.Println(row(t, seed, stages, readAccuracies(t, out)))
			}
		})
	}
}

// row returns the results of a seed as a row of the table, and checks them.
func row(t *testing.T, seed int, stages []string, got map[string]float64) string {
	t.Helper()
	cells, collapsed := []string{strconv.Itoa(seed)}, "no"
	for _, s := range stages {
		cells = append(cells, fmt.Sprintf("%.2f %%", 100*got[s]))
		if got[s] < 0.5 {
			collapsed = "yes"
			t.Errorf("seed %d: %s ends at %.4f", seed, s, got[s])
		}
	}
	equal := "-"
	if int8, ok := got["int_infer"]; ok {
		equal = "yes"
		if qat, known := got["qat_test"]; !known || qat != int8 {
			equal = "no"
			t.Errorf("seed %d: QAT %v, int8 %v", seed, qat, int8)
		}
	}
	return "| " + strings.Join(append(cells, equal, collapsed), " | ") + " |"
}
