// Package console is what the verbs print on: two streams of one terminal, bars below their lines, tables, colours, and
// sentences for a run's events. It makes no decisions and never ends the program.
package console

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/term"
)

// Stream is the output or the error stream. All output of the program goes through one of the two. So every failed
// write is noticed, no line is broken within a word on a terminal, and a bar is erased before anything else is written.
type Stream struct {
	to      io.Writer
	screen  *screen
	columns func() int // returns the terminal's width; nil if it is not a terminal
	rest    []byte     // the beginning of a line, on a terminal
	err     error      // of the first write that failed; nothing is written after it
}

// screen is what the two streams share: the terminal, and the bar at its bottom.
type screen struct {
	mu     sync.Mutex
	dumb   bool // it does not understand control sequences
	colour bool
	live   bool                     // there may be a bar, or an echoed key, where a line is to be printed
	bar    func(columns int) string // the present bar, nil for none
	below  *Stream                  // where it is shown
	closed bool                     // anything further comes too late
}

// NewStreams returns the two streams for what the process, or a test, writes to.
func NewStreams(out, err io.Writer, dumb bool) (*Stream, *Stream) {
	s := &screen{dumb: dumb}
	return &Stream{to: out, screen: s, columns: columnsOf(out)}, &Stream{to: err, screen: s, columns: columnsOf(err)}
}

// columnsOf returns the function that finds out a terminal's width, nil if it is not a terminal. It is called at every
// use, because windows change.
func columnsOf(w io.Writer) func() int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return func() int {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
		return 80
	}
}

// Write prints whole lines at once. On a terminal they are broken between words and printed above the bar; an
// incomplete line waits for its end.
func (s *Stream) Write(p []byte) (int, error) {
	s.screen.mu.Lock()
	defer s.screen.mu.Unlock()
	return s.write(p)
}

// Last prints the last line, in the place of the bar, and stops goroutines that are still working from writing.
func (s *Stream) Last(line string) {
	s.screen.mu.Lock()
	defer s.screen.mu.Unlock()
	s.screen.bar, s.screen.live = nil, !s.screen.dumb
	_, _ = s.write([]byte(line + "\n")) // s.err remembers
	s.screen.closed = true
}

func (s *Stream) write(p []byte) (int, error) {
	if s.columns == nil {
		return len(p), s.put(p)
	}
	s.rest = append(s.rest, p...)
	end := bytes.LastIndexByte(s.rest, '\n') + 1
	if end == 0 {
		return len(p), s.err
	}
	text := s.rest[:end]
	s.rest = bytes.Clone(s.rest[end:])
	return len(p), s.lines(string(text))
}

// lines prints whole lines on a terminal, in the place of the bar, and then the bar below.
func (s *Stream) lines(text string) error {
	columns := s.columns()
	var out []string
	for line := range strings.Lines(text) {
		out = append(out, broken(strings.TrimSuffix(line, "\n"), columns)...)
	}
	if !s.screen.live {
		return s.put([]byte(strings.Join(out, "\n") + "\n"))
	}
	// The terminal may echo a key between two lines, so each one starts at the left.
	return s.screen.above(s, strings.Join(out, "\n\r")+"\n\r")
}

// Raw is a writer for text that programs read: its lines are not changed.
func (s *Stream) Raw() io.Writer { return rawStream{s} }

type rawStream struct{ *Stream }

func (r rawStream) Write(p []byte) (int, error) {
	r.screen.mu.Lock()
	defer r.screen.mu.Unlock()
	return len(p), r.put(p)
}

// put writes, unless an earlier write has failed.
func (s *Stream) put(p []byte) error {
	if s.err != nil || s.screen.closed || len(p) == 0 {
		return s.err
	}
	n, err := s.to.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		s.err = &WriteError{err}
	}
	return s.err
}

// Flush prints an incomplete line.
func (s *Stream) Flush() {
	s.screen.mu.Lock()
	defer s.screen.mu.Unlock()
	if rest := s.rest; len(rest) > 0 {
		s.rest = nil
		_ = s.lines(string(rest) + "\n") // s.err remembers
	}
}

// Failed returns the error of the first failed write, nil for none.
func (s *Stream) Failed() error {
	s.screen.mu.Lock()
	defer s.screen.mu.Unlock()
	return s.err
}

// WriteError is a failed write to a stream. It is reported once, at the end.
type WriteError struct{ cause error }

func (e *WriteError) Error() string {
	var path *fs.PathError
	if errors.As(e.cause, &path) {
		return path.Err.Error()
	}
	return e.cause.Error()
}

func (e *WriteError) Unwrap() error { return e.cause }

// Gone reports whether the reader of a stream has closed it.
func Gone(err error) bool { return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) }

// The bar is drawn from the left, and the cursor returns there. So a key that the terminal echoes, such as ^C, appears
// in the bar and is erased with it; and when the window becomes narrower, the bar is broken below the cursor, where
// everything is erased. If the window becomes narrower while the bar is being drawn, the bar is cut, because it is
// drawn without breaks. When Ctrl-C is pressed the terminal discards what it has not shown yet, at any byte: so every
// line first removes what may be left of the previous bar.
const (
	home      = "\r"
	erase     = "\x1b[J" // from the cursor to the end of the screen
	breaks    = "\x1b[?7h"
	noBreaks  = "\x1b[?7l"
	noColours = "\x1b[m"
)

// clear is the sequence that removes the bar and anything that a key has left on its line.
func (s *screen) clear() string {
	if s.colour {
		return breaks + noColours + home + erase
	}
	return breaks + home + erase
}

// above prints lines in the place of the bar, and then the bar again.
func (s *screen) above(to *Stream, lines string) error {
	if s.below == nil || to == s.below {
		return to.put([]byte(s.clear() + lines + s.drawn()))
	}
	_ = s.below.put([]byte(s.clear())) // below.err remembers
	err := to.put([]byte(lines))
	_ = s.below.put([]byte(s.drawn()))
	return err
}

// drawn is the bar as it is drawn now. The last column stays empty, because there the cursor would be on text that is
// erased.
func (s *screen) drawn() string {
	if s.bar == nil || s.below == nil {
		return ""
	}
	return noBreaks + s.bar(s.below.columns()-1) + breaks + erase + home
}

// show draws a bar, in the place of the previous one.
func (s *screen) show(bar func(columns int) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.below != nil {
		s.bar = bar
		s.redraw()
	}
}

// redraw draws the bar again: its numbers or the window's width may have changed, or a key may have left something. It
// overwrites and erases the rest, so that nothing flickers.
func (s *screen) redraw() {
	if s.bar != nil {
		_ = s.below.put([]byte(home + s.drawn()))
	}
}

// hide removes the bar.
func (s *screen) hide() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar != nil {
		s.bar = nil
		_ = s.below.put([]byte(s.clear()))
	}
}

// liven says that there will be bars on a stream: every line then erases what is in its place.
func (s *screen) liven(below *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dumb {
		s.live, s.below = true, below
	}
}

// Enliven says that there will be bars below the stream's lines.
func (s *Stream) Enliven() { s.screen.liven(s) }

// ShowBar draws a bar below the lines, in the place of the previous one.
func (s *Stream) ShowBar(bar func(columns int) string) { s.screen.show(bar) }

// HideBar removes the bar.
func (s *Stream) HideBar() { s.screen.hide() }
