package cli

import (
	"github.com/spf13/cobra"

	"qpipe/lang/program"
)

const aboutParts = `List the parts that a pipeline can name: all of them, those of a kind, or one with
its arguments, their types and defaults.`

func (a *app) partsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "parts [KIND] [NAME]",
		Short:   "List the parts that a pipeline can name, with their arguments",
		Long:    aboutParts,
		Example: "  qpipe parts\n  qpipe parts callback\n  qpipe parts FuseBN",
		Args:    args(cobra.MaximumNArgs(2)),
		RunE:    func(_ *cobra.Command, args []string) error { return a.parts(args) },
	}
	return cmd
}

// kinds are the shelves, in the order in which they are listed.
func kinds() []program.Kind {
	return []program.Kind{
		program.DatasetKind, program.TransformKind, program.ModelKind, program.OptimizerKind, program.LRUpdaterKind,
		program.LossKind, program.MetricKind, program.CallbackKind, program.ConverterKind, program.ObserverKind, program.ExportKind,
	}
}

func (a *app) parts(args []string) error {
	return nil
}
