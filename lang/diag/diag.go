// Package diag has the diagnostics about a user's text: a [Diagnostic] has a code, a place and advice, and a [List] of
// them is passed up without being turned into a string. The package knows neither HCL nor the parts; it only knows
// files, lines and sentences.
//
// [WriteText] prints a list for people, [WriteJSON] for programs; [DidYouMean]
// words a suggestion, [Meanings] lists the codes.
package diag

import (
	"cmp"
	"slices"
)

// Severity says whether a diagnostic stops the run.
type Severity uint8

// The severities, the more serious first.
const (
	Error Severity = iota
	Warning
)

// String returns "error" or "warning", as the JSON form spells it.
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Pos is a place in a file. Line and Column count from 1 (columns in Unicode
// characters, as editors do), Byte from 0.
type Pos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// Range is a part of a file from Start up to, not including, End.
type Range struct {
	File  string `json:"filename"`
	Start Pos    `json:"start"`
	End   Pos    `json:"end"`
}

// Empty reports whether the range names no file, as in a diagnostic about a flag or about something outside of the
// text.
func (r Range) Empty() bool { return r.File == "" }

// Related is a second place that belongs to the same mistake, such as the first
// of two definitions.
type Related struct {
	Message string `json:"message"`
	Range   Range  `json:"range"`
}

// Diagnostic is one mistake or one piece of advice.
//
// Summary is a short sentence without a full stop, in lower case after a part's name; Detail says what to do. Address
// is the block's address (`stage.qat.callback.FuseBN[0]`). Module, Time and Kept describe a failure during a run: the
// node of the network, the moment of training, and what was kept.
type Diagnostic struct {
	Code     Code
	Rule     string // the name of the rule that found it, "" if no rule did
	Severity Severity
	Summary  string
	Detail   string
	Address  string
	Subject  Range // what is underlined
	Context  Range // what is shown around it; the subject's lines if empty
	Related  []Related
	Module   string
	Time     string
	Kept     string
	Next     string // a command that continues from here
	Stack    string // of a part's code that has panicked; shown only when it is asked for

	// Meant is what an unknown name was probably meant to be, or the keyword of a block that is one too many
	// or has wrong labels: then it is not reported as missing as well. Swapped says of an unknown attribute that it is
	// a block, or the other way round.
	Meant   string
	Swapped bool

	// Unfinished says that the search for mistakes was not completed: there may be more of this kind.
	Unfinished bool
}

// List is a set of diagnostics in the order in which they were found.
type List []*Diagnostic

// HasErrors reports whether the list holds an error (not only warnings).
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(d *Diagnostic) bool { return d.Severity == Error })
}

// Counts returns the number of errors and of warnings.
func (l List) Counts() (errors, warnings int) {
	for _, d := range l {
		if d.Severity == Error {
			errors++
		} else {
			warnings++
		}
	}
	return errors, warnings
}

// Most is the number of diagnostics that are shown of a list.
const Most = 100

// Rest counts the diagnostics of a list that are not shown.
type Rest struct {
	Errors, Warnings int
	AtLeast          bool // there may be more than that
}

// Total is the number of diagnostics that are not shown.
func (r Rest) Total() int { return r.Errors + r.Warnings }

// Shown returns the first [Most] diagnostics in the list's order, and counts the others.
// An error takes the place of a warning, so that no error hides behind warnings.
func (l List) Shown() (List, Rest) {
	var rest Rest
	rest.AtLeast = slices.ContainsFunc(l, func(d *Diagnostic) bool { return d.Unfinished })
	if len(l) <= Most {
		return l, rest
	}
	errors, _ := l.Counts()
	room := map[Severity]int{Error: min(errors, Most), Warning: max(Most-errors, 0)}
	shown := make(List, 0, Most)
	for _, d := range l {
		switch {
		case room[d.Severity] > 0:
			room[d.Severity]--
			shown = append(shown, d)
		case d.Severity == Error:
			rest.Errors++
		default:
			rest.Warnings++
		}
	}
	return shown, rest
}

// Sorted returns the list ordered by file, place and severity, each mistake
// once: a diagnostic equal in code, place and summary to an earlier one is
// dropped.
func (l List) Sorted() List {
	out := slices.Clone(l)
	slices.SortStableFunc(out, func(a, b *Diagnostic) int {
		return cmp.Or(
			cmp.Compare(a.Subject.File, b.Subject.File),
			cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte),
			cmp.Compare(a.Severity, b.Severity),
			cmp.Compare(a.Code, b.Code),
			cmp.Compare(a.Summary, b.Summary),
		)
	})
	return slices.CompactFunc(out, func(a, b *Diagnostic) bool {
		return a.Code == b.Code && a.Subject == b.Subject && a.Summary == b.Summary
	})
}
