package infer_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"qpipe/infer"
	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/cli"
	"qpipe/interp/part"
	"qpipe/onnx/model"
	"qpipe/ops/convbn"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
	"qpipe/stdlib"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// qpipe runs a command of the program.
func qpipe(t testing.TB, env string, args ...string) {
	t.Helper()
	var errs strings.Builder
	s := cli.Streams{In: strings.NewReader(""), Out: &bytes.Buffer{}, Err: &errs, Environ: append(os.Environ(), env)}
	if code := cli.Main(args, s, stdlib.Catalog()); code != 0 {
		t.Fatalf("qpipe %s: exit code %d\n%s", strings.Join(args, " "), code, &errs)
	}
}

// masks is a pipeline whose network gives each pixel a class.
const masks = `
dataset "Glyphs" "train" {
  num_samples = 32
  target      = "mask"
}
model "UNet" "net" {
  num_classes = 11
  width       = 2
  depth       = 2
}
qconfig "int8" {}
stage "calibration" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.train
  model_convert_pipeline {
    qat_mode = "fuse_bn"
    qconfig  = qconfig.int8
    converter "Float2Calibration" {}
  }
  calibrator { num_steps = 1 }
}
stage "int8" {
  model    = model.net
  val_data = dataset.train
  model_convert_pipeline {
    qat_mode = "fuse_bn"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.calibration.checkpoint.last }
    converter "QAT2Quantize" {}
  }
}
`

// files are models of every form that runs have left, the data set that each is evaluated on, and the pipeline.
type trained struct {
	path, data, pipeline string
	averaged             bool
}

func trainedFiles(t testing.TB) []trained {
	t.Helper()
	dir := t.TempDir()
	tiny, err := filepath.Abs("../testdata/pipelines/tiny.hcl")
	must(t, err)
	out, maps, drawn := filepath.Join(dir, "run"), filepath.Join(dir, "maps"), filepath.Join(dir, "masks.hcl")
	must(t, os.WriteFile(drawn, []byte(masks), 0o600))
	qpipe(t, "", "run", "-out", out, tiny)
	qpipe(t, "", "run", "-out", maps, drawn)
	at := func(name string) string { return filepath.Join(out, name+".safetensors") }
	return []trained{
		{at("int_infer/int8"), "dataset.test", tiny, false},
		{filepath.Join(maps, "int8/int8.safetensors"), "dataset.train", drawn, false},
		{at("float/last"), "dataset.test", tiny, false},
		{at("calibration/last"), "dataset.test", tiny, false},
		{at("qat/last"), "dataset.test", tiny, false},
		{at("qat/last"), "dataset.test", tiny, true},
	}
}

func (f trained) load(t testing.TB) *infer.Model {
	t.Helper()
	load := infer.Load
	if f.averaged {
		load = infer.LoadAveraged
	}
	m, err := load(f.path)
	must(t, err)
	return m
}

// array reads the values of a dump's array of float32.
func array(t testing.TB, path string) []float32 {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	head := 10 + int(data[8]) + int(data[9])<<8
	out := make([]float32, (len(data)-head)/4)
	for i := range out {
		b := data[head+4*i:]
		out[i] = math.Float32frombits(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24)
	}
	return out
}

