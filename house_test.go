package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// The largest allowed packages and functions, in lines; tests and generated files do not count.
const (
	mostLines   = 2500 // of a package
	longestFunc = 100
	nineOfTen   = 30 // of a function
)

// larger are packages that may have more than mostLines, how many, and why. The list only shrinks.
var larger = map[string]struct {
	lines int
	why   string
}{
	"ops/kernel/gen": {5450, "a program of its own, a module of its own: it writes assembly"},
}

// goFunc is a function of the code base.
type goFunc struct {
	name  string
	lines int
}

// house reads all Go files except tests: the lines of every package, and the functions.
func house(t *testing.T) (lines map[string]int, funcs []goFunc) {
	t.Helper()
	out, err := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "*.go", ":!*_test.go").Output()
	if err != nil {
		t.Skip("no git here")
	}
	lines = map[string]int{}
	for _, name := range strings.Fields(string(out)) {
		text, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue // removed, and not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, name, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if ast.IsGenerated(file) {
			continue
		}
		room := path.Dir(name)
		lines[room] += strings.Count(string(text), "\n")
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := files.Position(f.End()).Line - files.Position(f.Pos()).Line + 1
			funcs = append(funcs, goFunc{room + "." + f.Name.Name, n})
		}
	}
	return lines, funcs
}

// TestHouse: no package and no function is too large to be read.
func TestHouse(t *testing.T) {
	lines, funcs := house(t)
	for _, room := range slices.Sorted(maps.Keys(lines)) {
		n, most := lines[room], mostLines
		if l, ok := larger[room]; ok {
			most = l.lines
			if n <= mostLines {
				t.Errorf("%s has %d lines: it can leave the list of larger packages", room, n)
			}
		}
		if n > most {
			t.Errorf("%s has %d lines, and may have %d: which of its topics is a room?", room, n, most)
		}
	}
	for room := range larger {
		if lines[room] == 0 {
			t.Errorf("%s is on the list of larger packages, and there is none", room)
		}
	}
	slices.SortFunc(funcs, func(a, b goFunc) int { return b.lines - a.lines })
	for _, f := range funcs {
		if f.lines > longestFunc {
			t.Errorf("%s has %d lines, and may have %d", f.name, f.lines, longestFunc)
		}
	}
	if f := funcs[len(funcs)/10]; f.lines > nineOfTen {
		t.Errorf("one function of ten has %d lines or more; %d is the bound", f.lines, nineOfTen)
	}
}
