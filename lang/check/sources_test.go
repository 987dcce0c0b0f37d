package check

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"qpipe/lang/diag"
	"qpipe/lang/syntax"
)

// TestSources: definitions may come from other files, which may name others; their mistakes are placed where they are, and what is
// wrong with a source at the source.
func TestSources(t *testing.T) {
	const main = `
model "Network" "net" {
  layer "pair" "p" { channels = 4 }
}
network "pair" { source = "lib/blocks.hcl" }
`
	blocks := `
network "pair" {
  variable "channels" {}
  layer "unit" "a" { width = var.channels }
  layer "unit" "b" { width = 2 }
}
network "unit" { source = "more/unit.hcl" }
`
	unit := `
network "unit" {
  variable "width" { type = number }
  layer "Conv" "conv" {
    out    = var.width
    kernel = 3
  }
}
`
	for name, c := range map[string]struct {
		file, old, new string
		want, at       string // of the summary and the detail, and the file and line; "" for no mistake
	}{
		"right":               {},
		"no file":             {"main.hcl", "lib/blocks.hcl", "lib/blocs.hcl", "cannot read DIR/lib/blocs.hcl: no such file or directory: Did you mean \"blocks.hcl\"?", "main.hcl:5"},
		"a folder":            {"main.hcl", "lib/blocks.hcl", "lib", "cannot read DIR/lib: it is a folder, not a file: The file in DIR/lib is blocks.hcl.", "main.hcl:5"},
		"in no folder":        {"main.hcl", "lib/blocks.hcl", "lob/blocks.hcl", "cannot read DIR/lob/blocks.hcl: no such file or directory: ", "main.hcl:5"},
		"another name of it":  {"main.hcl", "lib/blocks.hcl", "lib/residuals.txt", "no such file or directory: The file in DIR/lib is blocks.hcl.", "main.hcl:5"},
		"nothing":             {"main.hcl", "lib/blocks.hcl", "", "the source names no file", "main.hcl:5"},
		"not a text":          {"main.hcl", `"lib/blocks.hcl"`, "true && false ? 1 : [2]", "", "main.hcl:5"},
		"another name":        {"lib/blocks.hcl", `network "pair"`, `network "pear"`, `DIR/lib/blocks.hcl has no network "pair"`, "main.hcl:5"},
		"blocks and a source": {"main.hcl", `source = "lib/blocks.hcl" }`, "\nsource = \"lib/blocks.hcl\"\nlayer \"Conv\" \"c\" {}\n}", `network "pair" has a source and blocks of its own`, "main.hcl:6"},
		"back to itself":      {"lib/more/unit.hcl", "variable \"width\" { type = number }\n  layer \"Conv\" \"conv\" {\n    out    = var.width\n    kernel = 3\n  }", "source = \"../blocks.hcl\"", `the source of network "unit" leads back to itself`, "lib/blocks.hcl:7"},
		"contains itself":     {"lib/more/unit.hcl", "layer \"Conv\" \"conv\" {\n    out    = var.width\n    kernel = 3\n  }", `layer "unit" "u" { width = 1 }`, `network "unit" contains itself: pair → unit → unit`, "lib/more/unit.hcl:4"},
		"another block":       {"lib/blocks.hcl", "network \"unit\"", "dataset \"Glyphs\" \"d\" {}\nnetwork \"unit\"", `no block "dataset" in a file of networks`, "lib/blocks.hcl:7"},
		"twice":               {"lib/blocks.hcl", "network \"unit\"", "network \"pair\" {}\nnetwork \"unit\"", `a second network is named "pair"`, "lib/blocks.hcl:7"},
		"a mistake inside":    {"lib/more/unit.hcl", "out    = var.width", "otu = var.width", `layer "Conv" has no argument "otu"`, "lib/more/unit.hcl:5"},
		"syntax":              {"lib/more/unit.hcl", "var.width", "var..width", "", "lib/more/unit.hcl:5"},
		"not in sight":        {"lib/more/unit.hcl", "layer \"Conv\" \"conv\" {\n    out    = var.width\n    kernel = 3\n  }", `layer "pair" "p" {}`, `there is no layer or network "pair"`, "lib/more/unit.hcl:4"},
		"of the pipeline":     {"lib/more/unit.hcl", "var.width", "local.w", "", "lib/more/unit.hcl:5"},
		"its qconfig":         {"lib/blocks.hcl", `layer "unit" "b"`, "qconfig {\nweight { dtype = \"int5\" }\n}\nlayer \"unit\" \"b\"", `"dtype" cannot be "int5"`, "lib/blocks.hcl:6"},
		"an empty qconfig":    {"lib/blocks.hcl", `layer "unit" "b"`, "qconfig {}\nlayer \"unit\" \"b\"", "this qconfig overrides nothing", "lib/blocks.hcl:5"},
		"a negated override":  {"lib/blocks.hcl", `layer "unit" "b"`, "override \"!a\" {\nweight { dtype = \"int4\" }\n}\nlayer \"unit\" \"b\"", "an override inside of a network cannot begin with !", "lib/blocks.hcl:5"},
	} {
		dir := t.TempDir()
		for file, text := range map[string]string{"main.hcl": main, "lib/blocks.hcl": blocks, "lib/more/unit.hcl": unit} {
			if file == c.file {
				if !strings.Contains(text, c.old) {
					t.Fatalf("%s: %q is not in %s", name, c.old, file)
				}
				text = strings.Replace(text, c.old, c.new, 1)
			}
			path := filepath.Join(dir, filepath.FromSlash(file))
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		files, list := syntax.Parse(filepath.Join(dir, "main.hcl"))
		_, more := Check(files, Options{Signatures: catalogue()})
		list = append(list, more...)
		var errors diag.List
		for _, d := range list {
			if d.Severity == diag.Error {
				errors = append(errors, d)
			}
		}
		if c.at == "" {
			if len(errors) > 0 {
				t.Errorf("%s: %s", name, errors[0].Summary)
			}
			continue
		}
		file, line, _ := strings.Cut(c.at, ":")
		found := false
		for _, d := range errors {
			rel, _ := filepath.Rel(dir, d.Subject.File)
			place := filepath.ToSlash(rel) == file && strconv.Itoa(d.Subject.Start.Line) == line
			found = found || place && strings.Contains(strings.ReplaceAll(d.Summary+": "+d.Detail, dir, "DIR"), c.want)
			if text := files.Source(d.Subject.File); text == nil {
				t.Errorf("%s: the text of %s is not kept", name, d.Subject.File)
			}
		}
		if !found || len(errors) > 2 {
			t.Errorf("%s: want %s at %s", name, c.want, c.at)
			for _, d := range errors {
				t.Logf("%s:%d %s", d.Subject.File, d.Subject.Start.Line, d.Summary)
			}
		}
	}
}
