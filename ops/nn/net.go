package nn

import "qpipe/ops/kernel"

// Net is an executable graph: a plan with its buffers, for batches of up to a given size.
type Net struct{ _ int }

// Compile plans the graph for batches of up to batch images. Training needs backward buffers, so it is said here.
func Compile(g *Graph, batch int, training bool, set *kernel.Set, pool *Pool) (*Net, error) {
	panic("not built yet")
}

// Forward runs n images (NHWC, float32) and returns the output, n×classes, valid until the next call.
// In form Quantized the output is the float32 dequantized accumulator of the last node.
func (e *Net) Forward(x []float32, n int, ph Phase) []float32 { panic("not built yet") }

// Backward takes the gradient of the loss to the last Forward's output and fills every Param's Grad.
func (e *Net) Backward(dy []float32) { panic("not built yet") }

// Output returns a node's output values of the last Forward and, where it has a quant node, its scale and zero point.
// (A Net compiled for evaluation keeps them only if Keep was called before.)
func (e *Net) Output(node string) (values []float32, scale float32, zero int32, ok bool) {
	panic("not built yet")
}

// Codes returns the output's integers, where the node is quantized: of the int8 model, or of a QAT graph.
func (e *Net) Codes(node string) ([]int8, bool) { panic("not built yet") }

// Keep makes the next Forward keep every node's output.
func (e *Net) Keep() { panic("not built yet") }

// NotFinite names the first node (in order) with a parameter, gradient or scale that is not finite, and what it is.
func (e *Net) NotFinite() (node, what string, bad bool) { panic("not built yet") }
