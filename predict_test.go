package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"qpipe/infer"
	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/cli"
	"qpipe/interp/eval"
	"qpipe/interp/part"
	"qpipe/interp/predict"
	"qpipe/onnx/model"
	"qpipe/ops/convbn"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
	"qpipe/stdlib"
)

// pictures is a pipeline on a folder of images that have sizes of their own.
const pictures = `
dataset "ImageFolder" "train" {
  root     = "pictures"
  transform "RandomResizedCrop" { size = 24 }
}
dataset "ImageFolder" "val" {
  root     = "pictures"
  split    = "val"
  transform "Resize" {
    size          = 27
    interpolation = "bicubic"
  }
  transform "CenterCrop" { size = [24, 24] }
  transform "Normalize" {
    mean = [0.5]
    std  = [0.5]
  }
}
model "LeNet" "net" {
  num_classes = 3
  width       = 4
}
qconfig "int8" {
  override "head.fc" {
    activation { dtype = "float32" }
  }
}
stage "float" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.val
  trainer {
    num_epochs = 1
    batch_size = 5
    optimizer "SGD" { lr = 0.05 }
  }
  callback "ExponentialMovingAverage" { decay = 0.5 }
  export "ONNX" { format = "float" }
}
stage "calibration" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.val
  model_convert_pipeline {
    qat_mode = "with_bn"
    qconfig  = qconfig.int8
    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.last }
    converter "Float2Calibration" {}
  }
  calibrator {
    num_steps  = 2
    batch_size = 4
  }
}
stage "int8" {
  model    = model.net
  val_data = dataset.val
  model_convert_pipeline {
    qat_mode = "with_bn"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.calibration.checkpoint.last }
    converter "QAT2Quantize" {}
  }
}
`

// picture is an image file whose colours depend on the seed. Every third one is a JPEG file.
func picture(t *testing.T, seed, h, w int) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{uint8(y * seed), uint8(x * 7), uint8((x ^ y) * seed), 255})
		}
	}
	var b bytes.Buffer
	if seed%3 == 0 {
		must(t, jpeg.Encode(&b, m, nil))
	} else {
		must(t, png.Encode(&b, m))
	}
	return b.Bytes()
}

// drawPictures writes the pipeline and its data into a folder of their own, and changes to it.
func drawPictures(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for i := range 24 {
		split, class := "train", []string{"apple", "pear", "zebra"}[i%3]
		if i >= 15 {
			split = "val"
		}
		at := filepath.Join(dir, "pictures", split, class)
		must(t, os.MkdirAll(at, 0o755))
		must(t, os.WriteFile(filepath.Join(at, fmt.Sprintf("%d.png", i)), picture(t, i+1, 20+i, 60-i*2), 0o600))
	}
	must(t, os.WriteFile(filepath.Join(dir, "pictures.hcl"), []byte(pictures), 0o600))
	t.Chdir(dir)
}

// predicted runs qpipe predict -json.
func predicted(t *testing.T, code int, args ...string) (r predict.Report) {
	t.Helper()
	var out, errs strings.Builder
	s := cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs, Environ: environ()}
	if got := cli.Main(append([]string{"predict", "-json"}, args...), s, stdlib.Catalog()); got != code {
		t.Fatalf("qpipe predict %s: exit code %d\n%s%s", strings.Join(args, " "), got, &out, &errs)
	}
	must(t, json.Unmarshal([]byte(out.String()), &r))
	return r
}

// TestPredictEqualsEval: of each image of the validation data predict says what eval computes, to the last bit of the
// score: the size, the values and the names of the classes travel in the model.
func TestPredictEqualsEval(t *testing.T) {
	drawPictures(t)
	if run(t, "run", "-out", "run", "pictures.hcl") != 0 {
		t.Fatal("the run failed")
	}
	if code, _, errs := quietly([]string{"predict", "run/float/last.safetensors", "pictures/val"}); code != 0 || !strings.Contains(errs, "QP336") {
		t.Errorf("no warning of averaged weights: %d, %s", code, errs)
	}
	for i, c := range []struct {
		model string
		flags []string
	}{
		{"stage.float.checkpoint.last", nil},
		{"stage.float.checkpoint.last", []string{"-ema"}},
		{"stage.calibration.checkpoint.last", nil},
		{"stage.int8.checkpoint.int8", nil},
	} {
		dump := fmt.Sprint("dump", i)
		if run(t, slices.Concat([]string{"eval", c.model, "-out", "run", "-data", "dataset.val", "-dump", dump, "pictures.hcl"}, c.flags)...) != 0 {
			t.Fatal("the evaluation failed")
		}
		logits, images := floatsOf(t, filepath.Join(dump, "logits.npy")), floatsOf(t, filepath.Join(dump, "images.npy"))
		for _, threads := range []string{"1", "3"} {
			r := predicted(t, 0, slices.Concat([]string{c.model, "-out", "run", "-threads", threads, "-top", "3", "pictures/val"}, c.flags)...)
			if len(r.Predictions) != 9 || r.Files != 9 || r.Failed != 0 || r.EMA != (len(c.flags) > 0) {
				t.Fatalf("%s: %+v", c.model, r)
			}
			for _, p := range r.Predictions {
				want, k := make([]float64, 3), placeOf(t, p.File, images)
				predict.Softmax(logits[3*k:][:3], want)
				for j, class := range p.Outputs[0].Classes {
					if class.Score != want[class.Label] || class.Name != []string{"apple", "pear", "zebra"}[class.Label] || j > 0 && class.Score > p.Outputs[0].Classes[j-1].Score {
						t.Errorf("%s %v, %s: %+v, eval has %v", c.model, c.flags, p.File, p.Outputs[0].Classes, want)
					}
				}
			}
		}
	}
}

