package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// commands are the commands for scripts and for exec.Command: the program itself, and those that tests add.
var commands = map[string]func(){"qpipe": main}

// TestMain makes the commands.
func TestMain(m *testing.M) { testscript.Main(tests{m}, commands) }

// tests are those of this package.
type tests struct{ *testing.M }

// Run runs them with garbage collections only where there are 256 MiB to collect: they make thousands of small networks, and a
// third of their time was spent on it. The programs that they start collect as usual.
func (m tests) Run() int {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(256 << 20)
	return m.M.Run()
}

// environ is the environment for the program inside of a test: GOGC keeps it from collecting in its own way.
func environ() []string { return append(os.Environ(), "GOGC=off") }

// TestScripts runs testdata/script/*.txtar: black boxes that see arguments,
// streams, files and exit codes. $PIPELINES is the folder of the pipelines,
// $TESTDATA the one beside this file, $SHARED that of the shared data.
func TestScripts(t *testing.T) {
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PIPELINES", filepath.Join(root, "pipelines"))
			e.Setenv("TESTDATA", filepath.Join(root, "testdata"))
			e.Setenv("SHARED", sharedFolder(root))
			e.Setenv("NO_COLOR", "1")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":   exits,
			"damage":  damage,
			"cut":     cut,
			"pytorch": pytorch, "torchvision": torchvision,
		},
	})
}

// exits runs a command that must end with the given code: exits 2 qpipe run.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var status *exec.ExitError
		if !errors.As(err, &status) {
			ts.Fatalf("%v", err)
		}
		got = status.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// damage changes a byte in the middle of a file.
func damage(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		path := ts.MkAbs(name)
		b, err := os.ReadFile(path)
		ts.Check(err)
		b[len(b)/2] ^= 0x40
		ts.Check(os.WriteFile(path, b, 0o644))
	}
}

// cut removes the second half of a file.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		path := ts.MkAbs(name)
		info, err := os.Stat(path)
		ts.Check(err)
		ts.Check(os.Truncate(path, info.Size()/2))
	}
}

// sharedFolder is where the shared data lies, if it does.
func sharedFolder(root string) string {
	if dir := os.Getenv("QPIPE_SHARED"); dir != "" {
		return dir
	}
	return filepath.Join(root, "..", "shared")
}
