package stdlib

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"

	"qpipe/interp/part"
	"qpipe/ops/engine"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// TestTorchvision: with the weights of a model of torchvision, through the table of names, its network has the same logits. It needs
// QPIPE_PYTHON, a Python with torchvision.
func TestTorchvision(t *testing.T) {
	python := os.Getenv("QPIPE_PYTHON")
	if python == "" || exec.Command(python, "-c", "import torchvision").Run() != nil {
		t.Skip("QPIPE_PYTHON names no Python with torchvision")
	}
	rows := slices.DeleteFunc(listedModels(t), func(r listed) bool { return r.torch == "" })
	const n, side = 2, 64
	args := []string{"../tools/torchnames/logits.py", strconv.Itoa(side)}
	for _, r := range rows {
		args = append(args, r.torch)
	}
	cmd := exec.Command(python, args...)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	from := bufio.NewReader(pipe)
	for _, r := range rows {
		g := r.graph(t, tensor.Shape{H: side, W: side, C: 3})
		load(t, g, r.made.(part.TorchModel), from)
		x := nhwc(floats(t, from, n*3*side*side), n, 3, side*side)
		want := floats(t, from, n*1000)
		logits(t, r.torch, g, x, want)
	}
	must(t, cmd.Wait())
}

// load sets the tensors of a network to those of a state dict.
func load(t *testing.T, g *nn.Graph, m part.TorchModel, from io.Reader) {
	t.Helper()
	g.Init(1)
	shapes := map[string][]int{}
	for _, v := range g.Tensors() {
		shapes[v.Name] = v.Shape
	}
	for _, name := range m.TorchNames() {
		for _, part := range []string{".weight", ".bias", ".running_mean", ".running_var"} {
			if shape, ok := shapes[name.Ours+part]; ok {
				must(t, g.SetTensor(nn.Tensor{Name: name.Ours + part, Shape: shape, Data: floats(t, from, int(size(shape)))}))
			}
		}
	}
}

// logits compares those of a network within 1e-4 of the largest.
func logits(t *testing.T, name string, g *nn.Graph, x, want []float32) {
	t.Helper()
	set, err := sets.ByName("")
	must(t, err)
	workers := engine.NewWorkers(1)
	defer workers.Close()
	e, err := engine.Compile(g, 2, false, set, workers)
	must(t, err)
	got := e.Forward(x, 2, engine.Eval)
	most, apart := 0.0, 0.0
	for i, v := range want {
		most = max(most, math.Abs(float64(v)))
		apart = max(apart, math.Abs(float64(got[i]-v)))
	}
	if len(got) != len(want) || !(most > 0 && apart <= 1e-4*most) {
		t.Errorf("%s: %d logits are up to %g from torchvision's, of which the largest is %g", name, len(got), apart, most)
	}
	t.Logf("%s: %.1e of the largest logit", name, apart/most)
}

// floats reads n numbers.
func floats(t *testing.T, from io.Reader, n int) []float32 {
	t.Helper()
	data := make([]byte, 4*n)
	_, err := io.ReadFull(from, data)
	must(t, err)
	list := make([]float32, n)
	for i := range list {
		list[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return list
}

// nhwc reorders NCHW.
func nhwc(x []float32, n, channels, pixels int) []float32 {
	y := make([]float32, len(x))
	for i := range n {
		for c := range channels {
			for p := range pixels {
				y[(i*pixels+p)*channels+c] = x[(i*channels+c)*pixels+p]
			}
		}
	}
	return y
}
