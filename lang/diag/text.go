package diag

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sources returns the text of a file by the name that ranges use, or nil.
type Sources func(file string) []byte

// Style says how text is printed. The zero value is plain text, not wrapped.
type Style struct {
	Color bool
	Width int // wrap summaries and details at this many columns; 0: never
	Lines int // show at most this many columns of a line of source, with its number; 0: 200
}

// WriteText prints the list for people: each diagnostic with its place, the
// lines it is about with the mistake underlined, and the way out. An empty line
// separates two. Of a long list the first [Most] are printed, and how many
// there are beyond.
func WriteText(w io.Writer, list List, src Sources, style Style) error {
	p := printer{src: src, style: style}
	shown, rest := list.Shown()
	for i, d := range shown {
		if i > 0 {
			p.buf.WriteByte('\n')
		}
		p.diagnostic(d)
	}
	if line := rest.line(); line != "" {
		p.line("", "\n"+line)
	}
	_, err := w.Write(p.buf.Bytes())
	return err
}

// line is the last line of a list that is not shown completely.
func (r Rest) line() string {
	var parts []string
	for _, c := range []struct {
		n    int
		word string
	}{{r.Errors, "error"}, {r.Warnings, "warning"}} {
		switch {
		case c.n == 1:
			parts = append(parts, "1 more "+c.word)
		case c.n > 1:
			parts = append(parts, fmt.Sprintf("%d more %ss", c.n, c.word))
		}
	}
	switch {
	case len(parts) == 0 && !r.AtLeast:
		return ""
	case len(parts) == 0:
		return "There may be more: the check stopped here."
	case r.AtLeast:
		return "and at least " + strings.Join(parts, " and ")
	}
	return "and " + strings.Join(parts, " and ")
}

type printer struct {
	buf   bytes.Buffer
	src   Sources
	style Style
}

// The colours, as SGR codes.
const (
	bold   = "1"
	red    = "1;31"
	yellow = "1;33"
	dim    = "2"
)

func (p *printer) paint(sgr, s string) string {
	if !p.style.Color || s == "" {
		return s
	}
	return "\x1b[" + sgr + "m" + s + "\x1b[0m"
}

func (p *printer) diagnostic(d *Diagnostic) {
	word, tint := "Error", red
	if d.Severity == Warning {
		word, tint = "Warning", yellow
	}
	head := word
	if d.Code != "" {
		head += " " + string(d.Code)
	}
	for i, line := range wrap(strings.Repeat("_", columns(head)+2)+cut(d.Summary), p.style.Width) {
		if i == 0 {
			line = line[min(columns(head)+2, len(line)):]
			p.line("", p.paint(tint, head+":")+p.paint(bold, " "+line))
			continue
		}
		p.line("  ", p.paint(bold, line))
	}
	p.place(d.Subject, d.Address)
	p.snippet(d.Subject, d.Context, tint)
	p.coordinates(d)
	for _, line := range wrap(cut(d.Detail), p.style.Width-2) {
		p.line("  ", line)
	}
	for _, r := range d.Related {
		p.line("  ", p.paint(bold, "note:")+" "+printable(r.Message))
		p.place(r.Range, "")
		p.snippet(r.Range, Range{}, dim)
	}
}

func (p *printer) line(indent, text string) {
	if text != "" {
		p.buf.WriteString(indent)
	}
	p.buf.WriteString(text)
	p.buf.WriteByte('\n')
}

func (p *printer) place(r Range, address string) {
	in := cut(Where(cut(address)))
	switch {
	case r.Empty() && in == "":
	case r.Empty():
		p.line("  ", "in "+printable(in))
	case in == "":
		p.line("  ", fmt.Sprintf("%s:%d:%d", printable(r.File), r.Start.Line, r.Start.Column))
	default:
		p.line("  ", fmt.Sprintf("%s:%d:%d, in %s", printable(r.File), r.Start.Line, r.Start.Column, printable(in)))
	}
}

func (p *printer) coordinates(d *Diagnostic) {
	for _, c := range []struct{ name, text string }{{"module", d.Module}, {"time", d.Time}} {
		if c.text != "" {
			p.line("  ", fmt.Sprintf("%-7s %s", c.name, printable(c.text)))
		}
	}
	switch {
	case d.Kept != "" && d.Next != "":
		p.line("  ", fmt.Sprintf("%-7s %s      next: %s", "kept", printable(d.Kept), printable(d.Next)))
	case d.Kept != "":
		p.line("  ", fmt.Sprintf("%-7s %s", "kept", printable(d.Kept)))
	case d.Next != "":
		p.line("  ", fmt.Sprintf("%-7s %s", "next", printable(d.Next)))
	}
}

// snippet prints the line of the subject with the subject underlined, and the
// line where its context opens when that is another one.
func (p *printer) snippet(subject, context Range, tint string) {
	if subject.Empty() || p.src == nil {
		return
	}
	text := p.src(subject.File)
	code, ok := lineOf(text, subject.Start)
	if !ok {
		return
	}
	digits := len(fmt.Sprint(subject.Start.Line))
	room := clipAt
	if p.style.Lines > 0 {
		room = min(p.style.Lines-digits-6, clipAt)
	}
	if room < 12 {
		return // the place is enough, and there is no room for more
	}
	if context.File == subject.File && context.Start.Line < subject.Start.Line {
		if above, ok := lineOf(text, context.Start); ok {
			p.code(digits, context.Start.Line, above, room)
			if context.Start.Line+1 < subject.Start.Line {
				p.line("    ", strings.Repeat(" ", digits)+p.paint(dim, "  …"))
			}
		}
	}
	p.underlined(digits, code, subject, tint, room)
}

