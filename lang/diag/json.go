package diag

import (
	"encoding/json"
	"io"
	"strings"
)

// FormatVersion is the version of the JSON form. A minor version adds fields.
const FormatVersion = "1.1"

// Report is the JSON form of a list. The counts are of all diagnostics.
type Report struct {
	FormatVersion string `json:"format_version"`
	Valid         bool   `json:"valid"`
	ErrorCount    int    `json:"error_count"`
	WarningCount  int    `json:"warning_count"`
	Items
}

// Items are the diagnostics of a list in JSON, as they are in every document: the first [Most], and how many more there
// are. More is a lower bound if the check did not look for the rest.
type Items struct {
	Diagnostics []ReportItem `json:"diagnostics"`
	More        int          `json:"more_diagnostics"`
}

// ReportItem is a diagnostic in JSON.
type ReportItem struct {
	Code     Code      `json:"code,omitempty"`
	Severity string    `json:"severity"`
	Summary  string    `json:"summary"`
	Detail   string    `json:"detail"`
	Address  string    `json:"address,omitempty"`
	Range    *Range    `json:"range,omitempty"`
	Snippet  *Snippet  `json:"snippet,omitempty"`
	Related  []Related `json:"related,omitempty"`
	Module   string    `json:"module,omitempty"`
	Time     string    `json:"time,omitempty"`
	Kept     string    `json:"kept,omitempty"`
	Next     string    `json:"next,omitempty"`
}

// Snippet is the line that a diagnostic is about, or the part of a long line around the highlight. The highlight's
// offsets are bytes of Code.
type Snippet struct {
	Context        string `json:"context,omitempty"` // the line where the block opens
	Code           string `json:"code"`
	StartLine      int    `json:"start_line"`
	HighlightStart int    `json:"highlight_start_offset"`
	HighlightEnd   int    `json:"highlight_end_offset"`
}

// NewReport makes the JSON form of the list.
func NewReport(list List, src Sources) Report {
	r := Report{FormatVersion: FormatVersion, Items: NewItems(list, src)}
	r.ErrorCount, r.WarningCount = list.Counts()
	r.Valid = r.ErrorCount == 0
	return r
}

// NewItems makes the JSON form of the list's diagnostics.
func NewItems(list List, src Sources) Items {
	shown, rest := list.Shown()
	out := Items{Diagnostics: []ReportItem{}, More: rest.Total()}
	for _, d := range shown {
		out.Diagnostics = append(out.Diagnostics, newItem(d, src))
	}
	return out
}

// WriteJSON prints the list as one indented JSON object.
func WriteJSON(w io.Writer, list List, src Sources) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(NewReport(list, src))
}

func newItem(d *Diagnostic, src Sources) ReportItem {
	item := ReportItem{
		Code: d.Code, Severity: d.Severity.String(), Summary: cut(d.Summary), Detail: cut(d.Detail), Address: cut(d.Address),
		Related: d.Related, Module: d.Module, Time: d.Time, Kept: d.Kept, Next: d.Next,
	}
	if !d.Subject.Empty() {
		r := d.Subject
		item.Range, item.Snippet = &r, newSnippet(d, src)
	}
	return item
}

// mostCode is the length of a line that is quoted whole.
const mostCode = 500

func newSnippet(d *Diagnostic, src Sources) *Snippet {
	if src == nil {
		return nil
	}
	text := src(d.Subject.File)
	line, ok := lineOf(text, d.Subject.Start)
	if !ok {
		return nil
	}
	code, from, to := line.around(d.Subject.Start.Byte-line.start, d.Subject.End.Byte-line.start, mostCode)
	s := &Snippet{Code: string(code), StartLine: d.Subject.Start.Line, HighlightStart: from, HighlightEnd: to}
	if d.Context.File == d.Subject.File && d.Context.Start.Line < d.Subject.Start.Line {
		if above, ok := lineOf(text, d.Context.Start); ok {
			code, _, _ := above.around(0, 0, mostCode)
			s.Context = strings.TrimSpace(string(code))
		}
	}
	return s
}
