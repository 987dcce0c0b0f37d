//go:build linux

package main

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
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
	again    string // besides its number, what repeats it
	skipped  string // why there is no trial
	failures []string
	story    strings.Builder
	mu       sync.Mutex // guards failures and story
}

// gaveUp ends a trial that cannot go on.
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

// skip says why a trial cannot be made here; it is not counted.
func (t *trial) skip(why string) { t.skipped = why }

// must ends the trial where the campaign itself cannot go on.
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

// clear removes the trial's folder, whatever was made unreadable in it.
func (t *trial) clear() {
	if os.RemoveAll(t.root) != nil {
		_ = exec.Command("chmod", "-R", "u+rwX", t.root).Run()
		_ = os.RemoveAll(t.root)
	}
}

// event is a line of `run -json`.
type event struct {
	Event string         `json:"event"`
	Stage string         `json:"stage"`
	Epoch int            `json:"epoch"`
	Step  int            `json:"step"`
	Data  map[string]any `json:"data"`
	// Diagnostics are those of the last line.
	Diagnostics []diagnostic `json:"diagnostics"`
	// Stages and Outputs are the numbers of the last line.
	Stages  []stageLine     `json:"stages"`
	Outputs json.RawMessage `json:"outputs"`
}

// stageLine is what the last line says of a stage.
type stageLine struct {
	Name    string             `json:"name"`
	Metrics map[string]float64 `json:"metrics"`
}

// diagnostic is a mistake or a warning.
type diagnostic struct {
	Code     string `json:"code"`
	Severity string `json:"severity"`
	Summary  string `json:"summary"`
	Detail   string `json:"detail"`
}

// call is one start of the program.
type call struct {
	args   []string
	sig    syscall.Signal    // to be sent
	at     func(event) bool  // at the first event that it likes
	after  time.Duration     // or after some time
	watch  func(event)       // sees every event as it comes
	began  func(*os.Process) // gets the process as soon as it runs
	strike *strike           // what happens to its system calls
	limit  time.Duration     // it hangs when it needs longer; 60 s where nothing is said
	shell  string            // a shell's commands before it, such as ulimit
	stdout *os.File          // instead of being read
	env    []string          // besides that of this process
	codes  []int             // exit codes besides 0 and 1 that are right
	binary string            // instead of the world's
	dir    string            // instead of the trial's folder
}

// result is how a start of the program ended.
type result struct {
	code     int // -1: killed by a signal
	sig      syscall.Signal
	out, err string
	events   []event
	hung     bool
	took     time.Duration
}

// text is all that was said.
func (r result) text() string { return r.out + r.err }

// numbers are those that a run has told at its end.
func (r result) numbers() string {
	for _, e := range r.events {
		if e.Event == "run_end" {
			text, _ := json.Marshal(e.Stages)
			return string(text) + string(e.Outputs)
		}
	}
	return ""
}

// said reports whether one of the texts was said.
func (r result) said(texts ...string) bool {
	return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(r.text(), s) })
}

// trace is what no user should see, whatever happens.
var trace = regexp.MustCompile(`(?m)^goroutine \d+|^panic: |^fatal error: |runtime error: |this is a bug in qpipe|QP900|WARNING: DATA RACE|\.go:\d+`)

// run starts `qpipe run` into the trial's run folder and lets it end.
func (t *trial) run(args ...string) result { return t.call(call{args: runArgs(args...)}) }

// runArgs is a run of the trial's pipeline with events as JSON.
func runArgs(args ...string) []string {
	return append(append([]string{"run", "-json", "-out", runDir}, args...), "p.hcl")
}

// call starts the program, waits for it, and checks what holds of every start.
func (t *trial) call(c call) result {
	t.tell("$ %s%s%s", c.shell, "qpipe ", strings.Join(c.args, " "))
	r := t.start(c)
	t.tell("%s%s# exit code %d %v, %s", tail(r.out), tail(r.err), r.code, r.sig, r.took.Round(time.Millisecond))
	t.common("qpipe "+strings.Join(c.args, " "), c, r)
	return r
}

// common checks what holds of every start of the program: it ends, with a code that is
// promised, and without a trace.
func (t *trial) common(line string, c call, r result) {
	switch {
	case r.hung:
		t.fail("%s: had not ended after %s", line, r.took.Round(time.Second))
	case r.code == -1 && c.strike == nil && c.sig == 0 && c.began == nil:
		t.fail("%s: killed by %v", line, r.sig)
	case r.code > 1 && !slices.Contains(c.codes, r.code):
		t.fail("%s: exit code %d: %s", line, r.code, r.message())
	}
	if found := trace.FindString(r.text()); found != "" && c.sig != syscall.SIGQUIT {
		t.fail("%s: shows %q: %s", line, found, r.message())
	}
}

