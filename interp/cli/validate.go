package cli

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"qpipe/interp/command"
	"qpipe/interp/complete"
	"qpipe/interp/console"
	"qpipe/lang/diag"
)

const aboutValidate = `Check pipelines without data and without training, and report every mistake in one
run: names, types and values, the networks with all their shapes, selectors,
schedules, the order of converters, checkpoints, and whether the result can be
converted to int8.

Each PIPELINE is a .hcl file, or a folder whose .hcl files are one pipeline; without
one, the current folder. The exit code is 0 if all are valid (warnings allowed), else 1.`

func (a *app) validateCmd() *cobra.Command {
	var in command.Inputs
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "validate [PIPELINE…]",
		Short: "Check pipelines, without data and without training",
		Long:  aboutValidate,
		Example: `  qpipe validate pipelines/mnist.hcl
  qpipe validate -var data_dir=data/mnist pipelines/*.hcl
  qpipe validate -json pipelines/mnist.hcl | jq .diagnostics`,
		ValidArgsFunction: complete.Pipeline,
		RunE:              func(_ *cobra.Command, args []string) error { return a.validate(in, args, asJSON) },
	}
	in.Register(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "the diagnostics as JSON")
	return cmd
}

func (a *app) validate(in command.Inputs, args []string, asJSON bool) error {
	if len(args) == 0 {
		path, err := one(args)
		if err != nil {
			return err
		}
		args = []string{path}
	}
	var all diag.List
	var sources []diag.Sources
	for _, path := range args {
		began := time.Now()
		l := a.lower(path, in)
		all, sources = append(all, l.diags...), append(sources, l.files.Source)
		if asJSON {
			continue
		}
		if err := a.diagnostics(l.files.Source, l.diags); err != nil {
			return err
		}
		if !l.diags.HasErrors() {
			fmt.Fprintln(a.Out, a.verdict(l, time.Since(began)))
		}
	}
	if asJSON {
		if err := diag.WriteJSON(a.out.Raw(), all, firstOf(sources)); err != nil {
			return err
		}
	}
	return failed(all)
}

// verdict is the line for a pipeline without errors.
func (a *app) verdict(l *loaded, took time.Duration) string {
	return fmt.Sprintf("%s %s: %s, %s, checked in %s", a.paint(a.Out).Green("valid"), console.Printable(l.path),
		console.Count(len(l.program.Stages), "stage"), console.Count(len(l.program.Models), "model"), console.Seconds(took.Seconds()))
}

// firstOf looks for a source text in several pipelines.
func firstOf(sources []diag.Sources) diag.Sources {
	return func(name string) []byte {
		for _, s := range sources {
			if text := s(name); text != nil {
				return text
			}
		}
		return nil
	}
}

// failed is the exit code for a list of diagnostics that has been shown.
func failed(l diag.List) error {
	switch {
	case hasBug(l):
		return exit(exitBug)
	case slices.ContainsFunc(l, func(d *diag.Diagnostic) bool { return d.Code == diag.UnknownStage }):
		return exit(exitUsage)
	case l.HasErrors():
		return exit(exitFailed)
	}
	return nil
}
