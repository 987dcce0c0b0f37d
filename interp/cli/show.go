package cli

import (
	"cmp"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"qpipe/interp/artifact"
	"qpipe/interp/command"
	"qpipe/interp/place"
	"qpipe/interp/runs"
	"qpipe/lang/diag"
)

const aboutShow = `Show what a file, a run or a data set contains: of a checkpoint or an int8 model the
stage and moment it was written at, its form, metrics, absorbed BNs and tensors; of a
run's folder its stages, metrics and outputs; of a data set of a pipeline its size and
shape, how many samples each class has, and the mean and deviation of its values.

-png draws the first images of a training as the network is fed them, after all
transforms.`

// showFlags are the flags of `qpipe show`.
type showFlags struct {
	command.Inputs
	json   bool
	png    string
	images int
}

func (a *app) showCmd() *cobra.Command {
	var f showFlags
	cmd := &cobra.Command{
		Use:   "show FILE|RUN|dataset.NAME [PIPELINE]",
		Short: "Show what a checkpoint, an int8 model, a run or a data set contains",
		Long:  aboutShow,
		Example: "  qpipe show runs/mnist\n  qpipe show runs/mnist/qat/last.safetensors\n  qpipe show -json runs/mnist | jq .stages\n" +
			"  qpipe show dataset.train -png train.png pipelines/mnist.hcl",
		Args: command.Wants(1, 2, "one FILE or RUN, or dataset.NAME and a PIPELINE"),
		RunE: func(_ *cobra.Command, args []string) error {
			if strings.HasPrefix(args[0], "dataset.") {
				return a.showData(f, args[0], args[1:])
			}
			if len(args) > 1 || f.png != "" || f.images != 0 {
				return command.Wrong("a pipeline, -png and -images are for data sets: qpipe show dataset.NAME PIPELINE")
			}
			return a.show(args[0], f.json)
		},
	}
	fl := cmd.Flags()
	f.Register(fl)
	fl.BoolVar(&f.json, "json", false, "as JSON")
	fl.StringVar(&f.png, "png", "", "draw images of a data set into this `FILE`")
	fl.IntVar(&f.images, "images", 0, "look at the first `NUMBER` of images of a data set (default: all)")
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
	var p *place.Error
	if !errors.As(err, &f) && !errors.As(err, &p) {
		return err
	}
	list := diag.List{place.As(err).Diagnostic}
	if asJSON {
		return cmp.Or(diag.WriteJSON(a.out.Raw(), list, nil), failed(list))
	}
	if err := a.diagnostics(nil, list); err != nil {
		return err
	}
	return exit(exitFailed)
}
