package runs

import (
	"fmt"
	"path/filepath"
	"strings"

	"qpipe/interp/frame"
)

// Damage describes what was wrong with a log, and how it was repaired.
type Damage struct {
	Path    string       // of the log
	Gone    bool         // there was no file
	Live    bool         // it happened while the run was writing it
	Bad     []int        // line numbers in the file of damaged lines
	Lost    []frame.Span // the numbers that are missing
	Missing int          // how many lines are lost
	Moved   int          // lines in the wrong place, or duplicated
	Strays  int          // lines that this run did not write
	Kept    string       // where the damaged file is kept, "" for nowhere
	Sound   int          // lines that are kept in the log
	// Unsure: more lines may be lost. Told are further sentences for the message, without full stops.
	Unsure bool
	Told   []string
}

// lose notes that the numbers are missing.
func (d *Damage) lose(lost []frame.Span) {
	d.Lost, d.Missing = lost, 0
	for _, s := range lost {
		d.Missing += s.Last - s.First + 1
	}
}

// Summary is the damage in one sentence.
func (d *Damage) Summary() string {
	what := "was damaged"
	switch {
	case d.Gone && d.Live:
		what = "was removed while the run was writing it"
	case d.Gone:
		what = "is missing"
	case d.Live:
		what = "was changed by somebody else while the run was writing it"
	}
	switch {
	case d.Missing == 1:
		what += "; a line of it is lost"
	case d.Missing > 1:
		what += fmt.Sprintf("; %d lines of it are lost", d.Missing)
	case !d.Unsure:
		what += "; none of its lines is lost"
	}
	return d.Path + " " + what
}

// Detail says which lines, and where the file is kept.
func (d *Damage) Detail() string {
	var out []string
	if len(d.Bad) > 0 {
		out = append(out, numbered("Line", few(d.Bad), "of it was damaged", "of it were damaged"))
	}
	if d.Moved > 0 {
		out = append(out, "Lines were out of order or duplicated; they are in order again")
	}
	switch {
	case d.Strays == 1:
		out = append(out, "A line of it was not written by this run, and is left out")
	case d.Strays > 1:
		out = append(out, fmt.Sprintf("%d lines of it were not written by this run, and are left out", d.Strays))
	}
	if len(d.Lost) > 0 {
		out = append(out, numbered("Number", few(d.Lost), "is lost", "are lost"))
	}
	out = append(out, d.Told...)
	if d.Kept != "" {
		out = append(out, fmt.Sprintf("The damaged file is kept as %s; the run continues in %s", d.Kept, filepath.Base(d.Path)))
	}
	if len(out) == 0 {
		return ""
	}
	return strings.Join(out, ". ") + "."
}

// numbered makes a sentence of numbers.
func numbered(noun string, numbers []string, one, many string) string {
	if len(numbers) == 1 && !strings.Contains(numbers[0], "–") {
		return fmt.Sprintf("%s %s %s", noun, numbers[0], one)
	}
	return fmt.Sprintf("%ss %s %s", noun, strings.Join(numbers, ", "), many)
}

// few are the texts of the first ones, and how many more there are.
func few[T any](all []T) (out []string) {
	for i, v := range all {
		if i == 10 {
			return append(out, fmt.Sprintf("%d more", len(all)-i))
		}
		out = append(out, fmt.Sprint(v))
	}
	return out
}
