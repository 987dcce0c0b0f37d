package cli

import (
	"github.com/spf13/cobra"

	"qpipe/interp/command"
	"qpipe/interp/manual"
)

// docsCmd is for qpipe's own repository: the program writes its reference pages, so that they match what it does.
func (a *app) docsCmd() *cobra.Command {
	return &cobra.Command{
		Use:    "docs FOLDER",
		Short:  "Write the generated pages of the documentation into a folder",
		Hidden: true,
		Args:   command.Wants(1, 1, "one FOLDER"),
		RunE:   func(_ *cobra.Command, args []string) error { return manual.Manual{Catalog: a.catalog}.Write(args[0]) },
	}
}
