package cli

import (
	"bytes"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"qpipe/interp/command"
	"qpipe/interp/complete"
	"qpipe/lang/diag"
	"qpipe/lang/syntax"
)

const aboutFmt = `Bring pipeline files into the canonical format: indentation, alignment of "=" and of
comments. Nothing else changes.

Each argument is a file, a folder (its .hcl files; -recursive: also those in its
subfolders), or "-" for standard input to standard output; without one, the current
folder. The names of the files that change are listed. With -check nothing is written
and the exit code is 3 if a file is not formatted. -json lists every file that was looked
at, with what changes.`

// fmtFlags are the flags of `qpipe fmt`.
type fmtFlags struct{ check, diff, recursive, write, list, json bool }

func (a *app) fmtCmd() *cobra.Command {
	var f fmtFlags
	cmd := &cobra.Command{
		Use:               "fmt [FILE|FOLDER|-]…",
		Short:             "Format pipeline files",
		Long:              aboutFmt,
		Example:           "  qpipe fmt pipelines/\n  qpipe fmt -check -diff -recursive .\n  qpipe fmt - < draft.hcl",
		ValidArgsFunction: complete.Pipeline,
		RunE:              func(_ *cobra.Command, args []string) error { return a.format(f, args) },
	}
	fl := cmd.Flags()
	fl.BoolVar(&f.check, "check", false, "write nothing; exit 3 if a file is not formatted")
	fl.BoolVar(&f.diff, "diff", false, "show what changes")
	fl.BoolVar(&f.recursive, "recursive", false, "also the folders below")
	fl.BoolVar(&f.write, "write", true, "write the files")
	fl.BoolVar(&f.list, "list", true, "list the files that change")
	fl.BoolVar(&f.json, "json", false, "as JSON")
	return cmd
}

func (a *app) format(f fmtFlags, args []string) error {
	if len(args) == 0 {
		args = []string{"."}
	}
	var all diag.List
	sources := texts{}
	unformatted := false
	doc := fmtDocument{FormatVersion: diag.FormatVersion, Files: []fmtItem{}}
	for _, arg := range args {
		if arg == "-" {
			if f.json {
				return command.Wrong("-json does not go with -: the formatted text is the output")
			}
			changed, list := a.formatInput(f, sources)
			unformatted, all = unformatted || changed, append(all, list...)
			continue
		}
		files, list := syntax.Find(arg, f.recursive)
		if len(files) == 0 && len(list) == 0 {
			list = diag.List{{Code: diag.NoFiles, Severity: diag.Warning, Summary: fmt.Sprintf("the folder %s holds no .hcl file: there is nothing to format", arg)}}
		}
		all = append(all, list...)
		for _, name := range files {
			changed, list := a.formatFile(f, name, sources, &doc)
			unformatted, all = unformatted || changed, append(all, list...)
		}
	}
	var err error
	if f.json {
		doc.Items = diag.NewItems(all, sources.text)
		err = a.writeJSON(doc)
	} else {
		err = a.diagnostics(sources.text, all)
	}
	if err != nil {
		return err
	}
	if err := failed(all); err != nil || !f.check || !unformatted {
		return err
	}
	return exit(exitUnformatted)
}

// texts are the sources of the files that fmt has read.
type texts map[string][]byte

func (t texts) text(name string) []byte { return t[name] }

// fmtDocument is what `fmt -json` prints.
type fmtDocument struct {
	FormatVersion string    `json:"format_version"`
	Files         []fmtItem `json:"files"`
	diag.Items
}

// fmtItem is a file that could be read as HCL.
type fmtItem struct {
	File    string `json:"file"`
	Changed bool   `json:"changed"` // its text is not the canonical one
	Written bool   `json:"written"`
	Diff    string `json:"diff,omitempty"` // with -diff
}

// formatFile formats one file and says whether that changes it.
func (a *app) formatFile(f fmtFlags, name string, sources texts, doc *fmtDocument) (changed bool, list diag.List) {
	before, list := syntax.Read(name)
	if list.HasErrors() {
		return false, list
	}
	sources[name] = before
	after, list := syntax.Format(before, name)
	if list.HasErrors() {
		return false, list
	}
	item := fmtItem{File: name, Changed: !bytes.Equal(before, after)}
	if item.Changed && f.write && !f.check {
		list = syntax.Write(name, after)
		item.Written = !list.HasErrors()
	}
	if item.Changed && f.diff {
		item.Diff = string(syntax.Diff(name, before, after))
	}
	doc.Files = append(doc.Files, item)
	if item.Changed && !f.json && !list.HasErrors() {
		if f.list {
			fmt.Fprintln(a.Out, name)
		}
		fmt.Fprint(a.out.Raw(), item.Diff)
	}
	return item.Changed, list
}

// formatInput formats standard input to standard output.
func (a *app) formatInput(f fmtFlags, sources texts) (changed bool, list diag.List) {
	const name = "<stdin>"
	before, err := io.ReadAll(io.LimitReader(a.In, syntax.MaxBytes+1))
	if err != nil {
		return false, diag.List{{Code: diag.FileUnreadable, Summary: "cannot read standard input: " + err.Error()}}
	}
	sources[name] = before
	after, list := syntax.Format(before, name)
	changed = !bytes.Equal(before, after)
	switch {
	case list.HasErrors():
		return false, list
	case f.diff:
		fmt.Fprintf(a.out.Raw(), "%s", syntax.Diff(name, before, after))
	case !f.check:
		fmt.Fprintf(a.out.Raw(), "%s", after)
	}
	return changed, nil
}