func same(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

// TestEqualsEval: the outputs are those of qpipe eval, bit by bit: for every form and kernel set, for values and for
// pixels, whatever the batch and the number of threads, and for several sessions at a time.
func TestEqualsEval(t *testing.T) {
	const images = 6
	for i, f := range trainedFiles(t) {
		m := f.load(t)
		for _, set := range sets.Names() {
			dump := filepath.Join(t.TempDir(), "dump")
			args := []string{"eval", "-data", f.data, "-images", fmt.Sprint(images), "-dump", dump, f.path, f.pipeline}
			if f.averaged {
				args = append(args, "-ema")
			}
			qpipe(t, "QPIPE_KERNELS="+set, args...)
			x, want := array(t, filepath.Join(dump, "images.npy")), array(t, filepath.Join(dump, "logits.npy"))
			pix := make([]uint8, len(x))
			for k, v := range x {
				pix[k] = uint8(math.Round(float64(v+1) * 127.5))
			}
			var work sync.WaitGroup
			for g := range 4 {
				work.Go(func() {
					s, err := m.NewSession(infer.Options{Batch: 4, Threads: 1 + g%2, Kernels: set})
					if err != nil {
						t.Error(err)
						return
					}
					defer s.Close()
					var got []float32
					for n := 0; n < images; n += 2 + g%2*2 {
						from, to := n*len(x)/images, min(n+2+g%2*2, images)*len(x)/images
						y, err := s.Run(x[from:to])
						if g > 1 {
							y, err = s.RunPixels(pix[from:to])
						}
						if err != nil {
							t.Error(err)
							return
						}
						got = append(got, y[0]...)
					}
					if !same(got, want) {
						t.Errorf("%d: %s of %v with %s: other values than eval", i, f.path, m.About(), set)
					}
				})
			}
			work.Wait()
		}
	}
}

// TestNoAllocation: a call allocates nothing, of a network with classes and of one with maps.
func TestNoAllocation(t *testing.T) {
	for _, f := range trainedFiles(t)[:2] {
		m := f.load(t)
		in := m.Inputs()[0]
		pix := make([]uint8, 2*in.Height*in.Width*in.Channels)
		x := make([]float32, len(pix))
		for _, threads := range []int{1, 2} {
			s, err := m.NewSession(infer.Options{Batch: 2, Threads: threads})
			must(t, err)
			if n := testing.AllocsPerRun(50, func() {
				_, err1 := s.Run(x)
				_, err2 := s.RunPixels(pix)
				if err1 != nil || err2 != nil {
					t.Fatal(err1, err2)
				}
			}); n > 0 {
				t.Errorf("%s, %d threads: %v allocations a call", f.path, threads, n)
			}
			s.Close()
		}
	}
}

// twoOfEach is a model with two inputs and two outputs, of which one is a map; the first input's preprocessing is known.
func twoOfEach(t *testing.T) string {
	t.Helper()
	b := nn.NewBuilder(tensor.Shape{H: 4, W: 4, C: 3})
	depth := b.AddInput("depth", tensor.Shape{H: 1, W: 1, C: 2})
	mask := b.Conv("mask", b.Input(), convbn.Conv{OutC: 2, Kernel: [2]int{1, 1}})
	g, err := b.Graph(mask, b.Linear("class", depth, 3, true))
	must(t, err)
	g.Init(1)
	path := filepath.Join(t.TempDir(), "two.safetensors")
	must(t, artifact.Write(path, &checkpoint.Snapshot{
		Form: g.Form(), Structure: g.Structure(), Model: g.Tensors(), Classes: [][]string{{"no", "yes"}, {"a", "b", "c"}},
		Inputs: []part.Preprocessing{
			{Height: 4, Width: 4, Channels: 3, Mean: []float64{0, 0, 0}, Std: []float64{1, 1, 1}, Steps: []part.Step{{Op: part.Resize, Size: []int{4}, Interpolation: "nearest"}, {Op: part.CenterCrop, Size: []int{4}}}},
			{Height: 1, Width: 1, Channels: 2, Numbers: true, Mean: []float64{0, 0}, Std: []float64{1, 1}},
		},
	}))
	return path
}

// TestSeveral: a model says what its inputs and outputs are, takes several, and names what it is given wrongly.
func TestSeveral(t *testing.T) {
	path := twoOfEach(t)
	m, err := infer.Load(path)
	must(t, err)
	out := m.Outputs()
	if in := m.Inputs(); len(in) != 2 || in[0].Height != 4 || len(in[0].Steps) != 2 || !in[1].Numbers || len(out) != 2 || out[0].Width != 4 || out[1].Classes[2] != "c" {
		t.Fatalf("%+v, %+v", in, out)
	}
	s, err := m.NewSession(infer.Options{Batch: 2})
	must(t, err)
	image, numbers, pix := make([]float32, 2*48), make([]float32, 4), make([]uint8, 48)
	y, err := s.Run(image, numbers)
	must(t, err)
	if len(y) != 2 || len(y[0]) != 2*32 || len(y[1]) != 2*3 {
		t.Errorf("outputs with %d and %d values", len(y[0]), len(y[1]))
	}
	if n := testing.AllocsPerRun(20, func() { _, err = s.Run(image, numbers) }); n > 0 || err != nil {
		t.Errorf("%v allocations, %v", n, err)
	}
	for _, c := range []struct {
		call func() ([][]float32, error)
		want string
	}{
		{func() ([][]float32, error) { return s.Run(image) }, "1 input, and the network has 2"},
		{func() ([][]float32, error) { return s.Run(image[:50], numbers) }, "input 0 has 50 values; an image has 4×4×3 = 48"},
		{func() ([][]float32, error) { return s.Run(nil, numbers) }, "input 0 has 0 values"},
		{func() ([][]float32, error) { return s.Run(image, numbers[:2]) }, "input 1 has 1 image, and input 0 has 2"},
		{func() ([][]float32, error) { return s.Run(make([]float32, 3*48), numbers) }, "input 0 has 3 images; the session was made for 2"},
		{func() ([][]float32, error) { return s.RunPixels(pix, []uint8{1, 2}) }, "input 1 consists of numbers"},
		{func() ([][]float32, error) { return s.RunPixels(pix) }, "1 input, and the network has 2"},
		{func() ([][]float32, error) { s.Close(); return s.Run(image, numbers) }, "the session is closed"},
	} {
		if _, err := c.call(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// TestMistakes: what cannot be loaded or made is an error.
func TestMistakes(t *testing.T) {
	path := twoOfEach(t)
	m, err := infer.Load(path)
	must(t, err)
	data, err := os.ReadFile(path)
	must(t, err)
	_, err = infer.Read(data)
	must(t, err)
	for want, try := range map[string]func() error{
		"there is no such file":       func() error { _, err := infer.Load("none.safetensors"); return err },
		"none.onnx":                   func() error { _, err := infer.Load("none.onnx"); return err },
		"holds no averaged weights":   func() error { _, err := infer.LoadAveraged(path); return err },
		"cut short":                   func() error { _, err := infer.Read(data[:len(data)-1]); return err },
		"not even the length":         func() error { _, err := infer.Read([]byte{1}); return err },
		"65536 and 1024 are the most": func() error { _, err := m.NewSession(infer.Options{Batch: 1 << 20}); return err },
		`no kernel set "turbo"`:       func() error { _, err := m.NewSession(infer.Options{Kernels: "turbo"}); return err },
		"the model has no input 2":    func() error { _, err := m.NewReader(2); return err },
		"input 1: the input consists": func() error { _, err := m.NewReader(1); return err },
		"2 means and 0 deviations":    func() error { _, err := m.WithInput(1, []float64{1, 2}, nil, nil); return err },
		"std must be positive":        func() error { _, err := m.WithInput(0, []float64{0}, []float64{0}, nil); return err },
		`the step "turn" is not known`: func() error {
			_, err := m.WithInput(0, []float64{0}, []float64{1}, []infer.Step{{Op: "turn"}})
			return err
		},
		"4 names for an output with 3 values": func() error { _, err := m.WithClasses(1, make([]string, 4)); return err },
	} {
		if err := try(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// drawn is a PNG image of h×w pixels, whose red tells the row.
func drawn(t testing.TB, h, w int) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{uint8(y), uint8(x), 0, 255})
		}
	}
	var b bytes.Buffer
	must(t, png.Encode(&b, m))
	return b.Bytes()
}

// TestReader: a file gets the network's size as the model says; one that does not, is no image or is broken is an error.
func TestReader(t *testing.T) {
	m, err := infer.Load(twoOfEach(t))
	must(t, err)
	r, err := m.NewReader(0)
	must(t, err)
	pix, err := r.Read(drawn(t, 8, 16))
	must(t, err)
	if len(pix) != 48 || pix[0] != 1 || pix[1] != 5 || pix[45] != 7 || pix[46] != 11 { // every second pixel, the middle of 8
		t.Errorf("pixels %v", pix)
	}
	plain, err := m.WithInput(0, []float64{0}, []float64{1}, nil)
	must(t, err)
	if r, err = plain.NewReader(0); err != nil {
		t.Fatal(err)
	}
	for want, file := range map[string][]byte{
		"has 8×16 pixels, and the network takes 4×4; the model does not say": drawn(t, 8, 16),
		"is a damaged PNG image": drawn(t, 4, 4)[:60],
		"is no JPEG":             []byte("hello"),
	} {
		if _, err := r.Read(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := r.Read(drawn(t, 4, 4)); err != nil {
		t.Error(err)
	}
}

// TestONNX: a network in an ONNX file is loaded from a path and from bytes, with what its metadata says of images.
func TestONNX(t *testing.T) {
	path := filepath.Join(t.TempDir(), "net.onnx")
	weight := model.OfFloats("fc.weight", model.Float, []int{2, 3, 1, 1}, []float64{1, 0, 0, 0, 1, 0})
	size := []model.Dim{{Size: -1, Name: "n"}, {Size: 3}, {Size: -1}, {Size: -1}}
	file := &model.Model{
		IRVersion: 8, Opsets: map[string]int64{"": 13},
		Metadata: []model.Entry{
			{Key: "qpipe.preprocessing", Value: `{"height":1,"width":2,"channels":3,"layout":"NHWC","mean":[0,0,0],"std":[1,1,1]}`},
			{Key: "qpipe.classes", Value: `["red","green"]`},
		},
		Graph: &model.Graph{
			Name: "net", Inputs: []*model.Value{{Name: "x", Type: model.Float, Shape: size, Known: true}},
			Outputs:      []*model.Value{{Name: "y", Type: model.Float}},
			Initializers: []*model.Tensor{weight},
			Nodes:        []*model.Node{{Name: "fc", Op: "Conv", Inputs: []string{"x", "fc.weight"}, Outputs: []string{"y"}}},
		},
	}
	data, err := file.Bytes()
	must(t, err)
	must(t, os.WriteFile(path, data, 0o600))
	if _, err := infer.Load(path); err == nil || !strings.Contains(err.Error(), `leaves the size of its input "x" open`) {
		t.Errorf("%v", err)
	}
	m, err := infer.LoadONNX(path, 1, 2)
	must(t, err)
	s, err := m.NewSession(infer.Options{})
	must(t, err)
	y, err := s.RunPixels([]uint8{255, 0, 51, 0, 51, 0})
	if err != nil || !slices.Equal(y[0], []float32{1, 0, 0, 0.2}) || m.Outputs()[0].Classes[1] != "green" {
		t.Errorf("%v, %v, %+v", y, err, m.Outputs())
	}
	size[2].Size, size[3].Size, file.Metadata = 1, 2, nil
	data, err = file.Bytes()
	must(t, err)
	if m, err = infer.Read(data); err != nil {
		t.Fatal(err)
	}
	if s, err = m.NewSession(infer.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err = s.RunPixels(make([]uint8, 6)); err == nil || !strings.Contains(err.Error(), "does not say how pixels become its input") {
		t.Errorf("%v", err)
	}
}
