package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// verbs are command lines that print something, by verb and form. They run in a
// folder with tiny.hcl, its run in runs/tiny, and wrong.hcl.
var verbs = [][]string{
	{"validate", "tiny.hcl"},
	{"validate", "-json", "tiny.hcl"},
	{"run", "tiny.hcl"},
	{"run", "-json", "tiny.hcl"},
	{"run", "-force", "-stage", "float", "-out", "again", "tiny.hcl"},
	{"plan", "tiny.hcl"},
	{"plan", "-json", "tiny.hcl"},
	{"plan", "-detailed-exitcode", "-force", "tiny.hcl"},
	{"graph", "tiny.hcl"},
	{"graph", "-json", "tiny.hcl"},
	{"graph", "-format=dot", "tiny.hcl"},
	{"graph", "-format=mermaid", "tiny.hcl"},
	{"graph", "-format=svg", "tiny.hcl"},
	{"graph", "-stage", "qat", "tiny.hcl"},
	{"graph", "-stage", "int_infer", "-json", "tiny.hcl"},
	{"graph", "-stage", "qat", "-depth=1", "-format=dot", "tiny.hcl"},
	{"fmt", "-write=false", "ugly.hcl"},
	{"fmt", "-check", "-diff", "ugly.hcl"},
	{"fmt", "-json", "tiny.hcl"},
	{"fmt", "-"},
	{"show", "runs/tiny"},
	{"show", "-json", "runs/tiny"},
	{"show", "runs/tiny/qat/last.safetensors"},
	{"show", "-json", "runs/tiny/int_infer/int8.safetensors"},
	{"eval", "stage.int_infer.checkpoint.int8", "-data", "dataset.test", "tiny.hcl"},
	{"eval", "-json", "stage.int_infer.checkpoint.int8", "-data", "dataset.test", "tiny.hcl"},
	{"bench", "-once", "-what", "float", "lenet"},
	{"bench", "-json", "-time", "1ms", "-threads", "1", "-batch", "1", "-what", "float", "lenet"},
	{"bench", "-time", "1ms", "-threads", "1", "-batch", "1", "-what", "float", "lenet"},
	{"bench-worker", "shapes"},
	{"parts"},
	{"parts", "FuseBN"},
	{"parts", "-json"},
	{"version"},
	{"version", "-json"},
	{"help"},
	{"help", "run"},
	{"help", "qconfig"},
	{"help", "schedules"},
	{"help", "selectors"},
	{"help", "environment"},
	{"run", "-h"},
	{"completion", "bash"},
	{"completion", "zsh"},
	{},
}

// inFolder makes the folder that verbs run in.
func inFolder(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(tiny)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"tiny.hcl":  strings.Replace(string(text), `  callback "ExponentialMovingAverage" { decay = 0.9 }`+"\n", "", 1),
		"ugly.hcl":  "model   \"LeNet\" \"net\" {\nnum_classes=2\n}\n",
		"wrong.hcl": "stage \"float\" {}\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, stderr := plain(t, "run", "tiny.hcl"); code != 0 {
		t.Fatal(stderr)
	}
}