func (p *printer) code(digits, number int, code sourceLine, room int) {
	text, _, _ := code.around(0, 0, room)
	p.line("    ", p.paint(dim, fmt.Sprintf("%*d:", digits, number))+" "+clip(display(text), room))
}

// underlined prints the line of the subject, or of a long one the part around it, and
// underlines the subject.
func (p *printer) underlined(digits int, code sourceLine, r Range, tint string, room int) {
	text, from, to := code.around(r.Start.Byte-code.start, r.End.Byte-code.start, room)
	p.line("    ", p.paint(dim, fmt.Sprintf("%*d:", digits, r.Start.Line))+" "+clip(display(text), room))
	left := columns(display(text[:from]))
	width := columns(display(text[:to])) - left
	if left >= room {
		return
	}
	width = min(max(width, 1), room-left)
	p.line("    ", strings.Repeat(" ", digits+2+left)+p.paint(tint, strings.Repeat("^", width)))
}

type sourceLine struct {
	start int // offset of its first byte
	text  []byte
}

// lineOf returns the line around a position; ok is false when the position is
// not in the text (which then is not the text that was parsed).
func lineOf(text []byte, at Pos) (sourceLine, bool) {
	if at.Byte < 0 || at.Byte > len(text) {
		return sourceLine{}, false
	}
	start := bytes.LastIndexByte(text[:at.Byte], '\n') + 1
	end := len(text)
	if i := bytes.IndexByte(text[at.Byte:], '\n'); i >= 0 {
		end = at.Byte + i
	}
	line := bytes.TrimSuffix(text[start:end], []byte("\r"))
	return sourceLine{start, line}, len(line) > 0 || end > start
}

// around returns the line's text and the place of a subject in it. For a line longer than most bytes it returns the
// part around the subject, with an ellipsis if something before it is left out. (After it the text is cut when it is
// shown.)
func (l sourceLine) around(from, to, most int) (text []byte, start, end int) {
	from = min(max(from, 0), len(l.text))
	to = min(max(to, from), len(l.text))
	if len(l.text) <= most {
		return l.text, from, to
	}
	begin := 0
	if before := most / 5; from > before && (to > most || columns(display(l.text[:to])) > most) { // a tab takes four columns
		begin = boundary(l.text, from-before)
	}
	// A character has up to four bytes, and there may be any number of characters that take no column.
	stop := boundary(l.text, min(begin+4*most, len(l.text)))
	text = l.text[begin:stop]
	if begin > 0 {
		const ellipsis = "…"
		text, begin = append([]byte(ellipsis), text...), begin-len(ellipsis)
	}
	return text, min(from-begin, len(text)), min(to-begin, len(text))
}

// boundary is the nearest position at or before i where a character begins.
func boundary(text []byte, i int) int {
	for i > 0 && i < len(text) && !utf8.RuneStart(text[i]) {
		i--
	}
	return i
}

// mostText is the number of bytes that are shown of a summary, a detail and an address. They may quote a name or a
// message from the user's text, which can be of any length.
const mostText = 2000

// cut shortens a text to at most mostText bytes.
func cut(s string) string {
	if len(s) <= mostText {
		return s
	}
	return s[:boundary([]byte(s[:mostText+1]), mostText)] + "…"
}

// display makes a line safe and aligned for a terminal: tabs become four spaces, unprintable characters become U+FFFD.
func display(line []byte) string {
	var b strings.Builder
	for len(line) > 0 {
		r, n := utf8.DecodeRune(line)
		line = line[n:]
		switch {
		case r == '\t':
			b.WriteString("    ")
		case unicode.IsPrint(r) || unicode.Is(unicode.Mn, r):
			b.WriteRune(r)
		default:
			b.WriteRune(utf8.RuneError)
		}
	}
	return b.String()
}

// printable makes text that quotes the user's text safe for a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\n' || unicode.Is(unicode.Mn, r) {
			return r
		}
		return utf8.RuneError
	}, s)
}

// clipAt is the largest number of columns of a source line that are shown.
const clipAt = 200

func clip(s string, room int) string {
	if columns(s) <= room {
		return s
	}
	n := 0
	for i, r := range s {
		if n += runeWidth(r); n >= room {
			return s[:i] + "…"
		}
	}
	return s
}

func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// runeWidth is the number of terminal cells of a printable rune.
func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.Is(unicode.Mn, r):
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3,
		r >= 0xf900 && r <= 0xfaff, r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60,
		r >= 0xffe0 && r <= 0xffe6, r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}

// wrap breaks text into lines of at most width columns, at spaces; existing line
// breaks stay, and lines that begin with a space are left as they are.
func wrap(text string, width int) []string {
	if text == "" {
		return nil
	}
	var out []string
	for line := range strings.SplitSeq(printable(text), "\n") {
		if width <= 10 || strings.HasPrefix(line, " ") || columns(line) <= width {
			out = append(out, line)
			continue
		}
		out = append(out, fill(line, width)...)
	}
	return out
}

func fill(line string, width int) []string {
	var out []string
	var cur string
	for word := range strings.FieldsSeq(line) {
		if cur != "" && columns(cur)+1+columns(word) > width {
			out, cur = append(out, cur), ""
		}
		if cur != "" {
			cur += " "
		}
		cur += word
	}
	return append(out, cur)
}

// Columns is the number of terminal cells of a printable text.
func Columns(s string) int { return columns(s) }

// Count prints a number of things: "1 step", "2 steps", "3 classes".
func Count[N int | int32 | int64](n N, thing string) string {
	switch {
	case n == 1:
		return "1 " + thing
	case strings.HasSuffix(thing, "s"):
		return fmt.Sprintf("%d %ses", n, thing)
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// And joins words with commas and "and".
func And(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
