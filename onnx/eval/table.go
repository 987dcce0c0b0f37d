package eval

import (
	"slices"

	"qpipe/onnx/op"
	"qpipe/onnx/op/move"
	"qpipe/onnx/op/pointwise"
	"qpipe/onnx/op/product"
	"qpipe/onnx/op/quantized"
	"qpipe/onnx/op/reduce"
	"qpipe/onnx/op/window"
)

// Newest is the newest of ONNX's operator sets whose ops are known here.
const Newest = 24

// Rows are all ops that can be computed.
func Rows() []*op.Row {
	return slices.Concat(pointwise.Rows(), move.Rows(), window.Rows(), product.Rows(), reduce.Rows(), quantized.Rows())
}

// key names an op.
type key struct{ domain, name string }

func table() map[key]*op.Row {
	t := map[key]*op.Row{}
	for _, r := range Rows() {
		t[key{r.Domain, r.Name}] = r
	}
	return t
}
