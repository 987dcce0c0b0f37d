package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"qpipe/interp/complete"
	"qpipe/interp/console"
	"qpipe/interp/exec"
	"qpipe/interp/view"
	"qpipe/lang/diag"
)

const aboutPlan = `Show what a run would do, and why, without doing it: which stages are up to date,
which would run, which cannot because of another; and how each node of a network is
quantized, with the overrides that say so.

With -detailed-exitcode the exit code is 0 if there is nothing to do, 2 if something
would run, 1 if the pipeline is wrong.`

func (a *app) planCmd() *cobra.Command {
	var f runFlags
	var detailed, nodes bool
	cmd := &cobra.Command{
		Use:               "plan [PIPELINE]",
		Short:             "Show what a run would do, and why",
		Long:              aboutPlan,
		Example:           "  qpipe plan pipelines/mnist.hcl\n  qpipe plan -detailed-exitcode -json pipelines/mnist.hcl",
		ValidArgsFunction: complete.Pipeline,
		RunE:              func(_ *cobra.Command, args []string) error { return a.showPlan(f, args, detailed, nodes) },
	}
	fl := cmd.Flags()
	f.Register(fl)
	f.choose(fl)
	fl.BoolVar(&f.json, "json", false, "as JSON")
	fl.BoolVar(&nodes, "nodes", false, "every node, also those that no override selects")
	fl.BoolVar(&detailed, "detailed-exitcode", false, "exit 2 if something would run")
	_ = cmd.RegisterFlagCompletionFunc("stage", complete.Stage)
	return cmd
}

// planDocument is what `plan -json` prints.
type planDocument struct {
	FormatVersion string                  `json:"format_version"`
	Out           string                  `json:"out"`
	Changes       bool                    `json:"changes"` // something would run
	Stages        []exec.Decision         `json:"stages"`
	Quantization  []view.QuantizationItem `json:"quantization"`
	diag.Items
}

func (a *app) showPlan(f runFlags, args []string, detailed, nodes bool) error {
	path, err := one(args)
	if err != nil {
		return err
	}
	l, err := a.staged(path, f.Inputs, f.json)
	if err != nil {
		return err
	}
	o, err := a.options(l, f)
	if err != nil {
		return err
	}
	decisions, list := exec.Explain(l.plan, o)
	changes := slices.ContainsFunc(decisions, func(d exec.Decision) bool { return d.Run })
	if f.json {
		err = a.writeJSON(planDocument{
			diag.FormatVersion, o.Out, changes, append([]exec.Decision{}, decisions...),
			view.QuantizationItems(l.plan), l.report(list),
		})
	} else if err = a.decisions(l, o.Out, decisions, list); err == nil {
		s := a.sheet()
		s.Nodes(l.plan, nodes)
		fmt.Fprint(a.Out, s)
	}
	if err == nil {
		err = failed(list)
	}
	if err == nil && detailed && changes {
		return exit(exitPending)
	}
	return err
}

// decisions prints a line for each stage.
func (a *app) decisions(l *loaded, out string, decisions []exec.Decision, list diag.List) error {
	if err := a.diagnostics(l.files.Source, list); err != nil {
		return err
	}
	p := a.paint(a.Out)
	run := 0
	rows := make([][]string, 0, len(decisions))
	for _, d := range decisions {
		what := "up to date"
		if d.Run {
			what, run = "run", run+1
		}
		memory := ""
		if d.Memory > 0 {
			memory = "about " + console.Size(d.Memory)
		}
		rows = append(rows, []string{d.Stage, what, memory, d.Reason})
	}
	for i, line := range console.Table(rows, "llrl") {
		if decisions[i].Run {
			line = p.Bold(line)
		}
		fmt.Fprintln(a.Out, line)
	}
	if list.HasErrors() {
		return nil
	}
	if run == 0 {
		fmt.Fprintf(a.Out, "Nothing to do: %s is up to date.\n", console.Printable(out))
	} else {
		fmt.Fprintf(a.Out, "%d of %s would run, into %s.\n", run, console.Count(len(decisions), "stage"), console.Printable(out))
	}
	return nil
}
