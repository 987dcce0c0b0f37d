package main

import (
	"strings"
	"unicode/utf8"
)

// screen is a terminal of any height: it shows what a person would see of the bytes that a program has written. It
// knows the control sequences that qpipe may use, and records unknown ones.
type screen struct {
	columns  int
	rows     []screenRow
	x, y     int
	hidden   bool // the cursor
	cut      bool // lines are not broken in the last column
	reflowed bool // the window was resized, and nothing was erased since
	strange  []string
	pending  []byte          // the beginning of a rune or of a control sequence
	observed func(s *screen) // sees the screen after every control character
}

// screenRow is a line of the screen.
type screenRow struct {
	cells   []rune
	wrapped bool // it continues in the next row, because the line was too long
}

func newScreen(columns int) *screen { return &screen{columns: columns, rows: make([]screenRow, 1)} }

func (r screenRow) String() string { return strings.TrimRight(string(r.cells), " ") }

// lines are the rows without empty ones at the end.
func (s *screen) lines() []string {
	var out []string
	for _, r := range s.rows {
		out = append(out, r.String())
	}
	for len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}

func (s *screen) String() string { return strings.Join(s.lines(), "\n") }

// Write draws.
func (s *screen) Write(p []byte) (int, error) {
	s.pending = append(s.pending, p...)
	for len(s.pending) > 0 {
		n := s.next(s.pending)
		if n == 0 {
			break
		}
		s.pending = s.pending[n:]
	}
	return len(p), nil
}

// next draws one character or control sequence and returns its length, 0 if it is incomplete.
func (s *screen) next(p []byte) int {
	switch {
	case p[0] == '\r':
		s.x = 0
		s.observe()
		return 1
	case p[0] == '\n':
		s.down()
		s.observe()
		return 1
	case p[0] == '\x1b':
		return s.escape(p)
	case p[0] < ' ':
		s.strange = append(s.strange, string(p[:1]))
		return 1
	}
	if !utf8.FullRune(p) {
		return 0
	}
	r, n := utf8.DecodeRune(p)
	s.put(r)
	return n
}

func (s *screen) observe() {
	if s.observed != nil {
		s.observed(s)
	}
}

// put draws a rune. In the last column the cursor stays until the next one comes.
func (s *screen) put(r rune) {
	if s.x == s.columns && s.cut {
		s.x--
	}
	if s.x == s.columns {
		s.rows[s.y].wrapped = true
		s.x = 0
		s.down()
	}
	line := &s.rows[s.y]
	for len(line.cells) <= s.x {
		line.cells = append(line.cells, ' ')
	}
	line.cells[s.x] = r
	s.x++
}

func (s *screen) down() {
	s.y++
	if s.y == len(s.rows) {
		s.rows = append(s.rows, screenRow{})
	}
}

// escape follows a control sequence: colours, and what erases or moves.
func (s *screen) escape(p []byte) int {
	if len(p) < 2 {
		return 0
	}
	if p[1] != '[' {
		s.strange = append(s.strange, string(p[:2]))
		return 2
	}
	end := 2
	for end < len(p) && (p[end] < 0x40 || p[end] > 0x7e) {
		end++
	}
	if end == len(p) {
		return 0
	}
	line := &s.rows[s.y]
	switch what := string(p[2 : end+1]); {
	case p[end] == 'm' || p[end] == '^': // ^ if a Ctrl-C has cut a sequence off, and was echoed
	case what == "J":
		line.cells, line.wrapped = line.cells[:min(s.x, len(line.cells))], false
		s.rows, s.reflowed = s.rows[:s.y+1], false
	case what == "K":
		line.cells = line.cells[:min(s.x, len(line.cells))]
	case what == "?7l", what == "?7h":
		s.cut = what == "?7l"
	case what == "?25l":
		s.hidden = true
	case what == "?25h":
		s.hidden = false
	default:
		s.strange = append(s.strange, what)
	}
	return end + 1
}

// resize makes the window wider or narrower. As in most terminals the line with the cursor is broken again, and the
// cursor stays on its character.
func (s *screen) resize(columns int) {
	line := s.rows[s.y].cells
	at := s.x
	s.columns, s.rows = columns, s.rows[:s.y]
	for {
		n := min(columns, len(line))
		s.rows = append(s.rows, screenRow{cells: append([]rune(nil), line[:n]...), wrapped: n < len(line)})
		if line = line[n:]; len(line) == 0 {
			break
		}
	}
	s.x, s.reflowed = at, true
	for s.x > columns {
		s.x, s.y = s.x-columns, s.y+1
	}
}
