//go:build linux

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"time"

	"qpipe/tools/chaos/program"
)

// races does whole runs with the race detector.
func races(w *world) *campaign {
	c := &campaign{
		name: "races", weight: 0,
		promise: "whole runs, interrupted and continued, have no data race",
	}
	mnist := filepath.Join(absolutePath(w.shared), "data", "mnist")
	type whole struct {
		name      string
		args      []string
		interrupt string // a stage in which it is interrupted once
	}
	runs := []whole{
		{"quick start", []string{filepath.Join(w.pipelines, "quickstart.hcl")}, ""},
		{"quick start, interrupted", []string{filepath.Join(w.pipelines, "quickstart.hcl")}, "qat"},
		{"MNIST", []string{"-var", "data_dir=" + mnist, filepath.Join(w.pipelines, "mnist_small.hcl")}, ""},
		{"MNIST, interrupted", []string{"-var", "data_dir=" + mnist, filepath.Join(w.pipelines, "mnist_small.hcl")}, "float"},
	}
	c.prepare = func() (int, string) {
		if w.race == "" {
			return 0, "needs a program built with -race (make race-runs)"
		}
		return len(runs), ""
	}
	c.trial = func(t *trial) {
		r := runs[t.n%len(runs)]
		t.title = r.name
		last := r.args[len(r.args)-1]
		if _, err := os.Stat(mnist); err != nil && len(r.args) > 1 {
			t.skip("there is no data/mnist in the folder that QPIPE_SHARED names")
			return
		}
		args := append([]string{"run", "-json", "-out", runDir}, append(r.args[:len(r.args)-1:len(r.args)-1], absolutePath(last))...)
		one := program.Call{Args: args, Binary: absolutePath(w.race), Limit: time.Hour, Codes: []int{130}}
		if r.interrupt != "" {
			one.Sig, one.At = syscall.SIGINT, nth(3, in(r.interrupt, "progress"))
			if end := t.call(one); end.Code != 130 {
				t.fail("the interrupted run: exit code %d: %s", end.Code, end.Message())
			}
			one.Sig, one.At = 0, nil
		}
		if end := t.call(one); end.Code != 0 {
			t.fail("exit code %d: %s", end.Code, end.Message())
		}
	}
	return c
}

func absolutePath(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	return abs
}
