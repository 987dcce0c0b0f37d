package cli

import "io"

// painter colours text, or leaves it alone.
type painter bool

func (p painter) sgr(code, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p painter) bold(s string) string   { return p.sgr("1", s) }
func (p painter) dim(s string) string    { return p.sgr("2", s) }
func (p painter) red(s string) string    { return p.sgr("1;31", s) }
func (p painter) green(s string) string  { return p.sgr("32", s) }
func (p painter) yellow(s string) string { return p.sgr("33", s) }

func isTerminal(w io.Writer) bool {
	s, ok := w.(*stream)
	return ok && s.columns != nil
}

// width is the number of columns of a stream: the terminal's, else 100.
func width(w io.Writer) int {
	if s, ok := w.(*stream); ok && s.columns != nil {
		return s.columns()
	}
	return 100
}
