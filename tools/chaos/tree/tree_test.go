//go:build linux

package tree

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDifferences: what a campaign calls the same is the same.
func TestDifferences(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"float/last.safetensors": "a", "metrics.jsonl": "b", "lock": "", ".previous/qat/1/last.safetensors": "c"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	copied := filepath.Join(t.TempDir(), "copy")
	if err := Copy(dir, copied); err != nil {
		t.Fatal(err)
	}
	if d := Differences(List(dir), List(copied), nil); len(d) > 0 {
		t.Errorf("a copy: %v", d)
	}
	want := Results(dir)
	if len(want) != 2 {
		t.Errorf("the results are %v", want)
	}
	_ = os.WriteFile(filepath.Join(copied, "metrics.jsonl"), []byte("x"), 0o644)
	_ = os.Remove(filepath.Join(copied, "float/last.safetensors"))
	_ = os.Symlink("nowhere", filepath.Join(copied, "link"))
	got := strings.Join(Differences(want, Results(copied), nil), "; ")
	if got != "float/last.safetensors is missing; link should not be there; metrics.jsonl differs" {
		t.Error(got)
	}
}
