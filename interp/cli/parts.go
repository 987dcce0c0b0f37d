package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"qpipe/interp/console"
	"qpipe/interp/part"
)

const aboutParts = `List the parts that a pipeline can name: all of them, those of a kind (dataset,
callback, …), or one with its arguments, their types and defaults.`

func (a *app) partsCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "parts [KIND|NAME]…",
		Short:             "List the parts that a pipeline can name, with their arguments",
		Long:              aboutParts,
		Example:           "  qpipe parts\n  qpipe parts callback\n  qpipe parts FuseBN",
		ValidArgsFunction: a.completePart,
		RunE:              func(_ *cobra.Command, args []string) error { return a.parts(args, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func (a *app) parts(words []string, asJSON bool) error {
	docs := a.catalog.Reference()
	named := false
	for _, word := range words {
		kept := slices.DeleteFunc(slices.Clone(docs), func(d part.Doc) bool {
			return string(d.Kind) != word && d.Name != word
		})
		if len(kept) == 0 {
			return usagef("no part or kind of parts is called %q%s", word, didYouMean(word, partWords(docs), ""))
		}
		named = named || kept[0].Name == word
		docs = kept
	}
	if asJSON {
		return a.writeJSON(docs)
	}
	var b strings.Builder
	if named {
		for _, d := range docs {
			a.part(&b, d)
		}
	} else {
		a.shelves(&b, docs)
	}
	_, err := io.WriteString(a.Out, b.String())
	return err
}

// partWords are the words that `qpipe parts` understands.
func partWords(docs []part.Doc) []string {
	var words []string
	for _, d := range docs {
		words = append(words, string(d.Kind), d.Name)
	}
	slices.Sort(words)
	return slices.Compact(words)
}

func (a *app) completePart(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return partWords(a.catalog.Reference()), cobra.ShellCompDirectiveNoFileComp
}

// shelves lists parts by kind, a line each.
func (a *app) shelves(b *strings.Builder, docs []part.Doc) {
	p := a.paint(a.Out)
	left := 0
	for _, d := range docs {
		left = max(left, len(d.Name))
	}
	for i, d := range docs {
		if i == 0 || docs[i-1].Kind != d.Kind {
			if i > 0 {
				b.WriteString("\n")
			}
			fmt.Fprintln(b, p.Bold(string(d.Kind)))
		}
		name := d.Name
		for _, text := range wrapped(d.Doc, max(min(console.Width(a.Out), 100)-left-4, 30)) {
			fmt.Fprintf(b, "  %-*s  %s\n", left, name, text)
			name = ""
		}
	}
}

// part prints one part with its arguments.
func (a *app) part(b *strings.Builder, d part.Doc) {
	p := a.paint(a.Out)
	fmt.Fprintf(b, "%s %s\n  %s\n", d.Kind, p.Bold(d.Name), strings.Join(wrapped(d.Doc, min(console.Width(a.Out), 100)-2), "\n  "))
	for _, m := range [][2]string{{"when", d.When}, {"modules", d.Modules}} {
		if m[1] != "" {
			fmt.Fprintf(b, "  takes `%s` (%s)\n", m[0], m[1])
		}
	}
	rows := make([][2]string, 0, len(d.Args))
	for _, arg := range d.Args {
		rows = append(rows, [2]string{arg.Name, argument(arg)})
	}
	if len(rows) > 0 {
		b.WriteString("\n")
	}
	for _, line := range twoColumns(rows, min(console.Width(a.Out), 100)) {
		fmt.Fprintf(b, "  %s\n", line)
	}
}

// argument says what an argument takes.
func argument(a part.ArgDoc) string {
	s := a.Type + ", required. "
	if !a.Required {
		s = fmt.Sprintf("%s, default %s. ", a.Type, a.Default)
	}
	s += a.Doc
	if len(a.OneOf) > 0 {
		s += " One of " + strings.Join(a.OneOf, ", ") + "."
	}
	return s
}