// TestPredictExported: an ONNX file that a stage has exported says what is to be done with images, and its float network
// gives the scores of the stage's, up to roundings.
func TestPredictExported(t *testing.T) {
	drawPictures(t)
	if run(t, "run", "-out", "run", "-stage", "float", "pictures.hcl") != 0 {
		t.Fatal("the run failed")
	}
	files, err := filepath.Glob("run/float/*.onnx")
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	want := predicted(t, 0, "run/float/last.safetensors", "pictures/val").Predictions
	for i, p := range predicted(t, 0, files[0], "pictures/val").Predictions {
		for k, c := range p.Outputs[0].Classes {
			if w := want[i].Outputs[0].Classes[k]; c.Name != w.Name || math.Abs(c.Score-w.Score) > 1e-5 {
				t.Errorf("%s: %+v, the checkpoint has %+v", p.File, c, w)
			}
		}
	}
}

// placeOf returns the number of an image among those that the network saw, which are in the data set's order.
func placeOf(t *testing.T, file string, images []float32) int {
	t.Helper()
	data, err := os.ReadFile(file)
	must(t, err)
	m, err := infer.Load("run/int8/int8.safetensors")
	must(t, err)
	r, err := m.NewReader(0)
	must(t, err)
	pix, err := r.Read(data)
	must(t, err)
	for k := 0; k < len(images); k += len(pix) {
		if slices.EqualFunc(images[k:][:len(pix)], pix, func(x float32, p uint8) bool { return x == float32((float64(p)/255-0.5)/0.5) }) {
			return k / len(pix)
		}
	}
	t.Fatalf("the network has not seen %s as it is read here", file)
	return 0
}

// floatsOf reads the values of a dump's array of float32.
func floatsOf(t *testing.T, path string) []float32 {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	data = data[10+int(data[8])+int(data[9])<<8:]
	out := make([]float32, len(data)/4)
	for i := range out {
		out[i] = math.Float32frombits(uint32(data[4*i]) | uint32(data[4*i+1])<<8 | uint32(data[4*i+2])<<16 | uint32(data[4*i+3])<<24)
	}
	return out
}

// TestPredictSoftmax: scores are shares of 1 in the ratio of the exponentials, also of large values.
func TestPredictSoftmax(t *testing.T) {
	p := make([]float64, 3)
	predict.Softmax([]float32{1000, 1001, -1000}, p)
	if math.Abs(p[1]-math.E/(1+math.E)) > 1e-15 || p[2] != 0 || math.Abs(p[0]+p[1]-1) > 1e-15 {
		t.Errorf("%v", p)
	}
}

// masksHCL is a pipeline whose network gives each pixel a class.
const masksHCL = `
dataset "Glyphs" "train" {
  num_samples = 16
  target      = "mask"
  classes     = "01"
}
model "UNet" "net" {
  num_classes = 3
  width       = 2
  depth       = 2
}
stage "float" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.train
  trainer {
    num_epochs = 1
    batch_size = 4
    optimizer "SGD" { lr = 0.05 }
  }
}
`

