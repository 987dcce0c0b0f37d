package console

import (
	"strings"

	"qpipe/lang/diag"
)

// broken breaks a line into lines of at most so many columns, between words. It prefers places where two spaces
// separate columns. The further lines are indented by two more columns than the first. A word that is longer than a
// line gets a line of its own.
func broken(line string, columns int) []string {
	line = strings.TrimRight(line, " ")
	if cells(line) <= columns {
		return []string{line}
	}
	own := len(line) - len(strings.TrimLeft(line, " "))
	hang := own + 2
	if hang > columns/2 {
		hang = min(2, columns/4)
	}
	f := filler{columns: columns, hang: strings.Repeat(" ", hang)}
	for _, group := range parted(line, 2) {
		switch {
		case f.fits(group):
			f.add(group)
		case hang+cells(group.text) <= columns:
			f.next()
			f.add(group)
		default:
			gap := group.gap
			for _, w := range parted(group.text, 1) {
				if w.gap = max(w.gap, gap); f.begun && !f.fits(w) {
					f.next()
				}
				f.add(w)
				gap = 0
			}
		}
	}
	return append(f.lines, f.line)
}

// piece is a part of a line with the number of spaces before it.
type piece struct {
	gap  int
	text string
}

// parted splits a text at runs of at least so many spaces.
func parted(text string, spaces int) []piece {
	var out []piece
	p := piece{}
	for len(text) > 0 {
		n := len(text) - len(strings.TrimLeft(text, " "))
		if n >= spaces || p.text == "" {
			if p.text != "" {
				out = append(out, p)
			}
			p = piece{gap: n}
		} else {
			p.text += text[:n]
		}
		text = text[n:]
		end := strings.IndexByte(text, ' ')
		if end < 0 {
			end = len(text)
		}
		p.text, text = p.text+text[:end], text[end:]
	}
	return append(out, p)
}

// filler fills lines.
type filler struct {
	columns int
	hang    string
	lines   []string
	line    string
	used    int
	begun   bool // the line has a word
	hangs   bool // it is not the first
}

func (f *filler) fits(p piece) bool {
	return f.used+p.gap+cells(p.text) <= f.columns
}

func (f *filler) add(p piece) {
	if !f.begun && f.hangs {
		p.gap = 0 // the indent replaces it
	}
	f.line += strings.Repeat(" ", p.gap) + p.text
	f.used += p.gap + cells(p.text)
	f.begun = true
}

func (f *filler) next() {
	if f.begun {
		f.lines = append(f.lines, f.line)
	}
	f.line, f.used, f.begun, f.hangs = f.hang, len(f.hang), false, true
}

// cells is the number of columns of a text; colours take none.
func cells(s string) int {
	n := 0
	for {
		i := strings.IndexByte(s, '\x1b')
		if i < 0 {
			return n + diag.Columns(s)
		}
		n += diag.Columns(s[:i])
		end := strings.IndexByte(s[i:], 'm')
		if end < 0 {
			return n
		}
		s = s[i+end+1:]
	}
}

// Clipped cuts a text without colours after so many columns.
func Clipped(s string, columns int) string {
	if cells(s) <= columns {
		return s
	}
	used := 0
	for i, r := range s {
		if used += diag.Columns(string(r)); used > columns-1 {
			if columns < 1 {
				return s[:i]
			}
			return s[:i] + "…"
		}
	}
	return s
}
