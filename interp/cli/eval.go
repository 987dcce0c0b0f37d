package cli

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"qpipe/interp/command"
	"qpipe/interp/complete"
	"qpipe/interp/eval"
	"qpipe/interp/view"
	"qpipe/lang/diag"
	"qpipe/lang/files"
	"qpipe/lang/program"
)

// evalFlags are the flags of `qpipe eval`.
type evalFlags struct {
	command.Inputs
	data, out, dump        string
	images, batch, threads int
	ema, json              bool
}

func (a *app) evalCmd() *cobra.Command {
	var f evalFlags
	cmd := &cobra.Command{
		Use:   "eval MODEL [PIPELINE]",
		Short: "Evaluate a checkpoint or an int8 model, and dump what it computes",
		Long:  eval.About,
		Example: `  qpipe eval runs/mnist/int_infer/int8.safetensors -data dataset.test pipelines/mnist.hcl
  qpipe eval stage.qat.checkpoint.best -data dataset.test -ema pipelines/mnist.hcl
  qpipe eval stage.int_infer.checkpoint.int8 -data dataset.test -images 100 -dump dump pipelines/mnist.hcl`,
		Args:              command.Wants(1, 2, "a MODEL and a PIPELINE"),
		ValidArgsFunction: complete.First(complete.Pipeline, "safetensors"),
		RunE:              func(_ *cobra.Command, args []string) error { return a.eval(f, args[0], args[1:]) },
	}
	fl := cmd.Flags()
	f.Register(fl)
	fl.StringVar(&f.data, "data", "", "the data set, as `dataset.NAME`")
	fl.StringVar(&f.out, "out", "", "`FOLDER` of the run, for a reference (default runs/<name of the pipeline>)")
	fl.IntVar(&f.images, "images", 0, "the first `NUMBER` of images (default: all)")
	fl.IntVar(&f.batch, "batch", 64, "`NUMBER` of images at a time; never changes a result")
	fl.IntVar(&f.threads, "threads", 0, "`NUMBER` of threads (default: the pipeline's setting, else all cores); never changes a result")
	fl.BoolVar(&f.ema, "ema", false, "use the averaged weights of a checkpoint")
	fl.StringVar(&f.dump, "dump", "", "write what the network computes into this `FOLDER`")
	fl.BoolVar(&f.json, "json", false, "as JSON")
	_ = cmd.RegisterFlagCompletionFunc("data", complete.SecondDataset)
	return cmd
}

func (a *app) eval(f evalFlags, model string, args []string) error {
	if filepath.Ext(model) == ".hcl" {
		return command.Wrong("%s is a pipeline; name the model before it: qpipe eval MODEL -data dataset.NAME %[1]s", model)
	}
	if f.images < 0 {
		return command.Wrong("-images must not be negative")
	}
	if err := cmp.Or(command.Batch(f.batch, 1, program.MostImages), command.Threads(f.threads)); err != nil {
		return err
	}
	path, err := one(args)
	if err != nil {
		return err
	}
	set, err := a.kernels()
	if err != nil {
		return err
	}
	l, err := a.checked(path, f.Inputs, f.json)
	if err != nil {
		return err
	}
	data, err := command.Dataset(l.program, f.data)
	if err != nil {
		return err
	}
	out := f.out
	if strings.HasPrefix(model, "stage.") {
		if out, err = a.folder(l, f.out); err != nil {
			return err
		}
	}
	return a.evaluate(l, f, eval.Options{
		Model: model, Out: out, Data: data, Images: f.images, Batch: f.batch, EMA: f.ema, Dump: f.dump,
		Threads: f.threads, Memory: a.machine().Memory, Kernels: set, Clock: time.Now, FS: files.Folder,
	})
}

// evalDocument is what `eval -json` prints.
type evalDocument struct {
	FormatVersion string `json:"format_version"`
	*eval.Report
	diag.Items
}

// evaluate runs the evaluation until it ends or is interrupted, and shows the result.
func (a *app) evaluate(l *loaded, f evalFlags, o eval.Options) error {
	defer a.collect(garbage)()
	ctx, cancel := a.interruptible()
	defer cancel()
	report, list := func() (*eval.Report, diag.List) {
		if !f.json {
			show := a.display(false)
			defer show.Close()
			o.Events = show.Event
		}
		return eval.Run(ctx, l.program, a.catalog, o)
	}()
	if report == nil && ctx.Err() != nil {
		fmt.Fprintln(a.Err, "Interrupted; nothing was written.")
		return exit(exitInterrupted)
	}
	doc := evalDocument{diag.FormatVersion, report, diag.NewItems(list, l.files.Source)}
	return a.outcome(f.json, report != nil, doc, list, l.files.Source, func(s *view.Sheet) { s.Evaluation(report) })
}

// outcome shows the result of a verb (if there is one) and its diagnostics: as text, or as JSON the document.
func (a *app) outcome(asJSON, ok bool, doc any, list diag.List, src diag.Sources, text func(s *view.Sheet)) error {
	switch {
	case asJSON && !ok:
		return cmp.Or(diag.WriteJSON(a.out.Raw(), list, src), failed(list))
	case asJSON:
		return a.writeJSON(doc)
	}
	if err := a.diagnostics(src, list); err != nil || !ok {
		return cmp.Or(err, failed(list))
	}
	s := a.sheet()
	text(s)
	_, err := a.Out.Write(s.Bytes())
	return err
}