func (t *trial) start(c call) result {
	limit := c.limit
	if limit == 0 {
		limit = time.Minute
	}
	binary := c.binary
	if binary == "" {
		binary = t.binary
	}
	argv := append([]string{binary}, c.args...)
	if c.shell != "" {
		argv = append([]string{"/bin/sh", "-c", c.shell + ` exec "$@"`, "sh"}, argv...)
	}
	dir := c.dir
	if dir == "" {
		dir = t.dir
	}
	out, outW, err := os.Pipe()
	t.must(err)
	errs, errsW, err := os.Pipe()
	t.must(err)
	stdout := outW
	if c.stdout != nil {
		stdout = c.stdout
	}
	attr := &os.ProcAttr{Dir: dir, Env: append(os.Environ(), append([]string{"NO_COLOR=1"}, c.env...)...), Files: []*os.File{nil, stdout, errsW}, Sys: &syscall.SysProcAttr{}}
	began := time.Now()
	var r result
	var read sync.WaitGroup
	running := func(p *os.Process) (stop func() bool) {
		_, _ = outW.Close(), errsW.Close()
		read.Go(func() { r.err = drain(errs, nil) })
		read.Go(func() {
			sent := false
			r.out = drain(out, func(e event) {
				r.events = append(r.events, e)
				if c.watch != nil {
					c.watch(e)
				}
				if c.at != nil && !sent && c.at(e) {
					sent = true
					_ = syscall.Kill(p.Pid, c.sig)
				}
			})
		})
		if c.began != nil {
			c.began(p)
		}
		if c.sig != 0 && c.at == nil {
			time.AfterFunc(c.after, func() { _ = p.Signal(c.sig) })
		}
		hang := time.AfterFunc(limit, func() {
			r.hung = true
			_ = syscall.Kill(p.Pid, syscall.SIGKILL)
		})
		return hang.Stop
	}
	var ws syscall.WaitStatus
	if c.strike != nil {
		ws, err = c.strike.run(t.dir, argv, attr, running)
	} else {
		ws, err = plain(argv, attr, running)
	}
	t.must(err)
	read.Wait()
	r.took = time.Since(began)
	r.code = ws.ExitStatus()
	if ws.Signaled() {
		r.code, r.sig = -1, ws.Signal()
	}
	if c.strike != nil {
		t.tell("# %s", c.strike)
	}
	return r
}

// plain starts a program and waits for it.
func plain(argv []string, attr *os.ProcAttr, running func(*os.Process) func() bool) (syscall.WaitStatus, error) {
	p, err := os.StartProcess(argv[0], argv, attr)
	if err != nil {
		return 0, err
	}
	stop := running(p)
	state, err := p.Wait()
	stop()
	if err != nil {
		return 0, err
	}
	return state.Sys().(syscall.WaitStatus), nil
}

// drain reads to the end; lines that are events are shown as they come. What is left
// unread because the pipe was inherited by nobody ends with the process.
func drain(f *os.File, see func(event)) string {
	defer func() { _ = f.Close() }()
	var all bytes.Buffer
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadBytes('\n')
		if all.Len() < 1<<20 {
			all.Write(line)
		}
		var e event
		if see != nil && json.Unmarshal(line, &e) == nil && e.Event != "" {
			see(e)
		}
		if err == io.EOF || err != nil {
			return all.String()
		}
	}
}

// tail is the end of what a program said, for the story.
func tail(s string) string {
	if len(s) > 6000 {
		s = "…" + s[len(s)-6000:]
	}
	return s
}

// message is the first error that a program has told.
func (r result) message() string {
	for _, e := range r.events {
		for _, d := range e.Diagnostics {
			if d.Severity == "error" {
				return fmt.Sprintf("%s %s: %s", d.Code, d.Summary, d.Detail)
			}
		}
	}
	for line := range strings.Lines(r.err) {
		if strings.HasPrefix(line, "Error") || strings.HasPrefix(line, "panic") || strings.HasPrefix(line, "fatal") {
			return strings.TrimSpace(line)
		}
	}
	line, _, _ := strings.Cut(r.err, "\n")
	return line
}

// ended reads how a run ended that a script has started, and checks what holds of all.
func (t *trial) ended(name string) result {
	var r result
	read := func(ext string) string {
		data, err := os.ReadFile(t.path(name + ext))
		t.must(err)
		return string(data)
	}
	r.out, r.err = read(".out"), read(".err")
	_, err := fmt.Sscan(read(".code"), &r.code)
	t.must(err)
	for line := range strings.Lines(r.out) {
		var e event
		if json.Unmarshal([]byte(line), &e) == nil {
			r.events = append(r.events, e)
		}
	}
	t.tell("# %s: %s%s# exit code %d", name, tail(r.out), tail(r.err), r.code)
	t.common(name, call{}, r)
	return r
}
