package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"qpipe/interp/command"
	"qpipe/interp/console"
	"qpipe/interp/reference"
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
	docs := reference.Of(a.catalog)
	named := false
	for _, word := range words {
		kept := slices.DeleteFunc(slices.Clone(docs), func(d reference.Doc) bool {
			return string(d.Kind) != word && d.Name != word
		})
		if len(kept) == 0 {
			return command.Wrong("no part or kind of parts is called %q%s", word, console.DidYouMean(word, partWords(docs), ""))
		}
		named = named || kept[0].Name == word
		docs = kept
	}
	if asJSON {
		return a.writeJSON(docs)
	}
	s := a.sheet()
	if named {
		for _, d := range docs {
			s.Part(d)
		}
	} else {
		s.Shelves(docs)
	}
	_, err := a.Out.Write(s.Bytes())
	return err
}

// partWords are the words that `qpipe parts` understands.
func partWords(docs []reference.Doc) []string {
	var words []string
	for _, d := range docs {
		words = append(words, string(d.Kind), d.Name)
	}
	slices.Sort(words)
	return slices.Compact(words)
}

func (a *app) completePart(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return partWords(reference.Of(a.catalog)), cobra.ShellCompDirectiveNoFileComp
}
