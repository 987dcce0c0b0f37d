package cli

import (
	"cmp"
	"errors"

	"github.com/spf13/cobra"

	"qpipe/interp/artifact"
	"qpipe/interp/command"
	"qpipe/interp/runs"
	"qpipe/lang/diag"
)

const aboutShow = `Show what a file or a run contains: of a checkpoint or an int8 model the stage and
moment it was written at, its form, metrics, absorbed BNs and tensors; of a run's
folder its stages, metrics and outputs.`

func (a *app) showCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show FILE|RUN",
		Short:   "Show what a checkpoint, an int8 model or a run contains",
		Long:    aboutShow,
		Example: "  qpipe show runs/mnist\n  qpipe show runs/mnist/qat/last.safetensors\n  qpipe show -json runs/mnist | jq .stages",
		Args:    command.Wants(1, 1, "one FILE or RUN"),
		RunE:    func(_ *cobra.Command, args []string) error { return a.show(args[0], asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func (a *app) show(path string, asJSON bool) error {
	s := a.sheet()
	var described any
	if dir := runs.Folder(path); dir != "" {
		d, err := runs.Describe(dir)
		if err != nil {
			return a.fileError(err, asJSON)
		}
		described = d
		s.Run(d)
	} else {
		d, err := artifact.Describe(path)
		if err != nil {
			return a.fileError(err, asJSON)
		}
		described = d
		s.File(d)
	}
	if asJSON {
		return a.writeJSON(described)
	}
	_, err := a.Out.Write(s.Bytes())
	return err
}

// fileError shows an error about a file under its code, to a person or as JSON.
func (a *app) fileError(err error, asJSON bool) error {
	var f *artifact.FileError
	if !errors.As(err, &f) {
		return err
	}
	list := diag.List{{Code: f.Code, Summary: f.Error()}}
	if asJSON {
		return cmp.Or(diag.WriteJSON(a.out.Raw(), list, nil), failed(list))
	}
	if err := a.diagnostics(nil, list); err != nil {
		return err
	}
	return exit(exitFailed)
}
