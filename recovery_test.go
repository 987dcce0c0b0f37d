package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const tiny = "testdata/pipelines/tiny.hcl"

// line is an event that `run -json` printed.
type line struct {
	Event string         `json:"event"`
	Stage string         `json:"stage"`
	Epoch int            `json:"epoch"`
	Step  int            `json:"step"`
	Data  map[string]any `json:"data"`
}

// moment says when a signal is sent: at the first event for which it is true.
type moment func(line) bool

// qpipe runs the program into the folder out, sends sig at the moment (or after
// the time, with a nil moment; never, with neither), and returns the exit code
// and what it wrote to stderr.
func qpipe(t *testing.T, out string, sig syscall.Signal, at moment, after time.Duration, args ...string) (code int, stderr string) {
	t.Helper()
	cmd := exec.Command("qpipe", append([]string{"run", "-json", "-out", out}, args...)...)
	var errors bytes.Buffer
	cmd.Stderr = &errors
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if after > 0 {
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Signal(sig) })
		defer timer.Stop()
	}
	for scan := bufio.NewScanner(stdout); scan.Scan(); {
		var l line
		if err := json.Unmarshal(scan.Bytes(), &l); err != nil {
			t.Errorf("not a line of JSON: %s", scan.Bytes())
		}
		if at != nil && at(l) {
			at = nil
			_ = cmd.Process.Signal(sig)
		}
	}
	return exitCode(t, cmd.Wait()), errors.String()
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	var status *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return status.ExitCode() // -1: killed
	}
	t.Fatal(err)
	return 0
}

// finish runs the pipeline to its end, which must succeed.
func finish(t *testing.T, out string, args ...string) {
	t.Helper()
	if code, stderr := qpipe(t, out, 0, nil, 0, args...); code != 0 {
		t.Fatalf("qpipe run -out %s %s: exit code %d\n%s", out, strings.Join(args, " "), code, stderr)
	}
}

