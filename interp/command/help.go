package command

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"qpipe/interp/console"
)

// Words are the words that qpipe help understands, or the subcommands of a command.
func Words(cmd *cobra.Command) []string {
	var words []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand() {
			words = append(words, c.Name())
		}
	}
	return words
}

// NoPage is the error about a word that is neither a command nor a topic.
func NoPage(at *cobra.Command, word string) error {
	if at == nil || !at.HasParent() {
		return Wrong("unknown command or topic %q%s", word, console.DidYouMean(word, Words(at.Root()), ""))
	}
	return Wrong("%s has nothing that is called %q%s", at.CommandPath(), word, console.DidYouMean(word, Words(at), ""))
}

// Page is a command's help: its flags with one dash, and its subcommands in the given order.
func Page(cmd *cobra.Command, order []string, p console.Painter, columns int) string {
	var b strings.Builder
	about := cmd.Long
	if about == "" {
		about = cmd.Short + "."
	}
	if cmd.Runnable() {
		fmt.Fprintf(&b, "%s\n  %s\n\n", p.Bold("Usage"), usageLine(cmd))
	}
	fmt.Fprintln(&b, about)
	section := func(title string, lines []string) {
		if len(lines) > 0 {
			fmt.Fprintf(&b, "\n%s\n", p.Bold(title))
		}
		for _, line := range lines {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	commands, topics := subcommands(cmd, order)
	section("Commands", console.TwoColumns(commands, columns))
	section("Flags", console.TwoColumns(flagRows(cmd.NonInheritedFlags()), columns))
	section("Flags of every command", console.TwoColumns(flagRows(cmd.InheritedFlags()), columns))
	if cmd.Example != "" {
		section("Examples", strings.Split(strings.ReplaceAll("\n"+cmd.Example, "\n  ", "\n")[1:], "\n"))
	}
	section("Topics", console.TwoColumns(topics, columns))
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s COMMAND --help shows more about a command.\n", cmd.CommandPath())
	}
	return b.String()
}

func usageLine(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return cmd.Name() + " COMMAND [flags] [arguments]"
	}
	name, arguments, _ := strings.Cut(cmd.Use, " ")
	return strings.TrimSpace(fmt.Sprintf("%s %s [flags] %s", cmd.Parent().CommandPath(), name, arguments))
}

// subcommands lists the commands in the given order, and the topics.
func subcommands(cmd *cobra.Command, order []string) (commands, topics [][2]string) {
	all := slices.Clone(cmd.Commands())
	slices.SortStableFunc(all, func(x, y *cobra.Command) int { return cmp.Compare(rank(x, order), rank(y, order)) })
	for _, c := range all {
		switch {
		case c.IsAvailableCommand() && c.Name() != "help":
			commands = append(commands, [2]string{c.Name(), c.Short})
		case c.IsAdditionalHelpTopicCommand():
			topics = append(topics, [2]string{cmd.CommandPath() + " help " + c.Name(), c.Short})
		}
	}
	return commands, topics
}

// rank is a command's place in the list.
func rank(c *cobra.Command, order []string) int {
	if i := slices.Index(order, c.Name()); i >= 0 {
		return i
	}
	return len(order)
}

// flagRows lists flags with their values and meanings.
func flagRows(flags *pflag.FlagSet) [][2]string {
	var rows [][2]string
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "-" + f.Name
		switch {
		case f.Value.Type() == "bool" && f.DefValue == "true":
			name += "=false"
			usage = "do not " + usage
		case f.NoOptDefVal != "" && f.Value.Type() != "bool":
			name += "[=" + value + "]"
		case value != "":
			name += " " + value
		}
		rows = append(rows, [2]string{name, usage})
	})
	return rows
}
