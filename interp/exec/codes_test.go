package exec

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryCode: every code of the interpreter is expected by a test.
func TestEveryCode(t *testing.T) {
	table, err := os.ReadFile(filepath.Join("..", "..", "lang", "diag", "codes_interp.go"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join("..", "*", "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := filepath.Glob(filepath.Join("..", "..", "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob(filepath.Join("..", "..", "testdata", "script", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	files = slices.Concat(files, whole, scripts)
	var tests strings.Builder
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(data)
	}
	names := regexp.MustCompile(`(?m)^(?:const|\s)\s*(\w+)\s+Code = "(QP\d+)"`).FindAllStringSubmatch(string(table), -1)
	if len(names) < 25 {
		t.Fatalf("only %d codes found", len(names))
	}
	for _, n := range names {
		if !strings.Contains(tests.String(), "diag."+n[1]) && !regexp.MustCompile(n[2]+`\b`).MatchString(tests.String()) {
			t.Errorf("%s (%s): no test expects it", n[2], n[1])
		}
	}
}
