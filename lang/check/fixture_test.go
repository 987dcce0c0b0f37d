package check

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"qpipe/lang/diag"
	"qpipe/lang/lint"
	"qpipe/lang/program"
	"qpipe/lang/syntax"
)

// fixture is a file of testdata with its expectations.
//
//	# with base            testdata/base.inc is a second file of the pipeline
//	# var NAME=VALUE       a -var flag; # varfile PATH, # env NAME=VALUE likewise
//	# version TEXT         the program's version
//	# wants "RE"           a diagnostic without a place in this file
//	code # want "RE" …     the diagnostics on this line: code, summary and detail
type fixture struct {
	name  string
	src   []byte
	base  bool
	opt   Options
	wants map[int][]string // by line, 0 for those without a place in this file
}

func readFixture(t *testing.T, path string) fixture {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := fixture{name: path, src: src, opt: Options{Signatures: catalogue()}, wants: map[int][]string{}}
	for i, line := range strings.Split(string(src), "\n") {
		word, rest, _ := strings.Cut(strings.TrimPrefix(line, "# "), " ")
		id, value, _ := strings.Cut(rest, "=")
		switch {
		case !strings.HasPrefix(line, "# "):
		case word == "with":
			f.base = true
		case word == "var":
			f.opt.Vars = append(f.opt.Vars, Var{Name: id, Value: value})
		case word == "varfile":
			f.opt.Vars = append(f.opt.Vars, Var{File: filepath.Join(filepath.Dir(path), rest)})
		case word == "env":
			f.opt.Env = append(f.opt.Env, rest)
		case word == "version":
			f.opt.Version = rest
		case word == "wants":
			f.wants[0] = append(f.wants[0], quoted(t, path, rest)...)
		}
		if _, w, ok := strings.Cut(line, "# want "); ok {
			f.wants[i+1] = quoted(t, path, w)
		}
	}
	return f
}

func quoted(t *testing.T, path, text string) []string {
	t.Helper()
	var out []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		q, err := strconv.QuotedPrefix(text)
		if err != nil {
			t.Fatalf("%s: %s is not a quoted regexp", path, text)
		}
		s, _ := strconv.Unquote(q)
		out, text = append(out, s), text[len(q):]
	}
	return out
}

// run checks the fixture in a folder of its own, with everything else of
// testdata out of sight.
func (f fixture) run(t *testing.T) (*syntax.Files, *program.Program, diag.List) {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, src []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), src, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("main.hcl", f.src)
	if f.base {
		base, err := os.ReadFile("testdata/base.inc")
		if err != nil {
			t.Fatal(err)
		}
		write("base.hcl", base)
	}
	files, list := syntax.Parse(dir)
	if list.HasErrors() {
		return files, nil, list
	}
	p, list := Check(files, f.opt)
	return files, p, list
}

func TestFixtures(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.hcl")
	if err != nil || len(paths) == 0 {
		t.Fatal("no fixtures", err)
	}
	seen, rules := map[diag.Code]bool{}, map[string]int{}
	defer func() { everyCode(t, seen); everyRule(t, rules, len(paths)) }()
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".hcl"), func(t *testing.T) {
			f := readFixture(t, path)
			files, p, list := f.run(t)
			if p == nil && !list.HasErrors() {
				t.Error("no program, and no error that says why")
			}
			spoke := map[string]bool{}
			for _, d := range list {
				seen[d.Code], spoke[d.Rule] = true, true
			}
			for name := range spoke {
				rules[name]++
			}
			f.compare(t, list)
			checkRanges(t, files, list)
			if t.Failed() {
				var b strings.Builder
				_ = diag.WriteText(&b, list, files.Source, diag.Style{})
				t.Log("\n" + b.String())
			}
		})
	}
}

func (f fixture) compare(t *testing.T, list diag.List) {
	t.Helper()
	left := map[int][]string{}
	for line, w := range f.wants {
		left[line] = append([]string(nil), w...)
	}
	for _, d := range list {
		line := d.Subject.Start.Line
		if filepath.Base(d.Subject.File) != "main.hcl" {
			line = 0
		}
		text := fmt.Sprintf("%s %s %s: %s", d.Code, d.Severity, d.Summary, d.Detail)
		if i := matching(t, left[line], text); i >= 0 {
			left[line] = append(left[line][:i], left[line][i+1:]...)
		} else {
			t.Errorf("line %d: not expected: %s", line, text)
		}
	}
	for line, w := range left {
		for _, re := range w {
			t.Errorf("line %d: missing: %s", line, re)
		}
	}
}

func matching(t *testing.T, wants []string, text string) int {
	t.Helper()
	for i, re := range wants {
		r, err := regexp.Compile(re)
		if err != nil {
			t.Fatal(err)
		}
		if r.MatchString(text) {
			return i
		}
	}
	return -1
}

// checkRanges holds every diagnostic to what all of them promise: a code, a
// summary and a way out, a place inside the file.
func checkRanges(t *testing.T, files *syntax.Files, list diag.List) {
	t.Helper()
	for _, d := range list {
		if d.Code == "" || d.Summary == "" || d.Detail == "" {
			t.Errorf("incomplete: %+v", d)
		}
		if list := regexp.MustCompile(`\[-?\d+ -?\d`); list.MatchString(d.Summary) || list.MatchString(d.Detail) {
			t.Errorf("a list is not written as the language writes it: %s: %s", d.Summary, d.Detail)
		}
		if strings.HasSuffix(d.Summary, ".") {
			t.Errorf("the summary ends with a full stop: %s", d.Summary)
		}
		ranges := []diag.Range{d.Subject, d.Context}
		for _, r := range d.Related {
			ranges = append(ranges, r.Range)
		}
		for _, r := range ranges {
			src := files.Source(r.File)
			if r.Empty() {
				continue
			}
			if r.Start.Byte < 0 || r.Start.Byte > r.End.Byte || r.End.Byte > len(src) {
				t.Errorf("%s: the range %+v is outside of %s (%d bytes)", d.Summary, r, r.File, len(src))
			}
		}
	}
}

// everyCode: a code that nothing produces is a promise without proof.
func everyCode(t *testing.T, seen map[diag.Code]bool) {
	// These need a file system that a fixture cannot describe; lang/syntax tests
	// them. The last needs a run; TestDeferred tests it.
	for _, code := range []diag.Code{diag.FileUnreadable, diag.NoFiles, diag.FileTooLarge, diag.FileUnwritable, diag.BadResult} {
		seen[code] = true
	}
	for _, m := range diag.Meanings(diag.AboutAll(lint.Rules())...) {
		if m.Code < "QP300" && !seen[m.Code] {
			t.Errorf("%s (%s): no fixture produces it", m.Code, m.Text)
		}
	}
}

// everyRule: a rule has a fixture that breaks it and one that does not.
func everyRule(t *testing.T, spoke map[string]int, fixtures int) {
	for _, r := range lint.Rules() {
		if n := spoke[r.Name]; n == 0 || n == fixtures {
			t.Errorf("rule %s speaks in %d of %d fixtures", r.Name, n, fixtures)
		}
	}
}
