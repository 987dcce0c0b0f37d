package cli

import (
	"cmp"
	"runtime"

	"github.com/spf13/cobra"

	"qpipe/interp/bench"
	"qpipe/interp/command"
	"qpipe/ops/engine"
)

// benchWorkerCmd is for the scripts in bench/peers that compare programs.
func (a *app) benchWorkerCmd() *cobra.Command {
	var f bench.WorkerFlags
	cmd := &cobra.Command{
		Use: "bench-worker WORK…", Short: "Do one piece of work in turns with other programs", Long: bench.AboutWorker,
		Hidden: true, Args: command.Wants(1, 4, "WORK"),
		RunE: func(_ *cobra.Command, args []string) error { return a.benchWorker(f, args) },
	}
	f.Register(cmd.Flags())
	return cmd
}

func (a *app) benchWorker(f bench.WorkerFlags, args []string) error {
	set, err := a.kernels()
	if err != nil {
		return err
	}
	if err := cmp.Or(command.Batch(f.Batch, 0, bench.MostBatch), command.Threads(f.Threads)); err != nil {
		return err
	}
	if f.Threads == 0 {
		f.Threads = runtime.GOMAXPROCS(0)
	}
	pool := engine.NewWorkers(f.Threads)
	defer pool.Close()
	return a.fileError(a.lab(set).Do(f, args, pool, a.In, a.Out), false)
}
