package stage

import (
	"qpipe/interp/feed"
	"qpipe/interp/part"
	"qpipe/ops/nn"
)

// answers brings a network's outputs and the data's targets together, in room that is used again.
type answers struct {
	batch part.Batch
	sizes []int       // by output, of one sample
	room  [][]float32 // by output, for the gradient; nil where none is wanted
	grads [][]float32 // by output, the gradient for the last batch
}

// newAnswers makes room for the gradients of so many samples.
func newAnswers(g *nn.Graph, samples int) *answers {
	a := &answers{}
	for _, out := range g.Outputs() {
		size := out.Shape.WithN(1).Len()
		a.sizes = append(a.sizes, size)
		a.batch.Outputs = append(a.batch.Outputs, part.Output{Shape: out.Shape.WithN(0)})
		if samples > 0 {
			a.room, a.grads = append(a.room, make([]float32, samples*size)), append(a.grads, nil)
		}
	}
	return a
}

// to is what the network has answered to a batch: y by output.
func (a *answers) to(b *feed.Batch, y [][]float32) *part.Batch {
	n := len(b.Index)
	a.batch.Len, a.batch.Targets = n, b.Targets()
	for k, size := range a.sizes {
		out := &a.batch.Outputs[k]
		out.Values = y[k][:n*size]
		if a.room != nil {
			a.grads[k] = a.room[k][:n*size]
			out.Grad = a.grads[k]
		}
	}
	return &a.batch
}
