package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"qpipe/interp/command"
	"qpipe/interp/complete"
	"qpipe/interp/console"
	"qpipe/interp/export"
	"qpipe/interp/view"
	"qpipe/lang/diag"
)

func (a *app) exportCmd() *cobra.Command {
	var f export.Flags
	cmd := &cobra.Command{
		Use:   "export MODEL",
		Short: "Write a trained model as an ONNX file, or for other programs",
		Long:  export.About,
		Example: `  qpipe export runs/mnist/int_infer/int8.safetensors
  qpipe export -set format=qoperator -set file=mnist.onnx -out deploy runs/mnist/int_infer/int8.safetensors
  qpipe export -to Encodings runs/mnist/int_infer/int8.safetensors`,
		Args:              command.Wants(1, 1, "one MODEL"),
		ValidArgsFunction: complete.First(nil, "safetensors"),
		RunE:              func(_ *cobra.Command, args []string) error { return a.export(f, args[0]) },
	}
	f.Register(cmd.Flags())
	return cmd
}

// exportDocument is what `export -json` prints.
type exportDocument struct {
	FormatVersion string `json:"format_version"`
	*export.Report
}

func (a *app) export(f export.Flags, word string) error {
	r, err := export.Run(f, word, a.catalog, version)
	if err != nil {
		return a.fileError(err, f.JSON)
	}
	return a.outcome(f.JSON, true, exportDocument{diag.FormatVersion, r}, nil, nil, func(s *view.Sheet) {
		for _, file := range r.Files {
			fmt.Fprintf(s, "%s: %d bytes, the %s model of %s\n", console.Printable(file.Path), file.Bytes, r.Form, console.Printable(r.Model))
		}
	})
}
