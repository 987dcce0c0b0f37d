package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/interp/cli"
	"qpipe/stdlib"
)

// TestPipelines checks every pipeline of the repository: formatted, and valid
// without a warning that its author did not mean.
func TestPipelines(t *testing.T) {
	files, err := filepath.Glob("pipelines/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no pipelines: %v", err)
	}
	tests, err := filepath.Glob("testdata/*/*.hcl")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, tests...) {
		t.Run(file, func(t *testing.T) {
			var out, errs strings.Builder
			s := cli.Streams{Out: &out, Err: &errs, Environ: []string{"QPIPE_VAR_data_dir=nowhere"}}
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

// TestLanguageExample keeps the example of the language's page and the pipeline
// that people run the same, word for word.
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
