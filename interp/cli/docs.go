package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"qpipe/lang/check"
	"qpipe/lang/diag"
	"qpipe/lang/files"
	"qpipe/lang/notation"
	"qpipe/lang/syntax"
)

// docsCmd is for qpipe's own repository: the reference pages are written by the
// program, so that they say what it does.
func (a *app) docsCmd() *cobra.Command {
	return &cobra.Command{
		Use:    "docs FOLDER",
		Short:  "Write the generated pages of the documentation into a folder",
		Hidden: true,
		Args:   wants(1, 1, "one FOLDER"),
		RunE:   func(_ *cobra.Command, args []string) error { return a.docs(args[0]) },
	}
}

func (a *app) docs(dir string) error {
	var reference, codes, functions bytes.Buffer
	if err := a.catalog.WriteReference(&reference); err != nil {
		return err
	}
	if err := check.WriteFunctions(&functions); err != nil {
		return err
	}
	qconfig, err := a.qconfigPage()
	if err != nil {
		return err
	}
	codes.WriteString("# The diagnostics\n\nThis page is generated from the table of codes.\n\n| code | says |\n|---|---|\n")
	for _, m := range diag.Meanings() {
		fmt.Fprintf(&codes, "| %s | %s |\n", m.Code, m.Text)
	}
	for name, text := range map[string][]byte{"reference.md": reference.Bytes(), "diagnostics.md": codes.Bytes(), "functions.md": functions.Bytes(), "qconfig.md": []byte(qconfig)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return writeGrammars(filepath.Join(dir, "language.md"))
}

// The marks between which docs/language.md shows the grammars.
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
