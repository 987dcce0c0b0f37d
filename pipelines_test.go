package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/cli"
	"qpipe/stdlib"
)

// TestPipelines checks every pipeline of the repository: it is formatted, and valid without unintended warnings.
func TestPipelines(t *testing.T) {
	files, err := filepath.Glob("pipelines/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no pipelines: %v", err)
	}
	tests, err := filepath.Glob("testdata/pipelines/*.hcl")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, tests...) {
		t.Run(file, func(t *testing.T) {
			var out, errs strings.Builder
			s := cli.Streams{Out: &out, Err: &errs, Environ: append(environ(), "QPIPE_VAR_data_dir=nowhere")}
			if code := cli.Main([]string{"fmt", "-check", "-diff", file}, s, stdlib.Catalog()); code != 0 {
				t.Errorf("qpipe fmt -check: exit code %d\n%s%s", code, &out, &errs)
			}
			out.Reset()
			if code := cli.Main([]string{"validate", file}, s, stdlib.Catalog()); code != 0 {
				t.Errorf("qpipe validate: exit code %d\n%s%s", code, &out, &errs)
			}
			t.Log(strings.TrimSpace(out.String()), errs.String())
		})
	}
}

// TestMutations breaks the pipelines at random places: whatever is wrong with a text, it is reported as a mistake in
// the text, at a place in it.
func TestMutations(t *testing.T) {
	files, _ := filepath.Glob("pipelines/*.hcl")
	tests, _ := filepath.Glob("testdata/pipelines/*.hcl")
	r := rand.New(rand.NewPCG(7, 11))
	codes := map[int]int{}
	for _, file := range append(files, tests...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for range mutations() {
			broken := filepath.Join(t.TempDir(), filepath.Base(file))
			if err := os.WriteFile(broken, mutate(r, string(text)), 0o644); err != nil {
				t.Fatal(err)
			}
			var out, errs strings.Builder
			s := cli.Streams{Out: &out, Err: &errs, Environ: append(environ(), "QPIPE_VAR_data_dir=nowhere")}
			code := cli.Main([]string{"validate", broken}, s, stdlib.Catalog())
			codes[code]++
			if code > 1 || strings.Contains(errs.String(), "QP9") || code == 1 && !strings.Contains(errs.String(), broken+":") {
				t.Fatalf("exit code %d\n%s\nof\n%s", code, &errs, read(broken))
			}
		}
	}
	if codes[1] < codes[0] {
		t.Errorf("too few of the mutations were mistakes: %v", codes)
	}
}

func mutations() int {
	if os.Getenv("QPIPE_LONG") != "" {
		return 500
	}
	return 25
}

func read(file string) []byte {
	text, _ := os.ReadFile(file)
	return text
}

var word = regexp.MustCompile(`[A-Za-z0-9_.]+|"[^"\n]*"|[{}\[\]=]`)

// mutate makes one to three changes: it removes, repeats or replaces a line or a word.
func mutate(r *rand.Rand, text string) []byte {
	for range 1 + r.IntN(3) {
		if r.IntN(3) == 0 {
			lines := strings.Split(text, "\n")
			i := r.IntN(len(lines))
			switch r.IntN(2) {
			case 0:
				lines = slices.Delete(lines, i, i+1)
			case 1:
				lines = slices.Insert(lines, i, lines[r.IntN(len(lines))])
			}
			text = strings.Join(lines, "\n")
			continue
		}
		words := word.FindAllStringIndex(text, -1)
		at, from := words[r.IntN(len(words))], words[r.IntN(len(words))]
		put := text[from[0]:from[1]]
		if r.IntN(4) == 0 {
			put = ""
		}
		text = text[:at[0]] + put + text[at[1]:]
	}
	return []byte(text)
}

// TestLanguageExample: the example on the language's page is the pipeline in pipelines/, word for word.
func TestLanguageExample(t *testing.T) {
	page, err := os.ReadFile("docs/language.md")
	if err != nil {
		t.Fatal(err)
	}
	pipeline, err := os.ReadFile("pipelines/mnist.hcl")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "```hcl\n"+string(pipeline)+"```\n") {
		t.Error("docs/language.md does not show pipelines/mnist.hcl as it is")
	}
}
