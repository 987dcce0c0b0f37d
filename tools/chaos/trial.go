//go:build linux

package main

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"qpipe/tools/chaos/program"
)

// glyphs is the pipeline of nearly all trials: it needs no data.
//
//go:embed testdata/pipeline.hcl
var glyphs string

// runDir is the run's folder in a trial's folder.
const runDir = "run"

// trial is one attempt to break a promise, in a folder of its own.
type trial struct {
	*world
	campaign *campaign
	n        int
	root     string // the folder that is made and removed
	dir      string // where the program runs: the root, or a folder in it
	r        *rand.Rand
	title    string // what was drawn
	again    string // further options that repeat it
	skipped  string // why the trial is skipped
	failures []string
	story    strings.Builder
	mu       sync.Mutex // guards failures and story
}

// gaveUp ends a trial that cannot continue.
type gaveUp struct{}

func (t *trial) fail(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures = append(t.failures, fmt.Sprintf(format, args...))
	fmt.Fprintf(&t.story, "!! "+format+"\n", args...)
}

func (t *trial) tell(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(&t.story, format+"\n", args...)
}

// skip ends a trial that cannot be done on this machine; it is not counted.
func (t *trial) skip(why string) { t.skipped = why }

// must ends the trial if the campaign itself cannot continue.
func (t *trial) must(err error) {
	if err != nil {
		t.fail("the campaign itself has failed: %v", err)
		panic(gaveUp{})
	}
}

// path is a place in the trial's folder.
func (t *trial) path(elem ...string) string {
	return filepath.Join(append([]string{t.dir}, elem...)...)
}

func (t *trial) write(name, text string) {
	t.must(os.MkdirAll(filepath.Dir(t.path(name)), 0o755))
	t.must(os.WriteFile(t.path(name), []byte(text), 0o644))
}

// clear removes the trial's folder, even if parts were made unreadable.
func (t *trial) clear() {
	if os.RemoveAll(t.root) != nil {
		_ = exec.Command("chmod", "-R", "u+rwX", t.root).Run()
		_ = os.RemoveAll(t.root)
	}
}

// trace matches output that no user should ever see.
var trace = regexp.MustCompile(`(?m)^goroutine \d+|^panic: |^fatal error: |runtime error: |this is a bug in qpipe|QP900|WARNING: DATA RACE|\.go:\d+`)

// run starts `qpipe run` into the trial's run folder and lets it end.
func (t *trial) run(args ...string) program.Result {
	return t.call(program.Call{Args: runArgs(args...)})
}

// runArgs is a run of the trial's pipeline with events as JSON.
func runArgs(args ...string) []string {
	return append(append([]string{"run", "-json", "-out", runDir}, args...), "p.hcl")
}

// call starts the program, waits for it, and checks what must be true of every start.
func (t *trial) call(c program.Call) program.Result {
	t.tell("$ %s%s%s", c.Shell, "qpipe ", strings.Join(c.Args, " "))
	c.Binary, c.Dir, c.Root = cmp.Or(c.Binary, t.binary), cmp.Or(c.Dir, t.dir), t.dir
	r, err := c.Start()
	t.must(err)
	if c.Strike != nil {
		t.tell("# %s", c.Strike)
	}
	t.tell("%s%s# exit code %d %v, %s", tail(r.Out), tail(r.Err), r.Code, r.Sig, r.Took.Round(time.Millisecond))
	t.common("qpipe "+strings.Join(c.Args, " "), c, r)
	return r
}

// common checks what must be true of every start of the program: it ends, with an allowed exit code, and without a
// trace.
func (t *trial) common(line string, c program.Call, r program.Result) {
	switch {
	case r.Hung:
		t.fail("%s: had not ended after %s", line, r.Took.Round(time.Second))
	case r.Code == -1 && c.Strike == nil && c.Sig == 0 && c.Began == nil:
		t.fail("%s: killed by %v", line, r.Sig)
	case r.Code > 1 && !slices.Contains(c.Codes, r.Code):
		t.fail("%s: exit code %d: %s", line, r.Code, r.Message())
	}
	if found := trace.FindString(r.Text()); found != "" && c.Sig != syscall.SIGQUIT {
		t.fail("%s: shows %q: %s", line, found, r.Message())
	}
}

// tail is the end of a program's output, for the story.
func tail(s string) string {
	if len(s) > 6000 {
		s = "…" + s[len(s)-6000:]
	}
	return s
}

// ended reads how a run that a script started has ended, and checks what must be true of every start.
func (t *trial) ended(name string) program.Result {
	var r program.Result
	read := func(ext string) string {
		data, err := os.ReadFile(t.path(name + ext))
		t.must(err)
		return string(data)
	}
	r.Out, r.Err = read(".out"), read(".err")
	_, err := fmt.Sscan(read(".code"), &r.Code)
	t.must(err)
	for line := range strings.Lines(r.Out) {
		var e program.Event
		if json.Unmarshal([]byte(line), &e) == nil {
			r.Events = append(r.Events, e)
		}
	}
	t.tell("# %s: %s%s# exit code %d", name, tail(r.Out), tail(r.Err), r.Code)
	t.common(name, program.Call{}, r)
	return r
}
