package cli

import (
	"bufio"
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/console"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
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

// benchWorkerCmd is for scripts that compare: bench/peers.
func (a *app) benchWorkerCmd() *cobra.Command {
	var f workerFlags
	cmd := &cobra.Command{
		Use: "bench-worker WORK…", Short: "Do one piece of work in turns with other programs", Long: aboutWorker,
		Hidden: true, Args: wants(1, 4, "WORK"),
		RunE: func(_ *cobra.Command, args []string) error { return a.benchWorker(f, args) },
	}
	fl := cmd.Flags()
	fl.IntVar(&f.batch, "batch", 0, "`NUMBER` of images at a time (default: 64 to train, 1 to infer)")
	fl.IntVar(&f.threads, "threads", 0, "`NUMBER` of threads (default: all cores)")
	fl.StringVar(&f.form, "form", benchInt8, "of infer: `FORM` int8 or float")
	return cmd
}

func (a *app) benchWorker(f workerFlags, args []string) error {
	set, err := a.kernels()
	if err != nil {
		return err
	}
	if err := cmp.Or(batchFlag(f.batch, 0, mostBatch), threadsFlag(f.threads)); err != nil {
		return err
	}
	if f.threads == 0 {
		f.threads = runtime.GOMAXPROCS(0)
	}
	pool := nn.NewPool(f.threads)
	defer pool.Close()
	what, rest := args[0], args[1:]
	if n, ok := map[string]int{"train": 2, "infer": 1, "conv": 3, "peak": 1, "save": 2, "shapes": 0}[what]; !ok || len(rest) != n {
		return usagef("bench-worker %s is not understood", strings.Join(args, " "))
	}
	var w *work
	switch what {
	case "train":
		w, err = a.trainWork(rest[0], rest[1], f, set, pool)
	case "infer":
		w, err = a.inferWork(rest[0], f, set, pool)
	case "conv":
		n, bad := strconv.Atoi(rest[2])
		if bad != nil {
			return usagef("%q is not a number of images", rest[2])
		}
		w, err = convWork(set, pool, rest[0], rest[1], n)
	case "peak":
		return a.peakWork(rest[0], set, pool)
	case "shapes":
		for _, s := range convShapes() {
			fmt.Fprintf(a.Out, "%s %d,%d,%d,%d,%d,%d,%d\n", s.name, s.inC, s.outC, s.side, s.size, s.stride, s.pad, s.groups)
		}
		return nil
	default:
		return a.saveModel(rest[0], rest[1], set, pool)
	}
	if err != nil {
		return err
	}
	return a.serve(w)
}

func (a *app) trainWork(net, form string, f workerFlags, set *kernel.Set, pool *nn.Pool) (*work, error) {
	s, err := a.subjectOf(net)
	if err != nil {
		return nil, err
	}
	if _, err := s.wanted([]string{form}); err != nil || !trains(form) {
		return nil, usagef("%s has no training step in the form %q", net, form)
	}
	g, err := s.graph(form, set, pool)
	if err != nil {
		return nil, err
	}
	if f.batch == 0 {
		f.batch = 64
	}
	return s.training(g, f.batch, set, pool)
}

func (a *app) inferWork(net string, f workerFlags, set *kernel.Set, pool *nn.Pool) (*work, error) {
	s, err := a.subjectOf(net)
	if err != nil {
		return nil, err
	}
	if !infers(f.form) {
		return nil, usagef("-form is int8 or float, not %q", f.form)
	}
	g, err := s.graph(f.form, set, pool)
	if err != nil {
		return nil, err
	}
	w, err := s.inference(g, max(f.batch, 1), set, pool)
	if err == nil {
		w.net.Release()
	}
	return w, err
}

// peakWork prints the peak of a kind as one line.
func (a *app) peakWork(kind string, set *kernel.Set, pool *nn.Pool) error {
	k, ok := map[string]string{"f32": kindF32, "int8": kindU8S8U8}[kind]
	if !ok {
		return usagef("there is no peak %q; there are f32 and int8", kind)
	}
	best, err := peak(set, pool, k, time.Second)
	if err == nil {
		fmt.Fprintf(a.Out, "%.4g G/s, %s: %s\n", best, console.Count(pool.Size(), "thread"), peakBy())
	}
	return err
}

// saveModel writes the int8 model of a network as a file, for measures of loading.
func (a *app) saveModel(net, path string, set *kernel.Set, pool *nn.Pool) error {
	s, err := a.subjectOf(net)
	if err != nil {
		return err
	}
	g, err := s.graph(benchInt8, set, pool)
	if err != nil {
		return err
	}
	return artifact.Write(path, &checkpoint.Snapshot{
		Stage: "bench", Form: g.Form(), Mode: g.Mode(), Structure: g.Structure(), Seed: 1,
		Kernels: set.Name, Model: g.Tensors(),
	})
}

// serve follows the protocol of a worker.
func (a *app) serve(w *work) error {
	if err := w.run(); err != nil {
		return err
	}
	debug.FreeOSMemory()
	fmt.Fprintf(a.Out, "ready items=%d flop=%.0f\n", w.items, w.flop)
	lines, clock := bufio.NewScanner(a.In), nanoseconds()
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 1 && words[0] == "quit" {
			return nil
		}
		if len(words) != 2 || words[0] != "run" {
			return usagef("%q is not understood; a worker takes \"run NUMBER\" and \"quit\"", lines.Text())
		}
		n, err := strconv.Atoi(words[1])
		if err != nil || n < 1 {
			return usagef("%q is not a number of runs", words[1])
		}
		from := clock()
		for range n {
			if err := w.run(); err != nil {
				return err
			}
		}
		fmt.Fprintf(a.Out, "ns %d\n", clock()-from)
	}
	return lines.Err()
}
