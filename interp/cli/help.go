package cli

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"qpipe/interp/command"
	"qpipe/interp/manual"
)

// helpCmd is qpipe help, for a command or a topic.
func (a *app) helpCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND|TOPIC]",
		Short: "Show help for a command or a topic",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return command.Words(cmd.Root()), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			at, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return command.NoPage(at, cmp.Or(strings.Join(rest, " "), strings.Join(args, " ")))
			}
			return at.Help()
		},
	}
}

// help prints a command's help.
func (a *app) help(cmd *cobra.Command, _ []string) {
	if !a.mistaken(cmd) {
		fmt.Fprint(a.Out, command.Page(cmd, order(), a.paint(a.Out), a.columns()))
	}
}

// order is the order of the verbs in lists.
func order() []string {
	return []string{"validate", "plan", "run", "show", "eval", "predict", "bench", "graph", "fmt", "parts", "version"}
}

// mistaken notes an argument of a command that has only subcommands, or only a page.
func (a *app) mistaken(cmd *cobra.Command) bool {
	if words := cmd.Flags().Args(); len(words) > 0 && (!cmd.HasParent() || !cmd.Runnable()) {
		a.unknown = command.NoPage(cmd, words[0])
		return true
	}
	return false
}

// topics are pages of help that do not belong to a command.
func (a *app) topics() []*cobra.Command {
	var list []*cobra.Command
	for _, t := range (manual.Manual{Catalog: a.catalog}).Topics() {
		c := &cobra.Command{Use: t.Name, Short: t.Short}
		c.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
			if !a.mistaken(cmd) {
				fmt.Fprint(a.Out, t.Text(a.columns()))
			}
		})
		list = append(list, c)
	}
	return list
}
