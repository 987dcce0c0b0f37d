package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"qpipe/interp/command"
	"qpipe/interp/complete"
	"qpipe/interp/event"
	"qpipe/interp/place"
	"qpipe/interp/verify"
	"qpipe/interp/view"
	"qpipe/lang/diag"
	"qpipe/lang/files"
	"qpipe/lang/program"
	"qpipe/ops/kernel/sets"
)

func (a *app) verifyCmd() *cobra.Command {
	var f verify.Flags
	cmd := &cobra.Command{
		Use:   "verify RUN|MODEL [PIPELINE]",
		Short: "Compare an int8 model's integers with everything that promises the same",
		Long:  verify.About,
		Example: `  qpipe verify runs/quickstart
  qpipe verify runs/mnist/int_infer/int8.safetensors -against net.onnx
  qpipe verify int8.safetensors -trained last.safetensors -data dataset.test pipeline.hcl`,
		Args:              command.Wants(1, 2, "a RUN or a MODEL, and a PIPELINE"),
		ValidArgsFunction: complete.First(complete.Pipeline, "safetensors"),
		RunE:              func(_ *cobra.Command, args []string) error { return a.verify(f, args) },
	}
	f.Register(cmd.Flags())
	_ = cmd.RegisterFlagCompletionFunc("data", complete.SecondDataset)
	return cmd
}

func (a *app) verify(f verify.Flags, args []string) error {
	if err := command.Batch(f.Batch, 1, program.MostImages); err != nil {
		return err
	}
	if f.Images < 1 || f.Images > program.MostImages || f.Slow < 1 {
		return command.Wrong("-images and -written are numbers of images from 1 to %d", program.MostImages)
	}
	for _, n := range f.Threads {
		if err := command.Threads(n); err != nil {
			return err
		}
	}
	path, err := verify.Pipeline(args[0])
	if err != nil {
		return a.fileError(err, f.JSON)
	}
	if len(args) == 2 {
		path = args[1]
	}
	r := &verify.Request{
		Flags: f, Subject: args[0], Catalog: a.catalog, FS: files.Folder, Sets: sets.All(), Python: a.Getenv("QPIPE_PYTHON"), Version: version,
	}
	var src diag.Sources
	if path != "" {
		l, err := a.checked(path, f.Inputs, f.JSON)
		if err != nil {
			return err
		}
		r.Program, src = l.program, l.files.Source
	}
	ctx, cancel := a.interruptible()
	defer cancel()
	c, at, err := func() (*verify.Certificate, string, error) {
		if !f.JSON {
			show, began := a.display(false), time.Now()
			defer show.Close()
			r.Tick = func(done, of int) {
				show.Event(event.Event{Data: event.After("verify", done, of, time.Since(began).Seconds())})
			}
		}
		return verify.Verify(ctx, r)
	}()
	if ctx.Err() != nil {
		fmt.Fprintln(a.Err, "Interrupted; nothing was written.")
		return exit(exitInterrupted)
	}
	var list diag.List
	if err != nil {
		list = diag.List{place.As(err).Diagnostic}
	}
	if err := a.outcome(f.JSON, err == nil, c, list, src, func(s *view.Sheet) { s.Verification(c, at) }); err != nil || c.Equal {
		return err
	}
	return exit(exitFailed)
}
