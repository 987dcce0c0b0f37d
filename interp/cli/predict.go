package cli

import (
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"qpipe/interp/command"
	"qpipe/interp/complete"
	"qpipe/interp/picture"
	"qpipe/interp/predict"
	"qpipe/interp/view"
	"qpipe/lang/diag"
)

func (a *app) predictCmd() *cobra.Command {
	var f predict.Flags
	cmd := &cobra.Command{
		Use:   "predict MODEL FILES…",
		Short: "Say what a trained network sees in images",
		Long:  predict.About,
		Example: `  qpipe predict runs/sign_digits/int8/int8.safetensors photo.jpg
  qpipe predict stage.int8.checkpoint.int8 -out runs/sign_digits -top 1 photos
  qpipe predict runs/streets/int8/int8.safetensors -mask masks streets/val/images
  qpipe predict net.onnx -resize 256 -crop 224 -mean 0.485,0.456,0.406 -std 0.229,0.224,0.225 cat.jpg`,
		Args:              command.Wants(2, 1<<20, "a MODEL and image FILES"),
		ValidArgsFunction: complete.First(nil, "safetensors", "onnx"),
		RunE:              func(_ *cobra.Command, args []string) error { return a.predict(f, args) },
	}
	f.Register(cmd.Flags())
	return cmd
}

// single is the percentage of garbage while one image is looked at, which is over before it is worth collecting.
const single = 1600

// predictDocument is what `predict -json` prints.
type predictDocument struct {
	FormatVersion string `json:"format_version"`
	*predict.Report
	diag.Items
}

func (a *app) predict(f predict.Flags, args []string) error {
	percent := reading
	if len(args) == 2 && picture.Named(args[1]) {
		percent = single
	}
	defer a.collect(percent)()
	set, err := a.kernels()
	if err != nil {
		return err
	}
	o, err := f.Options(args, runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	o.Kernels, o.Memory, o.Clock = set.Name, a.machine().Memory, time.Now
	ctx, cancel := a.interruptible()
	defer cancel()
	report, list := func() (*predict.Report, diag.List) {
		if !f.JSON {
			show := a.display(false)
			defer show.Close()
			o.Events, o.Each = show.Event, a.predicted
		}
		return predict.Run(ctx, o)
	}()
	if report == nil && ctx.Err() != nil {
		fmt.Fprintln(a.Err, "Interrupted.")
		return exit(exitInterrupted)
	}
	doc := predictDocument{diag.FormatVersion, report, diag.NewItems(list, nil)}
	if err := a.outcome(f.JSON, report != nil, doc, list, nil, func(*view.Sheet) {}); err != nil || report.Failed == 0 {
		return err
	}
	return exit(exitFailed)
}

// predicted shows what is found in a file.
func (a *app) predicted(p predict.Prediction) {
	if p.Error != "" {
		a.errorf("%s: %s", p.File, p.Error)
		return
	}
	s := a.sheet()
	s.Prediction(p)
	_, _ = a.Out.Write(s.Bytes()) // the stream remembers a failed write
}
