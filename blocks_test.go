package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/interp/cli"
	"qpipe/interp/part"
	"qpipe/interp/parttest"
	"qpipe/stdlib"
)

// stacked is a pipeline with a model whose layers are blocks, and the activations blocks inside of them.
const stacked = `dataset "Glyphs" "train" {
  num_samples = 32
  classes     = "01"
}

model "Stack" "net" {
  num_classes = 2
  layer "a" {
    width  = 4
    kernel = 5
    act { six = true }
  }
  dynamic "layer" {
    for_each = ["b", "c"]
    labels   = [layer.value]
    content {
      width = 4
      act {}
    }
  }
  head { width = 8 }
}

stage "float" {
  model      = model.net
  train_data = dataset.train
  trainer {
    num_epochs = 1
    batch_size = 16
    optimizer "SGD" { lr = 0.01 }
  }
}
`

// stackProgram is a program that knows the model.
type stackProgram struct {
	t   *testing.T
	dir string
}

// do runs a verb on a text, and returns what it printed.
func (b stackProgram) do(text string, code int, args ...string) string {
	b.t.Helper()
	file := filepath.Join(b.dir, "x.hcl")
	must(b.t, os.WriteFile(file, []byte(text), 0o600))
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, "FILE", file)
	}
	var stack part.Catalog
	for _, p := range parttest.Catalog() {
		if p.Name == "Stack" {
			stack = append(stack, p)
		}
	}
	var out bytes.Buffer
	if got := cli.Main(args, cli.Streams{Out: &out, Err: &out, Environ: environ()}, append(stdlib.Catalog(), stack...)); got != code {
		b.t.Fatalf("%v: exit code %d, want %d\n%s", args, got, code, &out)
	}
	return out.String()
}

// TestBlockArguments: a part's text can nest. Its blocks are checked, formatted, described and hashed as attributes are,
// and a mistake that the part finds in one is shown there.
func TestBlockArguments(t *testing.T) {
	b := stackProgram{t, t.TempDir()}
	runs := filepath.Join(b.dir, "runs")
	change := func(old, text string) string {
		if !strings.Contains(stacked, old) {
			t.Fatal(old)
		}
		return strings.Replace(stacked, old, text, 1)
	}
	for _, c := range []struct{ text, want string }{
		{change("kernel = 5", "kernel = 99"), `Stack: is larger than the image`},
		{change("kernel = 5", "kernel = 99"), "10:14"},
		{change("kernel = 5", "kernel = 99"), "    kernel = 99"},
		{change("width  = 4", "width  = 0"), `layer: "width" must be positive`},
		{change("act { six = true }", "act { sex = true }"), `Did you mean "six"?`},
		{change("head { width = 8 }", "haed { width = 8 }"), `Did you mean "head"?`},
	} {
		if got := b.do(c.text, 1, "validate", "FILE"); !strings.Contains(got, c.want) {
			t.Errorf("%q is missing:\n%s", c.want, got)
		}
	}
	if got := b.do(stacked, 0, "fmt", "-check", "FILE"); strings.Contains(got, "x.hcl") {
		t.Errorf("it is not formatted: %s", got)
	}
	for _, c := range []struct{ text, want string }{
		{stacked, "float"},
		{stacked, "up to date"},
		{change("act { six = true }", "act { six = false }"), "model.layer[0].act.six changed from true to false"},
		{change("      act {}\n", ""), "model.layer[0].act.six changed from false to true, and 4 more changes"},
		{change("head { width = 8 }", ""), "model.head was removed"},
	} {
		if got := b.do(c.text, 0, "run", "-out", runs, "FILE"); !strings.Contains(got, c.want) {
			t.Errorf("%q is missing:\n%s", c.want, got)
		}
	}
	if got := b.do(stacked, 0, "parts", "Stack"); !strings.Contains(got, `layer "name" {}`) || !strings.Contains(got, "number, default 3. Height and width of the window.") {
		t.Error(got)
	}
	if got := b.do(stacked, 0, "parts", "-json", "Stack"); !strings.Contains(got, `"labels"`) {
		t.Error(got)
	}
	b.do(stacked, 0, "docs", docsFolder(t, b.dir))
	page, err := os.ReadFile(filepath.Join(b.dir, "docs", "reference.md"))
	must(t, err)
	for _, want := range []string{"Block `layer \"name\" {}`, once or more. A convolution with its BN.", "Block `act {}` inside `layer \"name\" {}`, at most once.", "| `six` | bool | `false` | Values are at most 6. |"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("reference.md has no %q", want)
		}
	}
}

// docsFolder is a folder that the pages can be written into.
func docsFolder(t *testing.T, dir string) string {
	t.Helper()
	docs := filepath.Join(dir, "docs")
	must(t, os.Mkdir(docs, 0o700))
	page, err := os.ReadFile("docs/language.md")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(docs, "language.md"), page, 0o600))
	return docs
}
