package syntax

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"qpipe/lang/diag"
)

func lay(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func codes(list diag.List) string {
	var out []string
	for _, d := range list {
		out = append(out, string(d.Code))
	}
	return strings.Join(out, " ")
}

func TestParse(t *testing.T) {
	dir := t.TempDir()
	lay(t, dir, map[string]string{
		"pipe/a.hcl": "a {}", "pipe/b.hcl": "b {}", "pipe/.hidden.hcl": "x {", "pipe/note.txt": "x", "pipe/x.auto.qvars": "a = 1",
		"empty/note.txt": "x", "broken.hcl": "stage {\n", "large.hcl": "#" + strings.Repeat("x", MaxBytes),
	})
	for _, c := range []struct {
		path, codes string
		files       []string
		name        string
	}{
		{"pipe", "", []string{"a.hcl", "b.hcl"}, "pipe"},
		{"pipe/a.hcl", "", []string{"a.hcl"}, "a"},
		{"pipe/c.hcl", "QP100", nil, "c"},
		{"empty", "QP101", nil, "empty"},
		{"broken.hcl", "QP106", []string{"broken.hcl"}, "broken"},
		{"large.hcl", "QP102", nil, "large"},
		{"nothing/at/all.hcl", "QP100", nil, "all"},
	} {
		files, list := Parse(filepath.Join(dir, c.path))
		if got := codes(list); got != c.codes {
			t.Errorf("%s: %q, want %q", c.path, got, c.codes)
		}
		var names []string
		for _, n := range files.Names() {
			names = append(names, filepath.Base(n))
			if files.Source(n) == nil {
				t.Errorf("%s: the source of %s is not kept", c.path, n)
			}
		}
		if strings.Join(names, " ") != strings.Join(c.files, " ") || files.Name != c.name {
			t.Errorf("%s: files %v of %q", c.path, names, files.Name)
		}
	}
	if _, list := Parse(filepath.Join(dir, "pipe/c.hcl")); !strings.Contains(list[0].Detail, "a.hcl") {
		t.Errorf("no way out: %s", list[0].Detail)
	}
	files, _ := Parse(filepath.Join(dir, "pipe"))
	if auto := files.AutoValues(); len(auto) != 1 || filepath.Base(auto[0]) != "x.auto.qvars" {
		t.Errorf("auto values: %v", auto)
	}
}

// TestHostile: texts that would exhaust a recursive parser are refused.
func TestHostile(t *testing.T) {
	const n = 20_000
	for name, src := range map[string]string{
		"brackets":     "a = " + strings.Repeat("[", n),
		"parentheses":  "a = " + strings.Repeat("(", n) + "1" + strings.Repeat(")", n),
		"blocks":       strings.Repeat("a {\n", n),
		"objects":      "a = " + strings.Repeat("{a=", n),
		"not":          "a = " + strings.Repeat("!", n) + "true",
		"minus":        "a = " + strings.Repeat("- ", n) + "1",
		"plus":         "a = 1" + strings.Repeat(" + 1", n),
		"conditional":  "a = " + strings.Repeat("true ? 1 : ", n) + "1",
		"index":        "a = b" + strings.Repeat("[c]", n),
		"splat":        "a = b" + strings.Repeat("[*]", n),
		"calls":        "a = " + strings.Repeat("f(", n),
		"templates":    "a = " + strings.Repeat(`"${`, n),
		"directives":   `a = "` + strings.Repeat("%{if true}", n) + `"`,
		"for":          "a = " + strings.Repeat("[for x in ", n),
		"in brackets":  "a = (" + strings.Repeat("1 +\n", n) + "1)",
		"heredocs":     "a = <<E\n" + strings.Repeat("${<<E\n", n),
		"long number":  "a = " + strings.Repeat("9", n),
		"large number": "a = 1e999999999",
		"heredoc":      "a = <<E\n" + strings.Repeat("x\n", n) + "E\n",
	} {
		if _, list := ParseSource("x.hcl", []byte(src)); !list.HasErrors() {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, list := Template("x", []byte(strings.Repeat("x\n", n))); !list.HasErrors() {
		t.Error("a template of many lines is accepted")
	}
	if _, list := ParseSource("x.hcl", []byte("a = [\n"+strings.Repeat("-1 + 2 * 3,\n", 3000)+"]\n")); list.HasErrors() {
		t.Errorf("a long list is refused: %s", list[0].Summary)
	}
}

func TestFormat(t *testing.T) {
	out, list := Format([]byte("stage \"a\" {\nmodel=model.x\n  train_data   = dataset.y\n}\n"), "x.hcl")
	want := "stage \"a\" {\n  model      = model.x\n  train_data = dataset.y\n}\n"
	if list.HasErrors() || string(out) != want {
		t.Errorf("%v\n%s", list, out)
	}
	if out, list := Format([]byte("stage {"), "x.hcl"); out != nil || !list.HasErrors() {
		t.Error("broken text is formatted")
	}
	d := string(Diff("x.hcl", []byte("a=1\n"), []byte("a = 1\n")))
	if !strings.Contains(d, "--- a/x.hcl") || !strings.Contains(d, "-a=1\n+a = 1\n") {
		t.Errorf("diff:\n%s", d)
	}
	if d := Diff("x.hcl", []byte("a\n"), []byte("a\n")); len(d) != 0 {
		t.Errorf("a diff of nothing:\n%s", d)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	lay(t, dir, map[string]string{"a.hcl": "", "v.qvars": "", "x.txt": "", "in/b.hcl": "", ".git/c.hcl": ""})
	for recursive, want := range map[bool]string{false: "a.hcl v.qvars", true: "a.hcl in/b.hcl v.qvars"} {
		found, list := Find(dir, recursive)
		var names []string
		for _, f := range found {
			rel, _ := filepath.Rel(dir, f)
			names = append(names, filepath.ToSlash(rel))
		}
		if got := strings.Join(names, " "); got != want || list.HasErrors() {
			t.Errorf("recursive %v: %s", recursive, got)
		}
	}
	if _, list := Find(filepath.Join(dir, "nothing"), true); codes(list) != "QP100" {
		t.Errorf("a folder that does not exist: %s", codes(list))
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "a.hcl"), filepath.Join(dir, "link.hcl")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a.hcl", link); err != nil {
		t.Skip(err)
	}
	if list := Write(link, []byte("new")); list.HasErrors() {
		t.Fatal(list[0].Summary)
	}
	text, _ := os.ReadFile(path)
	info, _ := os.Lstat(link)
	mode, _ := os.Stat(path)
	if string(text) != "new" || info.Mode()&os.ModeSymlink == 0 || mode.Mode().Perm() != 0o600 {
		t.Errorf("%s, link %v, %v", text, info.Mode(), mode.Mode())
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("left over: %v", entries)
	}
	if list := Write(filepath.Join(dir, "nothing.hcl"), nil); codes(list) != "QP108" {
		t.Errorf("a file that does not exist: %s", codes(list))
	}
	if runtime.GOOS != "windows" && os.Getuid() != 0 {
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Chmod(dir, 0o700) }()
		if list := Write(path, []byte("x")); codes(list) != "QP108" {
			t.Errorf("a folder that is not writable: %s", codes(list))
		}
	}
}

// FuzzSyntax: any bytes give a tree or diagnostics with places inside the text,
// and what is formatted stays as it is when it is formatted again.
func FuzzSyntax(f *testing.F) {
	for _, s := range []string{
		"stage \"a\" {\n  model = model.x\n}\n", "a = [for x in range(10) : \"${x}\" if x > 1]\n", "a = <<-E\n  x ${1}\n  E\n",
		"a = 'x'", "\xef\xbb\xbfa = 1", "a = \xff", "a {", "a = 1\na = 2\n", "a = \"%{if true}x%{endif}\"", "/* x", "a = 1e500",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		files, list := ParseSource("x.hcl", src)
		for _, d := range list {
			if d.Code == "" || d.Summary == "" || d.Subject.Start.Byte < 0 || d.Subject.End.Byte > len(src) {
				t.Errorf("%+v", d)
			}
		}
		var text bytes.Buffer
		if err := diag.WriteText(&text, list, files.Source, diag.Style{Width: 80, Color: true}); err != nil {
			t.Error(err)
		}
		out, list := Format(src, "x.hcl")
		if list.HasErrors() {
			return
		}
		again, list := Format(out, "x.hcl")
		if list.HasErrors() || !bytes.Equal(out, again) {
			t.Errorf("formatting %q twice: %q, then %q", src, out, again)
		}
	})
}
