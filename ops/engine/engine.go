package engine

import (
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
)

// Engine makes graphs ready to run. [CPU] is the one that is here; a device, or a group of processes, would be another.
type Engine interface {
	// Compile prepares the graph for batches of up to batch images, and for training where that is asked for.
	Compile(g *nn.Graph, batch int, training bool) (Compiled, error)
}

// Compiled is a graph that is ready to run. It follows changes of the graph by itself. [Net] says what each method does.
type Compiled interface {
	Forward(x []float32, n int, ph Phase) []float32
	ForwardAll(x [][]float32, n int, ph Phase) [][]float32
	Backward(dy []float32)
	BackwardAll(dy [][]float32)
	SetKey(key uint64)
	NotFinite() (node, what string, bad bool)
	Keep()
	Output(node string) (values []float32, scale float32, zero int32, ok bool)
	Codes(node string) ([]int8, bool)
}

// CPU runs graphs on the processor's cores.
type CPU struct {
	Kernels *kernel.Set
	Workers *Workers
}

// Compile implements Engine.
func (c CPU) Compile(g *nn.Graph, batch int, training bool) (Compiled, error) {
	e, err := Compile(g, batch, training, c.Kernels, c.Workers)
	if err != nil {
		return nil, err
	}
	return e, nil
}
