//go:build linux

// Package program starts the tested program and reads its output. It does not judge the output.
package program

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"qpipe/tools/chaos/strike"
)

// Event is a line of `run -json`.
type Event struct {
	Event string         `json:"event"`
	Stage string         `json:"stage"`
	Epoch int            `json:"epoch"`
	Step  int            `json:"step"`
	Data  map[string]any `json:"data"`
	// Diagnostics are the diagnostics of the last line.
	Diagnostics []Diagnostic `json:"diagnostics"`
	// Stages and Outputs are the numbers of the last line.
	Stages  []StageLine     `json:"stages"`
	Outputs json.RawMessage `json:"outputs"`
}

// StageLine is what the last line says about a stage.
type StageLine struct {
	Name    string             `json:"name"`
	Metrics map[string]float64 `json:"metrics"`
}

// Diagnostic is a mistake or a warning.
type Diagnostic struct {
	Code     string `json:"code"`
	Severity string `json:"severity"`
	Summary  string `json:"summary"`
	Detail   string `json:"detail"`
}

// Call is one start of the program.
type Call struct {
	Args   []string
	Sig    syscall.Signal    // to be sent
	At     func(Event) bool  // at the first event that it accepts
	After  time.Duration     // or after some time
	Watch  func(Event)       // is called with every event
	Began  func(*os.Process) // gets the process as soon as it runs
	Strike *strike.Strike    // what is done to its system calls
	Limit  time.Duration     // it hangs if it needs longer; 60 s by default
	Shell  string            // a shell's commands before it, such as ulimit
	Stdout *os.File          // instead of being read
	Env    []string          // in addition to that of this process
	Codes  []int             // allowed exit codes besides 0 and 1
	Binary string            // the program
	Dir    string            // where it runs
	Root   string            // system calls that touch this folder are struck
}

// Result is how a start of the program ended.
type Result struct {
	Code     int // -1: killed by a signal
	Sig      syscall.Signal
	Out, Err string
	Events   []Event
	Hung     bool
	Took     time.Duration
}

// Text is the whole output.
func (r Result) Text() string { return r.Out + r.Err }

// Numbers are the numbers that a run has reported at its end.
func (r Result) Numbers() string {
	for _, e := range r.Events {
		if e.Event == "run_end" {
			text, _ := json.Marshal(e.Stages)
			return string(text) + string(e.Outputs)
		}
	}
	return ""
}

// Said reports whether the output has one of the texts.
func (r Result) Said(texts ...string) bool {
	return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(r.Text(), s) })
}

// Start starts the program and waits for it. The error is the campaign's own.
func (c Call) Start() (Result, error) {
	l := &listener{Call: c}
	attr, err := l.open()
	if err != nil {
		return Result{}, err
	}
	argv := append([]string{c.Binary}, c.Args...)
	if c.Shell != "" {
		argv = append([]string{"/bin/sh", "-c", c.Shell + ` exec "$@"`, "sh"}, argv...)
	}
	began := time.Now()
	var ws syscall.WaitStatus
	if c.Strike != nil {
		ws, err = c.Strike.Run(c.Root, argv, attr, l.running)
	} else {
		ws, err = plain(argv, attr, l.running)
	}
	if err != nil {
		return Result{}, err
	}
	l.read.Wait()
	r := l.heard
	r.Took = time.Since(began)
	r.Code = ws.ExitStatus()
	if ws.Signaled() {
		r.Code, r.Sig = -1, ws.Signal()
	}
	return r, nil
}

// listener reads a program's output while it runs, and sends it the call's signal.
type listener struct {
	Call
	heard                      Result
	read                       sync.WaitGroup
	out, outEnd, errs, errsEnd *os.File // the pipes, and the program's ends of them
}

// open makes the pipes, and says how the program is started with them.
func (l *listener) open() (attr *os.ProcAttr, err error) {
	if l.out, l.outEnd, err = os.Pipe(); err != nil {
		return nil, err
	}
	if l.errs, l.errsEnd, err = os.Pipe(); err != nil {
		return nil, err
	}
	stdout := l.outEnd
	if l.Stdout != nil {
		stdout = l.Stdout
	}
	env := append(append(os.Environ(), "NO_COLOR=1"), l.Env...)
	return &os.ProcAttr{Dir: l.Dir, Env: env, Files: []*os.File{nil, stdout, l.errsEnd}, Sys: &syscall.SysProcAttr{}}, nil
}

// running starts to listen to a program. It returns a function that stops the timer which kills a hanging program.
func (l *listener) running(p *os.Process) (stop func() bool) {
	_, _ = l.outEnd.Close(), l.errsEnd.Close()
	l.read.Go(func() { l.heard.Err = drain(l.errs, nil) })
	l.read.Go(func() { l.heard.Out = drain(l.out, l.hear(p)) })
	if l.Began != nil {
		l.Began(p)
	}
	if l.Sig != 0 && l.At == nil {
		time.AfterFunc(l.After, func() { _ = p.Signal(l.Sig) })
	}
	hang := time.AfterFunc(cmp.Or(l.Limit, time.Minute), func() {
		l.heard.Hung = true
		_ = syscall.Kill(p.Pid, syscall.SIGKILL)
	})
	return hang.Stop
}

// hear returns a function that records events, and sends the signal at the first one that the call accepts.
func (l *listener) hear(p *os.Process) func(Event) {
	sent := false
	return func(e Event) {
		l.heard.Events = append(l.heard.Events, e)
		if l.Watch != nil {
			l.Watch(e)
		}
		if l.At != nil && !sent && l.At(e) {
			sent = true
			_ = syscall.Kill(p.Pid, l.Sig)
		}
	}
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

// drain reads to the end, and reports lines that are events as they come. The pipe closes when the process ends,
// because no other process inherits it.
func drain(f *os.File, see func(Event)) string {
	defer func() { _ = f.Close() }()
	var all bytes.Buffer
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadBytes('\n')
		if all.Len() < 1<<20 {
			all.Write(line)
		}
		var e Event
		if see != nil && json.Unmarshal(line, &e) == nil && e.Event != "" {
			see(e)
		}
		if err == io.EOF || err != nil {
			return all.String()
		}
	}
}

// Message is the first error that a program has reported.
func (r Result) Message() string {
	for _, e := range r.Events {
		for _, d := range e.Diagnostics {
			if d.Severity == "error" {
				return fmt.Sprintf("%s %s: %s", d.Code, d.Summary, d.Detail)
			}
		}
	}
	for line := range strings.Lines(r.Err) {
		if strings.HasPrefix(line, "Error") || strings.HasPrefix(line, "panic") || strings.HasPrefix(line, "fatal") {
			return strings.TrimSpace(line)
		}
	}
	line, _, _ := strings.Cut(r.Err, "\n")
	return line
}
