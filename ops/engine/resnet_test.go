package engine

import (
	"math"
	"testing"

	"qpipe/ops/kernel"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// unit is a unit of the anchors' ResNet-8 (../shared/anchors/README.md).
type unit struct {
	name           string
	out, k, stride int
	from, add      string
	relu           bool
}

func resnet8Units(w int) []unit {
	return []unit{
		{"stem", w, 3, 1, "input", "", true},
		{"b1.conv1", w, 3, 1, "stem", "", true},
		{"b1.conv2", w, 3, 1, "b1.conv1", "stem", true},
		{"b2.conv1", 2 * w, 3, 2, "b1.conv2", "", true},
		{"b2.down", 2 * w, 1, 2, "b1.conv2", "", false},
		{"b2.conv2", 2 * w, 3, 1, "b2.conv1", "b2.down", true},
		{"b3.conv1", 4 * w, 3, 2, "b2.conv2", "", true},
		{"b3.down", 4 * w, 1, 2, "b2.conv2", "", false},
		{"b3.conv2", 4 * w, 3, 1, "b3.conv1", "b3.down", true},
	}
}

// resnet8 builds the anchors' net, for ten classes.
func resnet8(t testing.TB, in tensor.Shape, w int) *nn.Graph { return resnet8For(t, in, w, 10) }

func resnet8For(t testing.TB, in tensor.Shape, w, classes int) *nn.Graph {
	b := nn.NewBuilder(in)
	v := map[string]nn.Value{"input": b.Input()}
	for _, u := range resnet8Units(w) {
		x := b.BatchNorm(u.name+".bn", conv(b, u.name, v[u.from], u.out, u.k, u.stride), 0, 0)
		if u.add != "" {
			x = b.Add(u.name+".add", x, v[u.add])
		}
		if u.relu {
			x = b.Act(u.name+".act", x, kernel.ReLU)
		}
		v[u.name] = x
	}
	g, err := b.Graph(b.Linear("fc", b.GlobalAvgPool("gap", v["b3.conv2"]), classes, true))
	must(t, err)
	return g
}

// crossEntropy is the mean loss over rows of classes, and its gradient.
func crossEntropy(logits []float32, labels []int32, classes int, grad []float32) (loss float64) {
	for i, l := range labels {
		row := logits[i*classes : (i+1)*classes]
		top, sum := float64(row[0]), 0.0
		for _, v := range row {
			top = max(top, float64(v))
		}
		for _, v := range row {
			sum += math.Exp(float64(v) - top)
		}
		loss += math.Log(sum) + top - float64(row[l])
		for c, v := range row {
			p := math.Exp(float64(v)-top) / sum
			if c == int(l) {
				p--
			}
			grad[i*classes+c] = float32(p / float64(len(labels)))
		}
	}
	return loss / float64(len(labels))
}

// trainer is SGD with momentum, as simple as can be.
type trainer struct {
	e         *Net
	velocity  map[string][]float32
	lr, decay float32
	grad      []float32
}

func newTrainer(e *Net, lr, decay float32) *trainer {
	return &trainer{e: e, velocity: map[string][]float32{}, lr: lr, decay: decay}
}

// step trains on one batch and returns its loss. look, unless nil, sees the gradients.
func (tr *trainer) step(x []float32, labels []int32, look func()) float64 {
	n, classes := len(labels), tr.e.graph.Output().C
	if len(tr.grad) < n*classes {
		tr.grad = make([]float32, n*classes)
	}
	loss := crossEntropy(tr.e.Forward(x, n, Train), labels, classes, tr.grad[:n*classes])
	tr.e.Backward(tr.grad[:n*classes])
	if look != nil {
		look()
	}
	for _, p := range tr.e.graph.Params() {
		v := tr.velocity[p.Name]
		if len(v) != len(p.Data) {
			v = make([]float32, len(p.Data))
			tr.velocity[p.Name] = v
		}
		tr.e.set.SGD(p.Data, p.Grad, v, tr.lr, 0.9, tr.decay, false)
	}
	return loss
}

// accuracy evaluates in batches of 100.
func accuracy(e *Net, x []float32, labels []int32) float64 {
	right, size, classes := 0, e.graph.Input().WithN(1).Len(), e.graph.Output().C
	for i := 0; i < len(labels); i += 100 {
		n := min(100, len(labels)-i)
		y := e.Forward(x[i*size:(i+n)*size], n, Eval)
		for j := range n {
			row := y[j*classes : (j+1)*classes]
			best := 0
			for c, v := range row {
				if v > row[best] {
					best = c
				}
			}
			if int32(best) == labels[i+j] {
				right++
			}
		}
	}
	return float64(right) / float64(len(labels))
}
