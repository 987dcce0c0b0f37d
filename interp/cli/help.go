package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"qpipe/interp/console"
	"qpipe/lang/notation"
)

// helpCmd is qpipe help, of a command or a topic.
func (a *app) helpCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND|TOPIC]",
		Short: "Tell of a command or a topic",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return pages(cmd.Root()), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			at, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return noPage(at, cmp.Or(strings.Join(rest, " "), strings.Join(args, " ")))
			}
			return at.Help()
		},
	}
}

// pages are the words that qpipe help understands, or those below another command.
func pages(cmd *cobra.Command) []string {
	var words []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand() {
			words = append(words, c.Name())
		}
	}
	return words
}

// noPage is the error about a word that is neither a command nor a topic.
func noPage(at *cobra.Command, word string) error {
	if at == nil || !at.HasParent() {
		return usagef("unknown command or topic %q%s", word, didYouMean(word, pages(at.Root()), ""))
	}
	return usagef("%s has nothing that is called %q%s", at.CommandPath(), word, didYouMean(word, pages(at), ""))
}

// help prints a command's help, with flags as the HCL family writes them.
func (a *app) help(cmd *cobra.Command, _ []string) {
	if a.mistaken(cmd) {
		return
	}
	var b strings.Builder
	p := a.paint(a.Out)
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
	columns := min(console.Width(a.Out), 100)
	commands, topics := subcommands(cmd)
	section("Commands", twoColumns(commands, columns))
	section("Flags", twoColumns(flagRows(cmd.NonInheritedFlags()), columns))
	section("Flags of every command", twoColumns(flagRows(cmd.InheritedFlags()), columns))
	if cmd.Example != "" {
		section("Examples", strings.Split(strings.ReplaceAll("\n"+cmd.Example, "\n  ", "\n")[1:], "\n"))
	}
	section("Topics", twoColumns(topics, columns))
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s COMMAND --help tells more of a command.\n", cmd.CommandPath())
	}
	fmt.Fprint(a.Out, b.String())
}

// mistaken notes an argument of a command that only has commands below it, or only a page.
func (a *app) mistaken(cmd *cobra.Command) bool {
	if words := cmd.Flags().Args(); len(words) > 0 && (!cmd.HasParent() || !cmd.Runnable()) {
		a.unknown = noPage(cmd, words[0])
		return true
	}
	return false
}

func usageLine(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return cmd.Name() + " COMMAND [flags] [arguments]"
	}
	name, arguments, _ := strings.Cut(cmd.Use, " ")
	return strings.TrimSpace(fmt.Sprintf("%s %s [flags] %s", cmd.Parent().CommandPath(), name, arguments))
}

// subcommands lists the commands in the order of their use, and the topics.
func subcommands(cmd *cobra.Command) (commands, topics [][2]string) {
	all := slices.Clone(cmd.Commands())
	slices.SortStableFunc(all, func(x, y *cobra.Command) int { return cmp.Compare(rank(x), rank(y)) })
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
func rank(c *cobra.Command) int {
	order := []string{"validate", "plan", "run", "show", "eval", "bench", "graph", "fmt", "parts", "version"}
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

// twoColumns lays out names and texts; texts are wrapped.
func twoColumns(rows [][2]string, columns int) []string {
	left := 0
	for _, r := range rows {
		left = max(left, len(r[0]))
	}
	var lines []string
	for _, r := range rows {
		name := r[0]
		for _, text := range wrapped(r[1], max(columns-left-4, 30)) {
			lines = append(lines, fmt.Sprintf("%-*s  %s", left, name, text))
			name = ""
		}
	}
	return lines
}

// wrapped breaks a text at spaces.
func wrapped(text string, columns int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case len(*last)+1+len(word) <= columns:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

// topics are pages of help that belong to no command. Their texts are made when
// they are asked for.
func (a *app) topics() []*cobra.Command {
	page := func(name, short string, text func() string) *cobra.Command {
		c := &cobra.Command{Use: name, Short: short}
		c.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
			if !a.mistaken(cmd) {
				fmt.Fprint(a.Out, text())
			}
		})
		return c
	}
	return []*cobra.Command{
		page("qconfig", "the attributes of `activation` and `weight`", a.aboutQConfig),
		page("schedules", "the notation of `when`", func() string {
			return "A schedule says when a callback acts. Points count from 0 and name the moment before\n" +
				"the epoch or step of that number.\n\n" + notation.ScheduleEBNF() + "\n"
		}),
		page("selectors", "the notation of `modules` and `override`", func() string {
			return "A selector names nodes of the network: a module and all that is below it.\n\n" + notation.SelectorEBNF() + "\n"
		}),
		page("environment", "the variables that qpipe looks at", func() string { return aboutEnvironment }),
	}
}

const aboutEnvironment = `QPIPE_VAR_NAME   the value of the pipeline's variable NAME; -var and *.auto.qvars are stronger
QPIPE_KERNELS    the kernel set: one of those that "qpipe version -json" lists
NO_COLOR         no colours, if it is not empty

Exit codes: 0 fine; 1 the pipeline is wrong or a stage failed; 2 the command line is wrong,
or plan -detailed-exitcode found something to do; 3 a bug in qpipe, or fmt -check found a
file that is not formatted; 130 interrupted, with a checkpoint, or nobody
reads the output of a run any more.
`