// into runs the program with its streams in files; nil is a buffer that is returned.
func into(t *testing.T, out, errs *os.File, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command("qpipe", args...)
	cmd.Stdin = strings.NewReader("x=1\n")
	var outText, errText bytes.Buffer
	cmd.Stdout, cmd.Stderr = &outText, &errText
	if out != nil {
		cmd.Stdout = out
	}
	if errs != nil {
		cmd.Stderr = errs
	}
	var status *exec.ExitError
	if err := cmd.Run(); errors.As(err, &status) {
		code = status.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return code, outText.String(), errText.String()
}

// TestFullDisk: if the output cannot be written, the exit code is 1 and the error stream says so; if the error stream
// cannot be written, the exit code is never 0.
func TestFullDisk(t *testing.T) {
	inFolder(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no /dev/full here: %v", err)
	}
	defer func() { _ = full.Close() }()
	for _, args := range verbs {
		code, _, stderr := into(t, full, nil, args...)
		if code != 1 || strings.Count(stderr, "cannot write the output: no space left on device") != 1 || strings.Contains(stderr, "goroutine") {
			t.Errorf("%v: exit code %d, %q", args, code, stderr)
		}
		if code, _, _ := into(t, full, full, args...); code != 1 {
			t.Errorf("%v, with an error stream that is full too: exit code %d", args, code)
		}
	}
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"validate", "wrong.hcl"}, 1},
		{[]string{"validate", filepath.Join("..", "empty.hcl")}, 1}, // a warning
		{[]string{"nosuch"}, 2},
	} {
		if err := os.WriteFile(filepath.Join("..", "empty.hcl"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if code, _, _ := into(t, nil, full, c.args...); code != c.code {
			t.Errorf("%v without an error stream: exit code %d, want %d", c.args, code, c.code)
		}
	}
	if code, stdout, _ := into(t, full, nil, "show", "runs/again"); code != 1 || stdout != "" {
		t.Errorf("what was run is not there: %d", code)
	}
}

// TestClosedPipe: if the reader closes the pipe, the program ends silently, and a run writes a checkpoint.
func TestClosedPipe(t *testing.T) {
	inFolder(t)
	for _, args := range verbs {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		_ = read.Close()
		code, _, stderr := into(t, write, nil, args...)
		_ = write.Close()
		if strings.Contains(stderr, "goroutine") || strings.Contains(stderr, "broken") || strings.Contains(stderr, "Error") || code == 3 {
			t.Errorf("%v: exit code %d, %q", args, code, stderr)
		}
	}
}

// TestIgnoredSignals: signals that nohup ignores stay ignored.
func TestIgnoredSignals(t *testing.T) {
	inFolder(t)
	cmd := exec.Command("sh", "-c", `trap "" HUP; qpipe run -force -json -stage float -out hup tiny.hcl & pid=$!; sleep 0.1; kill -HUP $pid; wait $pid`)
	text, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(text), `"interrupted":false`) {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestArguments: a command line that cannot be understood gives exit code 2, a line that says what is wrong and one
// that says where to look. Requested help gives 0.
func TestArguments(t *testing.T) {
	inFolder(t)
	for _, c := range []struct{ args, want string }{
		{"help nosuch", `unknown command or topic "nosuch"`},
		{"help rnu", `did you mean "run"?`},
		{"help qconfi", `did you mean "qconfig"?`},
		{"help run nosuch", `"nosuch"`},
		{"help qconfig nosuch", `"nosuch"`},
		{"qconfig nosuch", `"nosuch"`},
		{"completion nosuch", `"nosuch"`},
		{"completion bahs", `did you mean "bash"?`},
		{"nosuch -h", `"nosuch"`},
		{"rnu x.hcl", `did you mean "run"?`},
		{"kernels x", `"kernels" is not a command`},
		{"version x", "want no arguments, got 1 argument"},
		{"show", "want one FILE or RUN, or dataset.NAME and a PIPELINE, got nothing"},
		{"show a b", "a pipeline, -png and -images are for data sets"},
		{"show a b c", "or dataset.NAME and a PIPELINE, got 3 arguments"},
		{"bench", "want one NET, got nothing"},
		{"bench a b", "want one NET, got 2 arguments"},
		{"eval", "want a MODEL and a PIPELINE"},
		{"eval a b c", "want a MODEL and a PIPELINE"},
		{"plan a b", "want one pipeline"},
		{"graph a b", "want one pipeline"},
		{"parts nosuch", `"nosuch"`},
		{"graph -format=pdf tiny.hcl", "-format"},
		{"run -out", "-out: the value is missing"},
		{"run -threads= tiny.hcl", "-threads"},
		{"run -resume= tiny.hcl", "-resume: the value is empty"},
	} {
		code, stdout, stderr := into(t, nil, nil, strings.Fields(c.args)...)
		if code != 2 || stdout != "" || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 2 || !strings.Contains(stderr, "--help`.\n") {
			t.Errorf("qpipe %s: exit code %d, %q, want %q", c.args, code, stderr, c.want)
		}
	}
	for _, verb := range []string{"validate", "run", "plan", "graph", "fmt", "show", "eval", "bench", "parts", "version", "help", "completion"} {
		for _, help := range []string{"-h", "-help", "--help"} {
			if code, stdout, stderr := into(t, nil, nil, verb, help); code != 0 || stdout == "" || stderr != "" {
				t.Errorf("qpipe %s %s: exit code %d, %q", verb, help, code, stderr)
			}
		}
		if code, _, stderr := into(t, nil, nil, verb, "-nosuch"); code != 2 || !strings.Contains(stderr, "unknown flag -nosuch") {
			t.Errorf("qpipe %s -nosuch: exit code %d, %q", verb, code, stderr)
		}
		if code, _, stderr := into(t, nil, nil, verb, ""); code != 2 || strings.Count(stderr, "\n") != 2 {
			t.Errorf(`qpipe %s "": exit code %d, %q`, verb, code, stderr)
		}
	}
	for _, args := range [][]string{
		{"run", "-out", "", "tiny.hcl"},
		{"run", "-stage", "", "tiny.hcl"},
		{"plan", "-out=", "tiny.hcl"},
		{"eval", "x", "-data", "", "tiny.hcl"},
		{"eval", "x", "-dump", "", "tiny.hcl"},
		{"bench", "-what", "", "lenet"},
		{"bench", "-batch", "", "lenet"},
		{"run", "-var", "", "tiny.hcl"},
		{"run", "-var-file", "", "tiny.hcl"},
		{"-chdir", "", "validate", "tiny.hcl"},
	} {
		if code, _, stderr := into(t, nil, nil, args...); code != 2 || !strings.Contains(stderr, "-") {
			t.Errorf("%q: exit code %d, %q", args, code, stderr)
		}
	}
	// A flag that is given twice: the last one counts.
	if code, _, stderr := into(t, nil, nil, "plan", "-out", "nosuch", "-out", "runs/tiny", "-detailed-exitcode", "tiny.hcl"); code != 0 {
		t.Errorf("-out twice: exit code %d, %s", code, stderr)
	}
	if code, _, stderr := into(t, nil, nil, "run", "-stage", "float", "-stage", "float", "tiny.hcl"); code != 0 {
		t.Errorf("-stage twice: exit code %d, %s", code, fmt.Sprint(stderr))
	}
}
