package view

import (
	"fmt"
	"strings"

	"qpipe/interp/console"
	"qpipe/interp/reference"
)

// Shelves lists parts by kind, one per line.
func (s *Sheet) Shelves(docs []reference.Doc) {
	left := 0
	for _, d := range docs {
		left = max(left, len(d.Name))
	}
	for i, d := range docs {
		if i == 0 || docs[i-1].Kind != d.Kind {
			if i > 0 {
				s.WriteString("\n")
			}
			fmt.Fprintln(s, s.paint.Bold(string(d.Kind)))
		}
		name := d.Name
		for _, text := range console.Wrapped(d.Doc, max(s.columns-left-4, 30)) {
			fmt.Fprintf(s, "  %-*s  %s\n", left, name, text)
			name = ""
		}
	}
}

// Part prints one part with its arguments.
func (s *Sheet) Part(d reference.Doc) {
	fmt.Fprintf(s, "%s %s\n  %s\n", d.Kind, s.paint.Bold(d.Name), strings.Join(console.Wrapped(d.Doc, s.columns-2), "\n  "))
	for _, m := range [][2]string{{"when", d.When}, {"modules", d.Modules}} {
		if m[1] != "" {
			fmt.Fprintf(s, "  takes `%s` (%s)\n", m[0], m[1])
		}
	}
	rows := arguments(d.Args, "")
	if len(rows) > 0 {
		s.WriteString("\n")
	}
	for _, line := range console.TwoColumns(rows, s.columns) {
		fmt.Fprintf(s, "  %s\n", line)
	}
}

// arguments are the rows of arguments; those inside of a block are indented below it.
func arguments(args []reference.ArgDoc, indent string) [][2]string {
	rows := make([][2]string, 0, len(args))
	for _, a := range args {
		if !a.Block() {
			rows = append(rows, [2]string{indent + a.Name, argument(a)})
			continue
		}
		rows = append(rows, [2]string{indent + a.Header(), a.Count() + ". " + a.Doc})
		rows = append(rows, arguments(a.Args, indent+"  ")...)
	}
	return rows
}

// argument describes what an argument takes.
func argument(a reference.ArgDoc) string {
	text := a.Type + ", required. "
	if !a.Required {
		text = fmt.Sprintf("%s, default %s. ", a.Type, a.Default)
	}
	text += a.Doc
	if len(a.OneOf) > 0 {
		text += " One of " + strings.Join(a.OneOf, ", ") + "."
	}
	return text
}
