package console

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"qpipe/interp/event"
)

// Display shows a run while it is working. Its methods may be called from several goroutines.
type Display interface {
	Event(e event.Event)
	Line(text string) // a line between two events
	Close()
}

// New returns the display that suits an output: JSON lines, a bar, or plain lines.
func New(out *Stream, err io.Writer, paint Painter, asJSON bool) Display {
	n := newNarrator(paint)
	switch {
	case asJSON:
		return NewJSONLines(out.Raw(), err)
	case IsTerminal(out) && !out.screen.dumb:
		out.screen.colour = bool(paint)
		return newBars(out, n)
	default:
		return &plainLines{out: out, err: err, narrator: n}
	}
}

// plainLines prints a line for each important event.
type plainLines struct {
	mu       sync.Mutex
	out, err io.Writer
	narrator *narrator
}

func (p *plainLines) Event(e event.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if line := p.narrator.line(e); line != "" {
		fmt.Fprintln(p.out, line)
	}
}

func (p *plainLines) Line(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.err, text)
}

func (p *plainLines) Close() {}

// JSONLines prints every event as JSON, with the time of day.
type JSONLines struct {
	mu  sync.Mutex
	enc *json.Encoder
	err io.Writer
}

// NewJSONLines prints to out; errors go to err.
func NewJSONLines(out, err io.Writer) *JSONLines {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return &JSONLines{enc: enc, err: err}
}

// Event implements Display.
func (j *JSONLines) Event(e event.Event) { j.Write(e.Line(Now())) }

// Write prints a line of its own.
func (j *JSONLines) Write(v any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	_ = j.enc.Encode(v) // the stream remembers a failed write
}

// Line implements Display.
func (j *JSONLines) Line(text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	fmt.Fprintln(j.err, text)
}

// Close implements Display.
func (j *JSONLines) Close() {}

// Now is the time of day in the format of the lines.
func Now() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z") }
