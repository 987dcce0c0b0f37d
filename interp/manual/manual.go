// Package manual writes the program's own documentation: the generated pages of docs/ and the topics of qpipe help. It
// takes them from the catalogue of parts, the grammars and the tables of attributes, functions and diagnostics.
package manual

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"qpipe/interp/graph"
	"qpipe/interp/part"
	"qpipe/interp/reference"
	"qpipe/lang/check"
	"qpipe/lang/diag"
	"qpipe/lang/files"
	"qpipe/lang/lint"
	"qpipe/lang/notation"
	"qpipe/lang/syntax"
)

// Manual is the documentation of a program with these parts.
type Manual struct{ Catalog part.Catalog }

// Write writes the generated pages into a folder, and the grammars into its language.md.
func (m Manual) Write(dir string) error {
	var parts, codes, functions bytes.Buffer
	if err := reference.Write(&parts, m.Catalog); err != nil {
		return err
	}
	if err := check.WriteFunctions(&functions); err != nil {
		return err
	}
	qconfig, err := m.qconfigPage()
	if err != nil {
		return err
	}
	ops, err := m.opsPage()
	if err != nil {
		return err
	}
	writeCodes(&codes)
	for name, text := range map[string][]byte{"reference.md": parts.Bytes(), "diagnostics.md": codes.Bytes(), "functions.md": functions.Bytes(), "ops.md": ops, "qconfig.md": []byte(qconfig)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return writeGrammars(filepath.Join(dir, "language.md"))
}

// rules are the descriptions in the tables of rules.
func rules() []diag.About {
	return slices.Concat(diag.AboutAll(lint.Rules()), diag.AboutAll(graph.Rules()))
}

// writeCodes writes the page of the codes and the rules.
func writeCodes(b *bytes.Buffer) {
	b.WriteString("# The diagnostics\n\nThis page is generated from the table of codes and the tables of rules.\n\n| code | says |\n|---|---|\n")
	for _, m := range diag.Meanings(rules()...) {
		fmt.Fprintf(b, "| %s | %s |\n", m.Code, m.Text)
	}
	b.WriteString("\n## The rules\n\nA rule looks at a whole pipeline whose blocks are right one by one.\n\n| rule | code | | finds | why |\n|---|---|---|---|---|\n")
	for _, r := range rules() {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", r.Name, r.Code, r.Severity, r.Summary, r.Doc)
	}
}

// The marks around the grammars in docs/language.md.
const (
	grammarsBegin = "<!-- begin grammars: written by `make generate` -->\n"
	grammarsEnd   = "<!-- end grammars -->\n"
)

// writeGrammars puts the grammars, as the parsers print them, into the page.
func writeGrammars(page string) error {
	text, err := files.Read(page, syntax.MaxBytes)
	if err != nil {
		return err
	}
	head, rest, ok := bytes.Cut(text, []byte(grammarsBegin))
	_, tail, ok2 := bytes.Cut(rest, []byte(grammarsEnd))
	if !ok || !ok2 {
		return fmt.Errorf("%s has no lines %q and %q to put the grammars between", page, grammarsBegin, grammarsEnd)
	}
	var b bytes.Buffer
	b.Write(head)
	b.WriteString(grammarsBegin)
	for _, g := range []struct{ title, ebnf string }{
		{"`when`", notation.ScheduleEBNF()},
		{"`modules` and `override`", notation.SelectorEBNF()},
		{"`required_version`", notation.ConstraintEBNF()},
	} {
		fmt.Fprintf(&b, "\n%s:\n\n```ebnf\n%s\n```\n", g.title, g.ebnf)
	}
	b.WriteString("\n" + grammarsEnd)
	b.Write(tail)
	return os.WriteFile(page, b.Bytes(), 0o644)
}
