package console

import "io"

// Painter colours text, or leaves it alone.
type Painter bool

func (p Painter) sgr(code, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p Painter) Bold(s string) string   { return p.sgr("1", s) }
func (p Painter) Dim(s string) string    { return p.sgr("2", s) }
func (p Painter) Red(s string) string    { return p.sgr("1;31", s) }
func (p Painter) Green(s string) string  { return p.sgr("32", s) }
func (p Painter) yellow(s string) string { return p.sgr("33", s) }

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