// TestPredictMask: masks are PNG files with a palette, whose indices are the labels that eval predicts, and nothing is
// overwritten.
func TestPredictMask(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, os.WriteFile("masks.hcl", []byte(masksHCL), 0o600))
	if run(t, "run", "-out", "run", "masks.hcl") != 0 || run(t, "eval", "run/float/last.safetensors", "-data", "dataset.train", "-dump", "dump", "masks.hcl") != 0 {
		t.Fatal("the run failed")
	}
	images := floatsOf(t, "dump/images.npy")
	labels := labelsOf(t, "dump/predictions.npy")
	sameConfusion(t, evalJSON(t, "run/float/last.safetensors", "-data", "dataset.train", "masks.hcl").Confusion[0], labelsOf(t, "dump/labels.npy"), labelsOf(t, "dump/predictions.npy"))
	must(t, os.MkdirAll("in/deep", 0o755))
	const pixels = 28 * 28
	for i := range 3 {
		m := image.NewGray(image.Rect(0, 0, 28, 28))
		for k := range m.Pix {
			m.Pix[k] = uint8(math.Round(float64(images[i*pixels+k]+1) * 127.5))
		}
		var b bytes.Buffer
		must(t, png.Encode(&b, m))
		must(t, os.WriteFile(fmt.Sprintf("in/deep/%d.png", i), b.Bytes(), 0o600))
	}
	r := predicted(t, 0, "run/float/last.safetensors", "-mask", "out", "in")
	for i, p := range r.Predictions {
		if want := filepath.Join("out", "deep", fmt.Sprintf("%d.png", i)); p.Outputs[0].Mask != want {
			t.Fatalf("%+v, want %s", p, want)
		}
		f, err := os.Open(p.Outputs[0].Mask)
		must(t, err)
		img, err := png.Decode(f)
		must(t, err)
		must(t, f.Close())
		mask := img.(*image.Paletted)
		sum := map[int]int{}
		for k, label := range mask.Pix {
			if sum[int(label)]++; int(label) != labels[i*pixels+k] {
				t.Fatalf("%s: pixel %d is %d, and eval predicts %d", p.File, k, label, labels[i*pixels+k])
			}
		}
		for _, g := range p.Outputs[0].Regions {
			if sum[g.Label] != g.Pixels {
				t.Errorf("%+v, the mask has %v", g, sum)
			}
		}
		if got := fmt.Sprint(mask.Palette[1:3]); got != "[{128 0 0 255} {0 128 0 255}]" {
			t.Errorf("colours %s", got)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"-mask out in", "out/deep/0.png: is there already"},
		{"-mask new in/deep/0.png in/deep/../deep/0.png", "would be the mask of both"},
	} {
		code, out, errs := quietly(append([]string{"predict", "run/float/last.safetensors"}, strings.Fields(c.args)...))
		if code != 1 || !strings.Contains(strings.Join(strings.Fields(errs), " "), c.want) {
			t.Errorf("%s: %d, %s%s", c.args, code, out, errs)
		}
	}
}

// TestPredictSeveral: each output of a network says what it says by its name: a mask, classes, or a number.
func TestPredictSeveral(t *testing.T) {
	t.Chdir(t.TempDir())
	b := nn.NewBuilder(tensor.Shape{H: 4, W: 6, C: 3})
	mask := b.Conv("mask", b.Input(), convbn.Conv{OutC: 2, Kernel: [2]int{1, 1}})
	pool := b.GlobalAvgPool("pool", b.Input())
	g, err := b.Graph(mask, b.Linear("class", pool, 3, true), b.Linear("size", pool, 1, true))
	must(t, err)
	g.Init(1)
	must(t, artifact.Write("net.safetensors", &checkpoint.Snapshot{
		Form: g.Form(), Structure: g.Structure(), Model: g.Tensors(), Classes: [][]string{nil, {"a", "b", "c"}, nil},
		Inputs: []part.Preprocessing{{Height: 4, Width: 6, Channels: 3, Mean: []float64{0, 0, 0}, Std: []float64{1, 1, 1}}},
	}))
	must(t, os.WriteFile("x.png", picture(t, 1, 4, 6), 0o600))
	out := predicted(t, 0, "net.safetensors", "-mask", "masks", "x.png").Predictions[0].Outputs
	pixels := 0
	for _, r := range out[0].Regions {
		pixels += r.Pixels
	}
	if len(out) != 3 || out[0].Output != "mask" || out[0].Mask != filepath.Join("masks", "x.mask.png") || pixels != 24 ||
		out[1].Output != "class" || len(out[1].Classes) != 3 || out[1].Classes[0].Name == "" || len(out[2].Values) != 1 || out[2].Classes != nil {
		t.Errorf("%+v", out)
	}
	if code, text, _ := quietly([]string{"predict", "net.safetensors", "x.png"}); code != 0 || !strings.Contains(text, "\nx.png class: ") || !strings.Contains(text, "\nx.png size: ") {
		t.Errorf("%d, %s", code, text)
	}
}

