// Package frame has the lines of logs that cannot change unnoticed: each with a number and a check. It reads what is
// left of a damaged log, and says what is lost.
package frame

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strconv"
)

// Every line of a log is a JSON object whose last two fields are its number in the file and a check:
//
//	{"stage":"float",…,"seq":3,"check":"0a1b2c3d"}
//
// The check is the CRC-32C of the bytes of the line before it, up to the comma. docs/events.md describes this for other
// programs.
const (
	seqField   = `,"seq":`
	checkField = `,"check":"`
	trailer    = len(checkField) + 8 + len(`"}`)
)

// maxLine is the longest line that is read: an event can contain a stage's whole entry of the manifest.
const maxLine = 64 << 20

// Castagnoli is the polynomial of the checks. The library makes its table once.
func Castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// Line is the line of an object, which has at least one field, with its line end.
func Line(object []byte, seq int) []byte {
	line := make([]byte, 0, len(object)+48)
	line = append(line, object[:len(object)-1]...)
	line = append(line, seqField...)
	line = strconv.AppendInt(line, int64(seq), 10)
	sum := crc32.Checksum(line, Castagnoli())
	return fmt.Appendf(line, "%s%08x\"}\n", checkField, sum)
}

// unframed finds the number of a line, given without its end, and where its object's last field ends. It returns false
// for a line that is not as a run wrote it.
func unframed(line []byte) (seq, end int, ok bool) {
	at := len(line) - trailer
	if at <= 0 || line[0] != '{' {
		return 0, 0, false
	}
	body := line[:at]
	if string(line[at:]) != fmt.Sprintf("%s%08x\"}", checkField, crc32.Checksum(body, Castagnoli())) {
		return 0, 0, false
	}
	end = bytes.LastIndex(body, []byte(seqField))
	if end <= 1 {
		return 0, 0, false
	}
	digits := string(body[end+len(seqField):])
	seq, err := strconv.Atoi(digits)
	return seq, end, err == nil && seq > 0 && strconv.Itoa(seq) == digits && json.Valid(line)
}

// objectOf is the object that a line was made from.
func objectOf(line []byte, end int) []byte {
	return append(bytes.Clone(line[:end]), '}')
}

// place is the position of an intact line.
type place struct {
	seq    int
	at     int64
	length int // without its end
	object int // the length of its object, without its end
}

// Content is what a log contains.
type Content struct {
	Lines []place // the intact ones
	Bad   []int   // the numbers of the others, counted in the file
	// plain: the lines have no numbers and checks, because an earlier version has written them.
	Plain bool
	// end is where the last complete line ends. After it is what a crash has left of a line.
	End     int64
	unended bool // the last line is complete except for its line end
	Ours    bool // some line looks as if a run had written it
	Moved   int  // lines in the wrong place, or duplicated
	Size    int64
	Sum     uint32 // of all bytes
}

