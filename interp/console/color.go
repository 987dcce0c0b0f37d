package console

import "io"

// Painter colours text, or leaves it unchanged.
type Painter bool

func (p Painter) sgr(code, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// Bold is for headings.
func (p Painter) Bold(s string) string { return p.sgr("1", s) }

// Dim is for less important text.
func (p Painter) Dim(s string) string { return p.sgr("2", s) }

// Red is for errors.
func (p Painter) Red(s string) string { return p.sgr("1;31", s) }

// Green is for success.
func (p Painter) Green(s string) string { return p.sgr("32", s) }

func (p Painter) yellow(s string) string { return p.sgr("33", s) }

// IsTerminal reports whether a stream is a terminal.
func IsTerminal(w io.Writer) bool {
	s, ok := w.(*Stream)
	return ok && s.columns != nil
}

// Width is the number of columns of a stream: the terminal's, else 100.
func Width(w io.Writer) int {
	if s, ok := w.(*Stream); ok && s.columns != nil {
		return s.columns()
	}
	return 100
}
