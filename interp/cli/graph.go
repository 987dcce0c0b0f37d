package cli

import (
	"github.com/spf13/cobra"

	"qpipe/interp/command"
	"qpipe/interp/graph"
	"qpipe/interp/view"
	"qpipe/lang/diag"
)

const aboutGraph = `Draw the stage graph: what runs after what, what each stage reads and leaves.

  text     a tree for people (default)
  dot      for Graphviz: qpipe graph -format=dot x.hcl | dot -Tsvg
  mermaid  for pages that render it

-json prints it as data.`

func (a *app) graphCmd() *cobra.Command {
	var in inputs
	var format string
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "graph [PIPELINE]",
		Short:             "Draw the stage graph",
		Long:              aboutGraph,
		ValidArgsFunction: completePipeline,
		RunE:              func(_ *cobra.Command, args []string) error { return a.graph(in, args, format, asJSON) },
	}
	in.register(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	cmd.Flags().StringVar(&format, "format", "text", "`FORMAT`: text, dot or mermaid")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"text", "dot", "mermaid"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) graph(in inputs, args []string, format string, asJSON bool) error {
	draw := map[string]func(*view.Sheet, *graph.Plan){"text": (*view.Sheet).Stages, "dot": (*view.Sheet).DOT, "mermaid": (*view.Sheet).Mermaid}[format]
	if draw == nil {
		return command.Wrong("-format must be text, dot or mermaid, not %q", format)
	}
	path, err := one(args)
	if err != nil {
		return err
	}
	l, err := a.sound(path, in, asJSON)
	if err != nil {
		return err
	}
	if asJSON {
		return a.writeJSON(graphDocument{diag.FormatVersion, l.program.Name, view.StageItems(l.plan), l.report(nil)})
	}
	s := a.sheet()
	draw(s, l.plan)
	to := a.Out
	if format != "text" {
		to = a.out.Raw()
	}
	_, err = to.Write(s.Bytes())
	return err
}

// graphDocument is what `graph -json` prints.
type graphDocument struct {
	FormatVersion string           `json:"format_version"`
	Program       string           `json:"program"`
	Stages        []view.StageItem `json:"stages"` // in a possible order of execution
	diag.Items
}