// Scan reads a log from beginning to end. It keeps one line at a time in memory, and the positions of the lines.
func Scan(f io.ReaderAt, size int64, plain bool) (*Content, error) {
	c := &Content{Plain: plain, Size: size}
	r := bufio.NewReaderSize(io.NewSectionReader(f, 0, size), 1<<16)
	var line []byte
	for no, at := 1, int64(0); ; no++ {
		var length int
		var err error
		line, length, err = nextLine(r, line[:0], &c.Sum)
		if length == 0 {
			if !errors.Is(err, io.EOF) {
				return nil, err
			}
			return c, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		c.line(no, at, line, err == nil, length > len(line))
		at += int64(length)
		if err == nil {
			c.End = at
		}
	}
}

// nextLine reads a line with its end, or up to the end of the file. It skips what is longer than maxLine.
func nextLine(r *bufio.Reader, line []byte, sum *uint32) (_ []byte, length int, err error) {
	for {
		var part []byte
		part, err = r.ReadSlice('\n')
		*sum = crc32.Update(*sum, Castagnoli(), part)
		length += len(part)
		if len(line)+len(part) <= maxLine {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, length, err
		}
	}
}

// line notes one line.
func (c *Content) line(no int, at int64, line []byte, ended, tooLong bool) {
	line = bytes.TrimSuffix(line, []byte("\n"))
	if c.Plain {
		c.plainLine(no, at, line, ended)
		return
	}
	c.Ours = c.Ours || Ours(line)
	if seq, end, ok := unframed(line); ok && !tooLong {
		c.Lines = append(c.Lines, place{seq, at, len(line), end})
		c.unended = !ended
		return
	}
	pieces := c.pieces(at, line)
	if ended || pieces {
		c.Bad = append(c.Bad, no)
	}
}

// pieces finds intact lines in a damaged one: if the end of a line was damaged, two lines are joined.
func (c *Content) pieces(at int64, line []byte) (found bool) {
	for from, start := 0, 0; ; {
		i := bytes.Index(line[from:], []byte(checkField))
		if i < 0 || from+i+trailer > len(line) {
			return found
		}
		end := from + i + trailer // of a line, or of an event's entry of the manifest
		from += i + 1
		if seq, object, ok := unframed(line[start:end]); ok {
			c.Lines = append(c.Lines, place{seq, at + int64(start), end - start, object})
			found, start = true, min(end+1, len(line))
			from = max(from, start)
		}
	}
}

// plainLine notes a line of an earlier version: an object with an event.
func (c *Content) plainLine(no int, at int64, line []byte, ended bool) {
	line = bytes.TrimRight(line, " \t\r")
	var l struct {
		Event string `json:"event"`
	}
	switch {
	case json.Unmarshal(line, &l) == nil && l.Event != "" && line[0] == '{':
		c.Lines = append(c.Lines, place{no, at, len(line), len(line) - 1})
		c.Ours = true
	case ended:
		c.Bad = append(c.Bad, no)
	}
}

// Ours reports whether a line could be what is left of a line that a run wrote.
func Ours(line []byte) bool {
	switch {
	case len(line) == 0:
		return false
	case bytes.Contains(line, []byte(checkField)), len(bytes.Trim(line, "\x00")) == 0:
		return true
	}
	return slices.ContainsFunc([]string{`{"time":"`, `{"event":"`, `{"stage":"`}, func(head string) bool {
		n := min(len(head), len(line))
		return string(line[:n]) == head[:n]
	})
}

// Scanned is a log's content with its lines in order.
func Scanned(f io.ReaderAt, size int64) (*Content, error) {
	c, err := Scan(f, size, false)
	if err == nil {
		err = c.Order(f)
	}
	return c, err
}

// Order sorts the lines by their numbers, and leaves out duplicates.
func (c *Content) Order(f io.ReaderAt) error {
	last := 0
	for _, l := range c.Lines {
		if l.seq < last {
			c.Moved++
		}
		last = max(last, l.seq)
	}
	slices.SortStableFunc(c.Lines, func(a, b place) int { return cmp.Compare(a.seq, b.seq) })
	var previous []byte
	kept := c.Lines[:0]
	for i, l := range c.Lines {
		if i+1 < len(c.Lines) && c.Lines[i+1].seq == l.seq || len(kept) > 0 && kept[len(kept)-1].seq == l.seq {
			line, err := l.read(f)
			if err != nil {
				return err
			}
			if len(kept) > 0 && kept[len(kept)-1].seq == l.seq && bytes.Equal(line, previous) {
				c.Moved++
				continue
			}
			previous = line
		}
		kept = append(kept, l)
	}
	c.Lines = kept
	return nil
}

// counted reports whether the lines are numbered 1, 2, 3 and so on.
func (c *Content) counted() bool {
	for i, l := range c.Lines {
		if l.seq != i+1 {
			return false
		}
	}
	return true
}

// Sound reports whether the file can be continued as it is, except for what a crash has left of a line.
func (c *Content) Sound() bool { return len(c.Bad) == 0 && !c.Plain && !c.unended && c.counted() }

// Lost are the missing numbers, as spans. The log had at least most lines.
func (c *Content) Lost(most int) (out []Span) {
	next := 1
	for _, l := range c.Lines {
		if l.seq > next {
			out = append(out, Span{next, l.seq - 1})
		}
		next = max(next, l.seq+1)
	}
	if next <= most {
		out = append(out, Span{next, most})
	}
	return out
}

// read reads a line, without its end.
func (l place) read(f io.ReaderAt) ([]byte, error) {
	line := make([]byte, l.length)
	_, err := f.ReadAt(line, l.at)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return line, err
}

// Each calls yield with the objects of the lines.
func (c *Content) Each(f io.ReaderAt, yield func(object []byte) error) error {
	r := bufio.NewReaderSize(nil, 1<<16)
	at := int64(-1)
	var line []byte
	for _, l := range c.Lines {
		if l.at < at || at < 0 { // usually lines follow each other
			r.Reset(io.NewSectionReader(f, l.at, c.Size-l.at))
			at = l.at
		}
		if _, err := r.Discard(int(l.at - at)); err != nil {
			return err
		}
		line = slices.Grow(line[:0], l.length)[:l.length]
		if _, err := io.ReadFull(r, line); err != nil {
			return err
		}
		at = l.at + int64(l.length)
		if err := yield(objectOf(line, l.object)); err != nil {
			return err
		}
	}
	return nil
}

// Span is a range of the numbers of lines.
type Span struct{ First, Last int }

func (s Span) String() string {
	if s.First == s.Last {
		return fmt.Sprint(s.First)
	}
	return fmt.Sprint(s.First, "–", s.Last)
}
