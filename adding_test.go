package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// addition is what a section of docs/adding.md adds: the files that it writes and those that it changes, by
// their path in the repository, and the commands that it runs then.
type addition struct {
	files    map[string]string
	commands []string
}

var (
	adding = regexp.MustCompile("(?ms)^```(?:go|sh|hcl|text) ([^\n]+)\n(.*?)^```$")
	inFile = regexp.MustCompile(`^file=(\S+)(?: after=("(?:[^"\\]|\\.)*"))?$`)
)

// additions reads the page: a section for each of its headings.
func additions(t *testing.T) map[string]*addition {
	t.Helper()
	page, err := os.ReadFile("docs/adding.md")
	must(t, err)
	all := map[string]*addition{}
	for _, section := range strings.Split(string(page), "\n## ")[1:] {
		title, text, _ := strings.Cut(section, "\n")
		a := &addition{files: map[string]string{}}
		for _, block := range adding.FindAllStringSubmatch(text, -1) {
			info, body := block[1], block[2]
			if strings.HasPrefix(info, "run") {
				a.commands = append(a.commands, strings.TrimSpace(body))
				continue
			}
			m := inFile.FindStringSubmatch(info)
			if m == nil {
				t.Fatalf("docs/adding.md, %s: a block says %q, which is no file", title, info)
			}
			a.put(t, m[1], m[2], body)
		}
		all[title] = a
	}
	return all
}

// put adds a file, or lines after those of a file that end in a text.
func (a *addition) put(t *testing.T, file, after, body string) {
	t.Helper()
	if after == "" {
		a.files[file] = body
		return
	}
	text, err := strconv.Unquote(after)
	must(t, err)
	old, ok := a.files[file]
	if !ok {
		data, err := os.ReadFile(file)
		must(t, err)
		old = string(data)
	}
	if strings.Count(old, text+"\n") != 1 {
		t.Fatalf("docs/adding.md adds lines to %s after %q, which is there %d times", file, text, strings.Count(old, text+"\n"))
	}
	a.files[file] = strings.Replace(old, text+"\n", text+"\n"+body, 1)
}

// overlay writes the files beside the repository and returns the argument that shows them to the go command.
func (a *addition) overlay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs(".")
	must(t, err)
	replace := map[string]string{}
	for file, text := range a.files {
		path := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		must(t, os.WriteFile(path, []byte(text), 0o600))
		replace[filepath.Join(root, file)] = path
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	must(t, err)
	path := filepath.Join(dir, "overlay.json")
	must(t, os.WriteFile(path, data, 0o600))
	return "-overlay=" + path
}

// TestAdding adds to the repository what the sections of docs/adding.md add, and runs their commands.
func TestAdding(t *testing.T) {
	for title, a := range additions(t) {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			if len(a.commands) == 0 {
				t.Fatal("the section runs nothing")
			}
			if a.files["mine/go.mod"] != "" {
				a.alone(t)
				return
			}
			overlay := a.overlay(t)
			for file, text := range a.files {
				if strings.HasSuffix(file, ".go") {
					formatted(t, file, text)
				}
			}
			for _, line := range a.commands {
				args := shell(line)
				if len(args) < 2 || args[0] != "go" {
					t.Fatalf("%q is no command of go", line)
				}
				cmd := exec.Command("go", append([]string{args[1], overlay, "-vet=off", "-v"}, args[2:]...)...)
				out, err := cmd.CombinedOutput()
				if err != nil || !strings.Contains(string(out), "--- PASS") {
					t.Errorf("%s: %v\n%.3000s", line, err, out)
				}
			}
		})
	}
}

// alone writes the files of a program beside the repository, and runs the section's commands there.
func (a *addition) alone(t *testing.T) {
	t.Helper()
	root, err := filepath.Abs(".")
	must(t, err)
	dir := t.TempDir()
	must(t, os.Symlink(root, filepath.Join(dir, "qpipe")))
	must(t, os.Mkdir(filepath.Join(dir, "mine"), 0o700))
	for file, text := range a.files {
		if strings.HasSuffix(file, ".go") {
			formatted(t, file, text)
		}
		must(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600))
	}
	said := ""
	for _, block := range a.commands {
		for line := range strings.Lines(block) {
			args := shell(line)
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Dir = filepath.Join(dir, "mine")
			cmd.Env = append(os.Environ(), "GOFLAGS=-trimpath", "GOPROXY=off", "GOSUMDB=off", "GOWORK=off", "CGO_ENABLED=0", "NO_COLOR=1")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%.3000s", line, err, out)
			}
			said += string(out)
		}
	}
	reached := regexp.MustCompile(`(?m)^(?:accuracy|dice) = (\S+)`).FindAllStringSubmatch(said, -1)
	if strings.Count(said, "has the same integers as") != 2 || len(reached) != 2 {
		t.Fatalf("the pipelines of the page say\n%s", said)
	}
	for _, m := range reached {
		if v, err := strconv.ParseFloat(m[1], 64); err != nil || v < 0.85 {
			t.Errorf("a pipeline of the page reaches %v", m[0])
		}
	}
}

// formatted requires that a file is as gofmt writes it.
func formatted(t *testing.T, file, text string) {
	t.Helper()
	cmd := exec.Command("gofmt", "-l")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%s in docs/adding.md is not formatted: %v %s", file, err, out)
	}
}

// shell splits a line into words, with quotes.
func shell(line string) []string {
	var words []string
	for _, m := range regexp.MustCompile(`'([^']*)'|(\S+)`).FindAllStringSubmatch(line, -1) {
		words = append(words, m[1]+m[2])
	}
	return words
}
