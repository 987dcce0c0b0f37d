//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestHostileTexts validates families of texts that would make a naive checker work for minutes, take gigabytes or
// fall over: every fourth of 64 KB, with QPIPE_LONG=1 all, from 64 KB doubling up to 1 MB: the slowest text is often not
// the largest, which is refused at a glance. The bounds are 2 s of work and 512 MB; the machine may be three times as slow.
func TestHostileTexts(t *testing.T) {
	sizes := []int{64_000}
	long := os.Getenv("QPIPE_LONG") != ""
	if long {
		sizes = []int{62_500, 125_000, 250_000, 500_000, 1_000_000}
	}
	for i, h := range hostiles() {
		if !long && i%4 != 0 {
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
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "qpipe", append(append([]string{"validate"}, h.args...), "x.hcl")...)
		cmd.Dir = dir
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		_ = cmd.Run()
		work := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
		code := cmd.ProcessState.ExitCode()
		t.Logf("%d bytes: %v, %d MB, exit code %d", n, work, peak, code)
		if work > 6*time.Second || peak > 512 {
			t.Errorf("%v of work, %d MB", work, peak)
		}
		if code < 0 || code > 2 || out.Len() > 1<<20 || bytes.Contains(out.Bytes(), []byte("goroutine ")) || bytes.Contains(out.Bytes(), []byte("QP900")) {
			t.Errorf("exit code %d, %d bytes of output: %.300s", code, out.Len(), &out)
		}
	})
}
