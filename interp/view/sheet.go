// Package view presents results (a plan, its stages and nodes, a file, a run, a measurement, a part) as text for people
// and as the items of JSON documents. It reads nothing and decides nothing.
package view

import (
	"bytes"
	"fmt"

	"qpipe/interp/console"
)

// Sheet is a text that is written piece by piece.
type Sheet struct {
	bytes.Buffer
	paint   console.Painter
	columns int
}

// NewSheet returns an empty sheet with so many columns.
func NewSheet(paint console.Painter, columns int) *Sheet {
	return &Sheet{paint: paint, columns: columns}
}

// Title prints a line that says what follows.
func (s *Sheet) Title(text string) { fmt.Fprintln(s, s.paint.Bold(console.Printable(text))) }

// Row prints a line of the head, unless its text is empty.
func (s *Sheet) Row(name, text string) {
	if text != "" {
		fmt.Fprintf(s, "%s %s\n", s.paint.Dim(fmt.Sprintf("%-10s", name)), console.Printable(text))
	}
}

// section prints a heading and a table; the first row names the columns.
func (s *Sheet) section(title, align string, rows [][]string) {
	if len(rows) < 2 {
		return
	}
	fmt.Fprintf(s, "\n%s\n", s.paint.Bold(title))
	s.table(rows, align, "  ")
}

// table prints rows in columns, each with an indent; the first row is the heads.
func (s *Sheet) table(rows [][]string, align, indent string) {
	for i, line := range console.Table(rows, align) {
		if i == 0 {
			line = s.paint.Dim(line)
		}
		fmt.Fprintf(s, "%s%s\n", indent, line)
	}
}
