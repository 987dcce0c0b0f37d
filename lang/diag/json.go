package diag

import (
	"encoding/json"
	"io"
	"strings"
)

// FormatVersion is the version of the JSON form. A minor version adds fields.
const FormatVersion = "1.0"

// Report is the JSON form of a list.
type Report struct {
	FormatVersion string       `json:"format_version"`
	Valid         bool         `json:"valid"`
	ErrorCount    int          `json:"error_count"`
	WarningCount  int          `json:"warning_count"`
	Diagnostics   []ReportItem `json:"diagnostics"`
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

// Snippet is the line that a diagnostic is about. The highlight's offsets are
// bytes of Code.
type Snippet struct {
	Context        string `json:"context,omitempty"` // the line where the block opens
	Code           string `json:"code"`
	StartLine      int    `json:"start_line"`
	HighlightStart int    `json:"highlight_start_offset"`
	HighlightEnd   int    `json:"highlight_end_offset"`
}

// NewReport makes the JSON form of the list.
func NewReport(list List, src Sources) Report {
	r := Report{FormatVersion: FormatVersion, Diagnostics: []ReportItem{}}
	r.ErrorCount, r.WarningCount = list.Counts()
	r.Valid = r.ErrorCount == 0
	for _, d := range list {
		r.Diagnostics = append(r.Diagnostics, newItem(d, src))
	}
	return r
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
		Code: d.Code, Severity: d.Severity.String(), Summary: d.Summary, Detail: d.Detail, Address: d.Address,
		Related: d.Related, Module: d.Module, Time: d.Time, Kept: d.Kept, Next: d.Next,
	}
	if !d.Subject.Empty() {
		r := d.Subject
		item.Range, item.Snippet = &r, newSnippet(d, src)
	}
	return item
}

func newSnippet(d *Diagnostic, src Sources) *Snippet {
	if src == nil {
		return nil
	}
	text := src(d.Subject.File)
	line, ok := lineOf(text, d.Subject.Start)
	if !ok {
		return nil
	}
	from := min(max(d.Subject.Start.Byte-line.start, 0), len(line.text))
	to := min(max(d.Subject.End.Byte-line.start, from), len(line.text))
	s := &Snippet{Code: string(line.text), StartLine: d.Subject.Start.Line, HighlightStart: from, HighlightEnd: to}
	if d.Context.File == d.Subject.File && d.Context.Start.Line < d.Subject.Start.Line {
		if above, ok := lineOf(text, d.Context.Start); ok {
			s.Context = strings.TrimSpace(string(above.text))
		}
	}
	return s
}
