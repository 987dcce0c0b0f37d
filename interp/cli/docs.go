package cli

import "github.com/spf13/cobra"

// docsCmd is for qpipe's own repository: the reference pages are written by the
// program, so that they say what it does.
func (a *app) docsCmd() *cobra.Command {
	return &cobra.Command{
		Use:    "docs FOLDER",
		Short:  "Write the generated pages of the documentation into a folder",
		Hidden: true,
		Args:   args(cobra.ExactArgs(1)),
		RunE:   func(_ *cobra.Command, args []string) error { return a.docs(args[0]) },
	}
}

func (a *app) docs(dir string) error { return nil }
