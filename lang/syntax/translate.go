package syntax

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"qpipe/lang/diag"
)

// maxDiagnostics bounds what is kept of hcl's own complaints about one text, which can
// be as many as its characters.
const maxDiagnostics = 1000

// openLine is hcl's summary for a string that its line does not close, openString ours.
const (
	openLine   = "Invalid multi-line string"
	openString = "a string is not closed"
)

// Range converts an hcl range to our type.
func Range(r hcl.Range) diag.Range {
	return diag.Range{
		File:  r.Filename,
		Start: diag.Pos{Line: r.Start.Line, Column: r.Start.Column, Byte: r.Start.Byte},
		End:   diag.Pos{Line: r.End.Line, Column: r.End.Column, Byte: r.End.Byte},
	}
}

// Translate rewrites hcl's diagnostics in our words: a code, the place, a summary that begins in lower case, and advice
// if hcl gives none. A second complaint about the same place repeats the first one and is dropped, and so is everything
// after a string that is not closed.
func Translate(diags hcl.Diagnostics) diag.List {
	type spot struct {
		file string
		byte int
	}
	seen, open := map[spot]bool{}, map[string]bool{}
	return slices.DeleteFunc(TranslateAs(diags, diag.BadSyntax), func(d *diag.Diagnostic) bool {
		if open[d.Subject.File] {
			return true // inside out: from an open quote on, text is code and code is text
		}
		open[d.Subject.File] = d.Summary == openString
		at := spot{d.Subject.File, d.Subject.Start.Byte}
		echo := seen[at] && !d.Subject.Empty()
		seen[at] = true
		return echo
	})
}

// TranslateAs is Translate with the code to use when hcl's summary does not determine one.
func TranslateAs(diags hcl.Diagnostics, fallback diag.Code) diag.List {
	var out diag.List
	for _, d := range diags {
		if len(out) == maxDiagnostics {
			out[0].Unfinished = true
			break
		}
		out = append(out, translate(d, fallback))
	}
	return out
}

func translate(d *hcl.Diagnostic, fallback diag.Code) *diag.Diagnostic {
	t := &diag.Diagnostic{Summary: uncapitalize(d.Summary), Detail: d.Detail}
	if d.Severity == hcl.DiagWarning {
		t.Severity = diag.Warning
	}
	if d.Subject != nil {
		t.Subject = Range(*d.Subject)
	}
	if d.Summary == openLine {
		t.Summary, t.Detail = openString, "Close it with a quote on its line. A text of several lines is written <<END … END."
	}
	var hint string
	t.Code, hint = classify(d.Summary, fallback)
	if hint != "" && !strings.Contains(t.Detail, hint) {
		t.Detail = strings.TrimSpace(t.Detail + " " + hint)
	}
	return t
}

// class is a family of hcl's summaries: those that contain a text.
type class struct {
	contains string
	code     diag.Code
	hint     string
}

// classes lists the families, the more specific ones first.
func classes() []class {
	const block = `A block is written: type "label" { … }, with the opening brace on the same line; an attribute: name = value.`
	return []class{
		{openLine, diag.Unclosed, ""},
		{"Attribute redefined", diag.AttributeTwice, "Keep one of the two."},
		{"Invalid character encoding", diag.BadCharacter, "Save the file as UTF-8."},
		{"Invalid character", diag.BadCharacter, ""},
		{"Invalid escape sequence", diag.BadSyntax, `A backslash is written \\, a quote \".`},
		{"Unclosed", diag.Unclosed, ""},
		{"Unterminated", diag.Unclosed, ""},
		{"Unbalanced", diag.Unclosed, ""},
		{"Missing close bracket", diag.Unclosed, ""},
		{"Missing closing parenthesis", diag.Unclosed, ""},
		{"Unexpected end of template", diag.Unclosed, ""},
		{"Unknown variable", diag.UnknownReference, ""},
		{"Unsupported attribute", diag.UnknownReference, ""},
		{"Call to unknown function", diag.UnknownFunction, ""},
		{"Unsupported argument", diag.UnknownAttribute, ""},
		{"Unsupported block type", diag.UnknownBlock, ""},
		{"Missing required argument", diag.MissingAttribute, ""},
		{"dynamic", diag.BadDynamic, ""},
		{"Extraneous label", diag.BadLabel, ""},
		{"Duplicate object key", diag.AttributeTwice, "Keep one of the two."},
		{"Argument or block definition required", diag.BadSyntax, block},
		{"Invalid block definition", diag.BadSyntax, block},
		{"Invalid argument name", diag.BadSyntax, block},
		{"Argument definition required", diag.BadSyntax, block},
		{"Missing newline after argument", diag.BadSyntax, "Put each attribute on a line of its own."},
	}
}

// classify finds the family of a summary.
func classify(summary string, fallback diag.Code) (diag.Code, string) {
	for _, c := range classes() {
		if strings.Contains(summary, c.contains) {
			return c.code, c.hint
		}
	}
	if strings.HasPrefix(summary, "Missing ") && strings.Contains(summary, " for ") {
		return diag.BadLabel, ""
	}
	return fallback, ""
}

func uncapitalize(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
