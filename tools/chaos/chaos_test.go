//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestStrike strikes a shell: its calls are counted, and it dies or fails where it is to.
func TestStrike(t *testing.T) {
	if !canStrike {
		t.Skip("system calls are struck on amd64 only")
	}
	script := "echo one >a && mv a b && echo two >>b"
	for _, c := range []struct {
		name   string
		strike strike
		left   string // in a, b
		good   bool
	}{
		{"counted", strike{}, "-,one two", true},
		{"killed before the rename", strike{family: "rename", n: 1}, "one,-", false},
		{"killed after the rename", strike{family: "rename", n: 1, after: true}, "-,one", false},
		{"the rename fails", strike{family: "rename", n: 1, errno: syscall.EIO}, "one,-", false},
		{"every write fails", strike{family: "write", n: 1, errno: syscall.ENOSPC, on: true}, ",-", false},
		{"the second write fails", strike{family: "write", n: 2, errno: syscall.ENOSPC}, "-,one", false},
		{"beyond the last", strike{family: "write", n: 3}, "-,one two", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			null, err := os.Open(os.DevNull)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = null.Close() }()
			attr := &os.ProcAttr{Dir: dir, Env: os.Environ(), Files: []*os.File{null, null, null}, Sys: &syscall.SysProcAttr{}}
			ws, err := c.strike.run(dir, []string{"/bin/sh", "-c", script}, attr, func(*os.Process) func() bool { return func() bool { return true } })
			if err != nil {
				t.Skip("this machine lets no program be traced: ", err)
			}
			if good := ws.Exited() && ws.ExitStatus() == 0; good != c.good {
				t.Errorf("ended by %v, code %d (%s)", ws.Signal(), ws.ExitStatus(), &c.strike)
			}
			if left := content(dir, "a") + "," + content(dir, "b"); left != c.left {
				t.Errorf("left %q, want %q (%s)", left, c.left, &c.strike)
			}
			if c.name == "counted" && (c.strike.counts["write"] != 2 || c.strike.counts["rename"] != 1) {
				t.Errorf("counted %v", c.strike.counts)
			}
		})
	}
}

func content(dir, name string) string {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return "-"
	}
	return strings.Join(strings.Fields(string(data)), " ")
}

// TestSeal: what the campaigns have changed in a file carries its right hash, by the rule
// of docs/format.md; what they damage does not stay as it was.
func TestSeal(t *testing.T) {
	tr := &trial{r: rand.New(rand.NewPCG(1, 2)), root: "/elsewhere"}
	var digits []string
	var texts [][]byte
	for range 200 {
		m, err := decodeJSON([]byte(`{"sha256": "x", "stages": [{"name": "float", "artifacts": [{"path": "float/last.safetensors", "bytes": 3}]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		m, _ = tr.mutate(m)
		data := sealManifest(m)
		var top struct {
			SHA256 string `json:"sha256"`
		}
		if json.Unmarshal(data, &top) == nil && len(top.SHA256) == 64 {
			digits, texts = append(digits, top.SHA256), append(texts, data)
		}
		header := map[string]any{"__metadata__": map[string]any{"sha256": "x"}, "w": m}
		file := sealTensors(header, []byte("data"))
		inner, rest, err := split(file)
		if err != nil || string(rest) != "data" || len(inner)%8 != 0 {
			t.Fatalf("%v, %q", err, rest)
		}
		digits, texts = append(digits, header["__metadata__"].(map[string]any)["sha256"].(string)), append(texts, file)
	}
	if len(texts) < 250 {
		t.Fatalf("only %d files have a hash", len(texts))
	}
	zeros := strings.Repeat("0", 64)
	for i, data := range texts {
		hash := digits[i]
		if hash == zeros { // it stands in the file alone
			at := bytes.Index(data, []byte(`"sha256":"`)) + len(`"sha256":"`)
			hash = string(data[at : at+64])
		}
		if got := sum(bytes.Replace(data, []byte(hash), []byte(zeros), 1)); got != hash {
			t.Fatalf("hash %s, want %s: %.200s", hash, got, data)
		}
	}
	for _, kind := range []string{"flipped", "cut off", "appended", "a line dropped", "a line doubled"} {
		data := []byte("one\ntwo\nthree\n")
		for range 50 {
			if changed := spoilBytes(tr.r, kind, data); bytes.Equal(changed, data) && kind != "a line doubled" && kind != "a line dropped" {
				t.Errorf("%s: nothing has changed", kind)
			}
		}
	}
}

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
	if err := copyTree(dir, copied); err != nil {
		t.Fatal(err)
	}
	if d := differences(list(dir), list(copied), nil); len(d) > 0 {
		t.Errorf("a copy: %v", d)
	}
	want := results(dir)
	if len(want) != 2 {
		t.Errorf("the results are %v", want)
	}
	_ = os.WriteFile(filepath.Join(copied, "metrics.jsonl"), []byte("x"), 0o644)
	_ = os.Remove(filepath.Join(copied, "float/last.safetensors"))
	_ = os.Symlink("nowhere", filepath.Join(copied, "link"))
	got := strings.Join(differences(want, results(copied), nil), "; ")
	if got != "float/last.safetensors is missing; link should not be there; metrics.jsonl differs" {
		t.Error(got)
	}
}

// TestTrace: what no user should see is recognized, and what every run says is not.
func TestTrace(t *testing.T) {
	for _, text := range []string{"panic: x", "goroutine 12 [running]:", "fatal error: out of memory", "Error QP900: this is a bug in qpipe", "\t/a/b.go:12 +0x1", "WARNING: DATA RACE"} {
		if !trace.MatchString("before\n" + text + "\n") {
			t.Errorf("%q is not seen", text)
		}
	}
	if trace.MatchString(`Error QP450: run/manifest.json: its content does not match its hash`) {
		t.Error("a message is taken for a trace")
	}
}