// labelsOf reads the small numbers of a dump's array of int64.
func labelsOf(t *testing.T, path string) []int {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	data = data[10+int(data[8])+int(data[9])<<8:]
	out := make([]int, len(data)/8)
	for i := range out {
		out[i] = int(data[8*i])
	}
	return out
}

// sameConfusion compares a confusion with the labels and answers that it counts.
func sameConfusion(t *testing.T, c eval.Confusion, labels, answers []int) {
	t.Helper()
	var matrix [3][3]int64
	for i, label := range labels {
		matrix[label][answers[i]]++
	}
	if !c.Map || len(c.Classes) != 3 {
		t.Fatalf("%+v", c)
	}
	for i, k := range c.Classes {
		has, gets := matrix[i][0]+matrix[i][1]+matrix[i][2], matrix[0][i]+matrix[1][i]+matrix[2][i]
		if !slices.Equal(c.Matrix[i], matrix[i][:]) || k.Count != has || k.Answers != gets || *k.IoU != float64(matrix[i][i])/float64(has+gets-matrix[i][i]) ||
			*k.Recall != float64(matrix[i][i])/float64(has) || (k.Precision == nil) != (gets == 0) {
			t.Errorf("%+v, %v; counted %v", k, c.Matrix[i], matrix)
		}
	}
}

// TestPredictFiles: a file that cannot be used is named, the others get their answers; what cannot be asked is said.
func TestPredictFiles(t *testing.T) {
	int8, err := filepath.Abs(earlierFormats + "/manifest-2/complete/int_infer/int8.safetensors")
	must(t, err)
	t.Chdir(t.TempDir())
	must(t, os.Mkdir("some", 0o755))
	must(t, os.Mkdir("none", 0o755))
	good := picture(t, 1, 28, 28)
	for name, data := range map[string][]byte{
		"some/good.png": good, "some/cut.png": good[:100], "some/large.jpg": picture(t, 3, 50, 30), "some/notes.txt": []byte("no image"), "notes": []byte("no image"),
	} {
		must(t, os.WriteFile(name, data, 0o600))
	}
	r := predicted(t, 1, int8, "some", "gone.png", "notes", "some/good.png")
	want := []string{"some/cut.png: is a damaged PNG image", "some/good.png: 0", "some/large.jpg: has 50×30 pixels, and the network takes 28×28; the model does not say how images of other sizes get that one; -resize and -crop say how", "gone.png: there is no such file", "notes: is no JPEG", "some/good.png: 0"}
	for i, p := range r.Predictions {
		if got := fmt.Sprintf("%s: %s%d", p.File, p.Error, max(0, 1-len(p.Outputs))); !strings.HasPrefix(got, want[i]) {
			t.Errorf("%s, want %s", got, want[i])
		}
	}
	if r.Failed != 4 || r.Files != 6 || len(r.Predictions[1].Outputs[0].Classes) != 3 {
		t.Errorf("%+v", r)
	}
	for _, c := range []struct {
		code       int
		args, want string
	}{
		{0, int8 + " -resize 28,28 -top 1 some/large.jpg", "some/large.jpg: 7 "},
		{1, int8 + " some", "Error: some/cut.png: is a damaged PNG image"},
		{1, int8 + " none", "none: the folder has no image"},
		{1, int8 + " -ema some", "holds no averaged weights"},
		{1, "gone.safetensors some", "QP455"},
		{1, "stage.a.checkpoint.best -out none some", "there is no such file; run the stage first"},
		{2, "stage.a.checkpoint.best some", "-out names its folder"},
		{2, int8 + " -out none some", "-out is for a reference"},
		{2, "x.hcl some", "x.hcl is a pipeline"},
		{2, int8, "want a MODEL and image FILES"},
		{2, int8 + " -top 0 some", "-top must be at least 1"},
		{2, int8 + " -interpolation cubic some", "-interpolation must be"},
		{2, int8 + " -crop 1,2,3 some", "-crop: want HEIGHT,WIDTH"},
		{2, int8 + " -classes gone some", "-classes: gone"},
		{1, int8 + " -mean 0 -std 0 some", "std must be positive"},
	} {
		code, out, errs := quietly(append([]string{"predict"}, strings.Fields(c.args)...))
		if all := out + strings.Join(strings.Fields(errs), " "); code != c.code || !strings.Contains(all, c.want) {
			t.Errorf("%s: %d, %s; want %d, %s", c.args, code, all, c.code, c.want)
		}
	}
}

