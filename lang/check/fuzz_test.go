package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/lang/diag"
	"qpipe/lang/syntax"
)

// FuzzValues: whatever a file of values, a flag and the environment say, each variable
// has a value of its type, or there is a diagnostic with a place inside the text.
func FuzzValues(f *testing.F) {
	const pipeline = `
variable "any" { default = 1 }
variable "text" {
  type    = string
  default = "x"
}
variable "list" {
  type    = list(number)
  default = []
}
variable "object" {
  type    = object({ a = optional(number, 3), b = map(list(string)) })
  default = { b = {} }
}
locals { all = [var.any, var.text, var.list, var.object] }
output "all" { value = jsonencode(local.all) }
`
	if text, err := os.ReadFile("testdata/some.qvars"); err == nil {
		f.Add(string(text), "1", "2")
	}
	for _, s := range []string{
		"any = 1\ntext = \"x\"\n", "list = [1, \"2\", true]\n", "object = { b = { c = [\"d\"] } }", "any = null", "any = var.text", "any {}",
		"any = [for x in range(3) : x]", "any = 1\nany = 2", "other = 1", "any = \"${", "\xff", "any = 1e400", "list = tolist([])\n",
	} {
		f.Add(s, "[1]", "{b={}}")
		f.Add("", s, strings.TrimPrefix(s, "any = "))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, file, flag, env string) {
		if strings.Contains(file+flag+env, "file") {
			return // the file system is not the text's
		}
		path := filepath.Join(dir, "x.qvars")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		files, list := syntax.ParseSource("main.hcl", []byte(pipeline))
		if list.HasErrors() {
			t.Fatal(list[0].Summary)
		}
		vars := []Var{{File: path}}
		for _, name := range []string{"any", "text", "list", "object"} {
			vars = append(vars, Var{Name: name, Value: flag})
		}
		p, list := Check(files, Options{Signatures: catalogue(), Vars: vars, Env: []string{"QPIPE_VAR_any=" + env, "QPIPE_VAR_object=" + env}})
		if p == nil {
			t.Error("no program")
		}
		for _, d := range list {
			if d.Code == "" || d.Code == diag.Bug || d.Summary == "" || d.Subject.Start.Byte < 0 || d.Subject.End.Byte > len(files.Source(d.Subject.File)) {
				t.Errorf("%+v", d)
			}
		}
		_ = diag.WriteText(&strings.Builder{}, list, files.Source, diag.Style{Width: 60})
	})
}
