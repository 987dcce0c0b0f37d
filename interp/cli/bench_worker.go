package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"qpipe/interp/bench"
	"qpipe/interp/command"
	"qpipe/ops/engine"
)

const aboutWorker = `Do one piece of work again and again, as a line of the standard input says, so that
a script can time it in turns with other programs. WORK is one of

  train NET FORM       a training step: float, fuse_bn, with_bn or with_bn_reverse_fold
  infer NET            a forward pass, of the int8 model or with -form float the float one
  conv SHAPE KIND N    one convolution kernel on N images
  peak KIND            the best of the kernel set's convolutions: f32 or int8
  save NET FILE        write the int8 model of a network, and end
  shapes               list the convolutions: channels in and out, side, kernel, stride, padding, groups

NET is what qpipe bench takes, without pipelines. After one run the worker prints
"ready items=N"; "run K" is answered with "ns TOTAL"; "quit" ends it.`

// workerFlags are the flags of `qpipe bench-worker`.
type workerFlags struct {
	batch, threads int
	form           string
}

// benchWorkerCmd is for the scripts in bench/peers that compare programs.
func (a *app) benchWorkerCmd() *cobra.Command {
	var f workerFlags
	cmd := &cobra.Command{
		Use: "bench-worker WORK…", Short: "Do one piece of work in turns with other programs", Long: aboutWorker,
		Hidden: true, Args: command.Wants(1, 4, "WORK"),
		RunE: func(_ *cobra.Command, args []string) error { return a.benchWorker(f, args) },
	}
	fl := cmd.Flags()
	fl.IntVar(&f.batch, "batch", 0, "`NUMBER` of images at a time (default: 64 to train, 1 to infer)")
	fl.IntVar(&f.threads, "threads", 0, "`NUMBER` of threads (default: all cores)")
	fl.StringVar(&f.form, "form", bench.Int8, "of infer: `FORM` int8 or float")
	return cmd
}

func (a *app) benchWorker(f workerFlags, args []string) error {
	set, err := a.kernels()
	if err != nil {
		return err
	}
	if err := cmp.Or(command.Batch(f.batch, 0, bench.MostBatch), command.Threads(f.threads)); err != nil {
		return err
	}
	if f.threads == 0 {
		f.threads = runtime.GOMAXPROCS(0)
	}
	pool := engine.NewWorkers(f.threads)
	defer pool.Close()
	what, rest := args[0], args[1:]
	if n, ok := map[string]int{"train": 2, "infer": 1, "conv": 3, "peak": 1, "save": 2, "shapes": 0}[what]; !ok || len(rest) != n {
		return command.Wrong("bench-worker %s is not understood", strings.Join(args, " "))
	}
	return a.work(f, what, rest, a.lab(set), pool)
}

// work performs the work that the first word names; the other words are its arguments.
func (a *app) work(f workerFlags, what string, rest []string, lab *bench.Lab, pool *engine.Workers) (err error) {
	var w *bench.Work
	switch what {
	case "train":
		w, err = lab.Training(rest[0], rest[1], cmp.Or(f.batch, 64), pool)
	case "infer":
		w, err = lab.Inference(rest[0], f.form, max(f.batch, 1), pool)
	case "conv":
		n, bad := strconv.Atoi(rest[2])
		if bad != nil {
			return command.Wrong("%q is not a number of images", rest[2])
		}
		w, err = lab.Conv(pool, rest[0], rest[1], n)
	case "peak":
		best, err := lab.Peak(rest[0], pool)
		if err == nil {
			fmt.Fprintln(a.Out, best)
		}
		return err
	case "shapes":
		for _, s := range bench.ConvShapes() {
			fmt.Fprintln(a.Out, s)
		}
		return nil
	default:
		s, err := lab.Named(rest[0])
		if err != nil {
			return a.fileError(err, false)
		}
		return s.Save(rest[1], pool)
	}
	if err != nil {
		return a.fileError(err, false)
	}
	return w.Serve(a.In, a.Out)
}