// hashes returns the hash of every file of a run except those with times: the checkpoints, the model, the metrics, and
// files that should not be there.
func hashes(t *testing.T, out string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(out, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || slices.Contains([]string{"lock", "manifest.json", "events.jsonl"}, d.Name()) {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(out, path)
		found[filepath.ToSlash(name)] = fmt.Sprintf("%x", sha256.Sum256(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// sameRun compares the files of a run with those of the run that was never disturbed.
func sameRun(t *testing.T, want, got map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] == "" {
			t.Errorf("%s is missing", name)
		} else if got[name] != want[name] {
			t.Errorf("%s differs from that of a run that was never disturbed", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if want[name] == "" {
			t.Errorf("%s should not be there", name)
		}
	}
}

// reference is the run with which all others are compared.
var reference struct {
	sync.Once
	files map[string]string
	took  time.Duration
}

// undisturbed runs the pipeline from start to end, once for all tests.
func undisturbed(t *testing.T) (files map[string]string, took time.Duration) {
	t.Helper()
	reference.Do(func() { reference.files, reference.took = measure(t) })
	if reference.files == nil {
		t.Fatal("the undisturbed run has failed")
	}
	return reference.files, reference.took
}

func measure(t *testing.T) (files map[string]string, took time.Duration) {
	t.Helper()
	out, began := filepath.Join(t.TempDir(), "undisturbed"), time.Now()
	finish(t, out, tiny)
	took = time.Since(began)
	files = hashes(t, out)
	for _, name := range []string{
		"float/best.safetensors", "float/last.safetensors", "calibration/last.safetensors", "qat/last.safetensors",
		"qat/best.safetensors", "int_infer/int8.safetensors", "metrics.jsonl",
	} {
		if files[name] == "" {
			t.Fatalf("the run left no %s; it left %v", name, slices.Sorted(maps.Keys(files)))
		}
	}
	return files, took
}

func in(stage, event string) moment {
	return func(l line) bool { return l.Stage == stage && l.Event == event }
}

// TestInterrupt stops a run in the middle with the signals that ask for it, and
// continues it: the result is that of a run that was never stopped.
func TestInterrupt(t *testing.T) {
	want, _ := undisturbed(t)
	for _, c := range []struct {
		name string
		sig  syscall.Signal
		at   moment
	}{
		{"float", syscall.SIGINT, in("float", "progress")},
		{"after the first epoch", syscall.SIGTERM, in("float", "epoch")},
		{"calibration", syscall.SIGINT, in("calibration", "progress")},
		{"qat before FuseBN", syscall.SIGINT, in("qat", "progress")},
		{"right after FuseBN", syscall.SIGINT, in("qat", "absorb")},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "run")
			code, stderr := qpipe(t, out, c.sig, c.at, 0, tiny)
			if code != 130 {
				t.Fatalf("exit code %d, want 130\n%s", code, stderr)
			}
			if !strings.Contains(stderr, "qpipe run --resume") {
				t.Errorf("the message does not say how to continue:\n%s", stderr)
			}
			finish(t, out, "--resume", tiny)
			sameRun(t, want, hashes(t, out))
		})
	}
}

// TestAbort sends two signals: the second one ends the run at once.
func TestAbort(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	twice := 0
	both := func(l line) bool {
		if l.Stage == "float" && l.Event == "progress" {
			twice++
		}
		return twice == 1
	}
	cmd := exec.Command("qpipe", "run", "-json", "-out", out, "-var", "train_images=60000", tiny)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for scan := bufio.NewScanner(stdout); scan.Scan(); {
		var l line
		if json.Unmarshal(scan.Bytes(), &l) == nil && both(l) {
			_ = cmd.Process.Signal(os.Interrupt)
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	if code := exitCode(t, cmd.Wait()); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	if !strings.Contains(stderr.String(), "--resume") {
		t.Errorf("the message does not say how to continue:\n%s", &stderr)
	}
}

// TestKill kills runs at moments drawn from a seed, also while they resume, and then lets them finish: every file is
// that of a run that was never killed. It does this a few times; with QPIPE_LONG=1 thirty times and more.
func TestKill(t *testing.T) {
	kills := 3
	if os.Getenv("QPIPE_LONG") != "" {
		kills = 36
	}
	want, took := undisturbed(t)
	r := rand.New(rand.NewPCG(20, 26))
	for done := 0; done < kills; {
		out := filepath.Join(t.TempDir(), fmt.Sprint("kill", done))
		args := []string{tiny}
		for deaths := 1 + r.IntN(3); deaths > 0 && done < kills; deaths-- {
			at, after, name := drawMoment(r, took)
			code, stderr := qpipe(t, out, syscall.SIGKILL, at, after, args...)
			t.Logf("kill %d, %s: exit code %d", done+1, name, code)
			if code == 0 {
				break // it was faster
			}
			if code != -1 {
				t.Fatalf("exit code %d of a run that was to be killed\n%s", code, stderr)
			}
			done++
			args = goingOn(out)
		}
		code, stderr := qpipe(t, out, 0, nil, 0, goingOn(out)...)
		if code != 0 || strings.Contains(stderr, "QP4") { // nothing was damaged
			t.Errorf("exit code %d\n%s", code, stderr)
		}
		sameRun(t, want, hashes(t, out))
		if t.Failed() {
			return
		}
	}
}

// goingOn are the arguments that continue the run in out, or start it if the kill came before there was anything.
func goingOn(out string) []string {
	if _, err := os.Stat(out); err != nil {
		return []string{tiny}
	}
	return []string{"--resume", tiny}
}

// drawMoment draws when to kill: after some time, or at the n-th event of a kind.
func drawMoment(r *rand.Rand, took time.Duration) (at moment, after time.Duration, name string) {
	if r.IntN(2) == 0 {
		after = time.Duration(r.Int64N(int64(took))) + time.Millisecond
		return nil, after, after.String()
	}
	points := []struct {
		stage, kind string
		most        int // times that it happens
	}{
		{"float", "stage_start", 1},
		{"float", "epoch", 2},
		{"float", "checkpoint", 2},
		{"float", "stage_end", 1},
		{"calibration", "stage_start", 1},
		{"calibration", "progress", 1},
		{"calibration", "checkpoint", 1},
		{"qat", "stage_run", 1},
		{"qat", "absorb", 2},
		{"qat", "checkpoint", 6},
		{"qat", "epoch", 2},
		{"qat", "validation", 2},
		{"qat", "stage_end", 1},
		{"int_infer", "stage_run", 1},
		{"int_infer", "stage_end", 1},
	}
	p := points[r.IntN(len(points))]
	kind, stage, n := p.kind, p.stage, 1+r.IntN(p.most)
	name = fmt.Sprintf("at %s %d of %s", kind, n, stage)
	return func(l line) bool {
		if l.Event == kind && l.Stage == stage {
			n--
		}
		return n == 0
	}, 0, name
}

// TestSecondRun starts a second run in the folder of a running one: it is refused, and says why.
func TestSecondRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	second := func(l line) bool {
		if !in("float", "progress")(l) {
			return false
		}
		code, _, stderr := plain(t, "run", "-out", out, tiny)
		if code != 1 || !strings.Contains(stderr, "QP453") || !strings.Contains(stderr, out) {
			t.Errorf("the second run: exit code %d\n%s", code, stderr)
		}
		return true
	}
	code, stderr := qpipe(t, out, syscall.SIGINT, second, 0, "-var", "train_images=60000", tiny)
	if code != 130 {
		t.Errorf("the first run: exit code %d\n%s", code, stderr)
	}
}

// plain runs the program to its end.
func plain(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command("qpipe", args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	return exitCode(t, cmd.Run()), out.String(), errs.String()
}

// TestDamagedResume damages what an interrupted run would continue from.
func TestDamagedResume(t *testing.T) {
	want, _ := undisturbed(t)
	out := filepath.Join(t.TempDir(), "run")
	if code, stderr := qpipe(t, out, syscall.SIGINT, in("qat", "epoch"), 0, tiny); code != 130 {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
	last := filepath.Join(out, "qat", "last.safetensors")
	flip(t, last)
	code, stdout, stderr := plain(t, "run", "--resume", "-out", out, tiny)
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
	for _, text := range []string{last + ": ", "continues from " + filepath.Join(out, "qat"), "qat: resumed everything"} {
		if !strings.Contains(stdout, text) {
			t.Errorf("the run does not say %q:\n%s", text, stdout)
		}
	}
	sameRun(t, want, hashes(t, out))

	t.Run("all of them", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "run")
		if code, stderr := qpipe(t, out, syscall.SIGINT, in("qat", "epoch"), 0, tiny); code != 130 {
			t.Fatalf("exit code %d\n%s", code, stderr)
		}
		files, _ := filepath.Glob(filepath.Join(out, "qat", "*.safetensors"))
		for _, file := range files {
			flip(t, file)
		}
		code, _, stderr := plain(t, "run", "--resume", "-out", out, tiny)
		if code != 1 || !strings.Contains(stderr, "QP450") || !strings.Contains(stderr, filepath.Join(out, "qat")) {
			t.Errorf("exit code %d\n%s", code, stderr)
		}
	})
}

// TestResumeFrom continues from the checkpoint that the command line names.
func TestResumeFrom(t *testing.T) {
	want, _ := undisturbed(t)
	out := filepath.Join(t.TempDir(), "run")
	finish(t, out, tiny)
	files, _ := filepath.Glob(filepath.Join(out, "qat", "step-*.safetensors"))
	if len(files) != 2 {
		t.Fatalf("the stage keeps %v, want two numbered checkpoints", files)
	}
	for _, args := range [][]string{{"--resume=" + files[0], tiny}, {"--resume", files[1], tiny}} {
		code, stdout, stderr := plain(t, append([]string{"run", "-out", out}, args...)...)
		if code != 0 || !strings.Contains(stdout, "qat: resumed") || strings.Contains(stdout, "float: epoch") {
			t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
		}
		sameRun(t, want, hashes(t, out))
	}
}

// flip changes a bit in the middle of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestClosedOutput closes the pipe that the program writes to: short commands end silently, a run keeps what it has
// computed.
func TestClosedOutput(t *testing.T) {
	closed := func(args ...string) (code int, stderr string) {
		cmd := exec.Command("qpipe", args...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReaderSize(stdout, 16).ReadByte(); err != nil && args[0] == "run" {
			t.Fatal(err)
		}
		_ = stdout.Close()
		return exitCode(t, cmd.Wait()), errs.String()
	}
	if _, stderr := closed("parts"); stderr != "" {
		t.Errorf("qpipe parts says %q", stderr)
	}
	out := filepath.Join(t.TempDir(), "run")
	code, stderr := closed("run", "-json", "-out", out, "-var", "train_images=60000", tiny)
	if code != 130 || !strings.Contains(stderr, "--resume") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	if _, err := os.Stat(filepath.Join(out, "float", "last.safetensors")); err != nil {
		t.Error(err)
	}
	done := filepath.Join(t.TempDir(), "run")
	finish(t, done, tiny)
	if code, stderr := closed("run", "-out", done, tiny); code != 0 && code != 130 || strings.Contains(stderr, "checkpoint is written") {
		t.Errorf("nothing is left to do: exit code %d\n%s", code, stderr)
	}
}

// TestThreads runs the pipeline with different numbers of threads: the files are
// the same.
func TestThreads(t *testing.T) {
	want, _ := undisturbed(t)
	for _, n := range []string{"1", "2", "3", "7"} {
		out := filepath.Join(t.TempDir(), n)
		finish(t, out, "-threads", n, tiny)
		sameRun(t, want, hashes(t, out))
	}
}