// TestPredictCompletion: a shell is offered models, then any files.
func TestPredictCompletion(t *testing.T) {
	for _, c := range [][2]string{{"", "safetensors\nonnx\n:8\n"}, {"x.onnx ", ":0\n"}} {
		if _, out, _ := quietly(append([]string{"__complete", "predict"}, strings.Split(c[0], " ")...)); !strings.HasPrefix(out, c[1]) {
			t.Errorf("%q: %q", c[0], out)
		}
	}
}

// quietly runs a command.
func quietly(args []string) (code int, out, errs string) {
	var o, e strings.Builder
	s := cli.Streams{In: strings.NewReader(""), Out: &o, Err: &e, Environ: environ()}
	code = cli.Main(args, s, stdlib.Catalog())
	return code, o.String(), e.String()
}

// TestPredictONNX: an ONNX file says nothing of images, so flags do; what its metadata says counts without them.
func TestPredictONNX(t *testing.T) {
	t.Chdir(t.TempDir())
	file := &model.Model{IRVersion: 8, Opsets: map[string]int64{"": 13}, Graph: &model.Graph{
		Name:         "net",
		Inputs:       []*model.Value{{Name: "x", Type: model.Float, Known: true, Shape: []model.Dim{{Size: 1}, {Size: 3}, {Size: -1}, {Size: -1}}}},
		Outputs:      []*model.Value{{Name: "y", Type: model.Float}},
		Initializers: []*model.Tensor{model.OfFloats("fc.weight", model.Float, []int{2, 3, 1, 1}, []float64{1, 0, 0, 0, 1, 0})},
		Nodes: []*model.Node{
			{Name: "fc", Op: "Conv", Inputs: []string{"x", "fc.weight"}, Outputs: []string{"map"}},
			{Name: "pool", Op: "GlobalAveragePool", Inputs: []string{"map"}, Outputs: []string{"y"}},
		},
	}}
	save := func() {
		data, err := file.Bytes()
		must(t, err)
		must(t, os.WriteFile("net.onnx", data, 0o600))
	}
	save()
	m := image.NewRGBA(image.Rect(0, 0, 8, 4))
	for i := range m.Pix {
		m.Pix[i] = []uint8{51, 102, 0, 255}[i%4]
	}
	var b bytes.Buffer
	must(t, png.Encode(&b, m))
	must(t, os.WriteFile("a.png", b.Bytes(), 0o600))
	must(t, os.WriteFile("names", []byte("red\ngreen\n"), 0o600))
	want := make([]float64, 2)
	predict.Softmax([]float32{0.2, 0.4}, want)
	for _, c := range []struct{ args, want string }{
		{"", "leaves the size of its input \"x\" open; -crop HEIGHT,WIDTH or -resize HEIGHT,WIDTH says it"},
		{"-resize 3", "leaves the size"},
		{"-crop 2", "give -mean and -std"},
		{"-crop 2 -mean 0", "-mean and -std belong together"},
		{"-crop 2 -mean 0 -std 1 -classes names", fmt.Sprintf("a.png: green %.1f %%, red", 100*want[1])},
		{"-resize 2,3 -mean 0,0,0 -std 1,1,1 -top 1", fmt.Sprintf("a.png: 1 %.1f %%\n", 100*want[1])},
		{"-resize 2,3 -mean 0,0 -std 1", "do not fit net.onnx: 2 means and 3 deviations for 3 channels"},
		{"-resize 0 -mean 0 -std 1 -crop 2", "makes sides of 0 pixels"},
		{"-resize a", `-resize: "a" is not a number`},
		{"-ema", "leave out -ema"},
		{"-crop 2 -mean 0 -std 1 -mask out", "there is no mask"},
		{"-crop 2 -mean 0 -std 1 -classes a.png", "-classes does not fit"},
	} {
		_, out, errs := quietly(slices.Concat([]string{"predict", "net.onnx", "a.png"}, strings.Fields(c.args)))
		if all := out + strings.Join(strings.Fields(errs), " "); !strings.Contains(all, c.want) {
			t.Errorf("%s: %s, want %s", c.args, all, c.want)
		}
	}
	file.Graph.Inputs[0].Shape[2].Size, file.Graph.Inputs[0].Shape[3].Size = 4, 8
	file.Metadata = []model.Entry{
		{Key: "qpipe.preprocessing", Value: `{"height":4,"width":8,"channels":3,"layout":"NHWC","colors":"RGB","mean":[0,0,0],"std":[1,1,1]}`},
		{Key: "qpipe.classes", Value: `["red","green"]`},
	}
	save()
	if p := predicted(t, 0, "net.onnx", "a.png").Predictions[0].Outputs[0].Classes[0]; p.Name != "green" || math.Abs(p.Score-want[1]) > 1e-6 {
		t.Errorf("%+v", p)
	}
}
