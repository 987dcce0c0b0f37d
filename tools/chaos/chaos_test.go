//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"qpipe/tools/chaos/draw"
	"qpipe/tools/chaos/forge"
)

// TestSeal: what the campaigns have changed in a file carries its right hash, by the rule
// of docs/format.md; what they damage does not stay as it was.
func TestSeal(t *testing.T) {
	tr := &trial{r: rand.New(rand.NewPCG(1, 2)), root: "/elsewhere"}
	var digits []string
	var texts [][]byte
	for range 200 {
		m, err := forge.Decode([]byte(`{"sha256": "x", "stages": [{"name": "float", "artifacts": [{"path": "float/last.safetensors", "bytes": 3}]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		m, _ = tr.mutator().Change(m)
		data := forge.SealManifest(m)
		var top struct {
			SHA256 string `json:"sha256"`
		}
		if json.Unmarshal(data, &top) == nil && len(top.SHA256) == 64 {
			digits, texts = append(digits, top.SHA256), append(texts, data)
		}
		header := map[string]any{"__metadata__": map[string]any{"sha256": "x"}, "w": m}
		file := forge.SealTensors(header, []byte("data"))
		inner, rest, err := forge.Split(file)
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
		if got := forge.Sum(bytes.Replace(data, []byte(hash), []byte(zeros), 1)); got != hash {
			t.Fatalf("hash %s, want %s: %.200s", hash, got, data)
		}
	}
	for _, kind := range []string{"flipped", "cut off", "appended", "a line dropped", "a line doubled"} {
		data := []byte("one\ntwo\nthree\n")
		for range 50 {
			if changed := draw.Spoiled(tr.r, kind, data); bytes.Equal(changed, data) && kind != "a line doubled" && kind != "a line dropped" {
				t.Errorf("%s: nothing has changed", kind)
			}
		}
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
