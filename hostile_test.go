//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestHostileTexts validates families of texts that would make a naive checker work for minutes, take gigabytes or
// crash: every sixth family with 64 KB; with QPIPE_LONG=1 all families, in three sizes; with QPIPE_LONG=all from 64 KB
// doubling up to 1 MB. The slowest text is often not the largest one, which is refused at once. The bounds are 2 s of
// work and 512 MB; the machine may be three times as slow.
func TestHostileTexts(t *testing.T) {
	sizes := []int{64_000}
	long := os.Getenv("QPIPE_LONG") != ""
	if long {
		sizes = []int{62_500, 250_000, 1_000_000}
	}
	if os.Getenv("QPIPE_LONG") == "all" {
		sizes = []int{62_500, 125_000, 250_000, 500_000, 1_000_000}
	}
	for i, h := range hostiles() {
		if !long && i%6 != 0 {
			continue
		}
		for _, n := range sizes {
			h.answers(t, n)
		}
	}
}

func (h hostile) answers(t *testing.T, n int) {
	t.Helper()
	t.Run(fmt.Sprintf("%s %d", h.name, n), func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "x.hcl"), []byte(h.text(n)), 0o600))
		if h.more != nil {
			for name, text := range h.more(n) {
				must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
			}
		}
		m := measured(t, dir, time.Minute, append(append([]string{"validate"}, h.args...), "x.hcl")...)
		t.Logf("%d bytes: %v, %d MB, exit code %d", n, m.Work, m.Memory>>20, m.Code)
		if m.over || m.Work > 6*time.Second || m.Memory > 512<<20 {
			t.Errorf("%v of work, %d MB, ended: %t", m.Work, m.Memory>>20, m.over)
		}
		if m.Code < 0 || m.Code > 2 || len(m.said) > 1<<20 || trace.MatchString(m.said) {
			t.Errorf("exit code %d, %d bytes of output: %.300s", m.Code, len(m.said), m.said)
		}
	})
}
