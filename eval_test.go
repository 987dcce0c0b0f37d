package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"qpipe/ops/arith"
	"qpipe/ops/layer"
	"qpipe/ops/norm"

	"qpipe/internal/refvec"
	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/cli"
	"qpipe/interp/eval"
	"qpipe/interp/runs"
	"qpipe/ops/convbn"
	"qpipe/ops/curve"
	"qpipe/ops/engine"
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/move"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
	"qpipe/stdlib"
)

// evalJSON runs `qpipe eval -json` and returns what it prints.
func evalJSON(t *testing.T, args ...string) (doc struct {
	Images    int
	Metrics   map[string]float64
	Confusion []eval.Confusion
},
) {
	t.Helper()
	var out, errs strings.Builder
	s := cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs, Environ: environ()}
	if code := cli.Main(append([]string{"eval", "-json"}, args...), s, stdlib.Catalog()); code != 0 {
		t.Fatalf("qpipe eval %s: exit code %d\n%s%s", strings.Join(args, " "), code, &out, &errs)
	}
	must(t, json.Unmarshal([]byte(out.String()), &doc))
	return doc
}

// TestEvalSaysWhatTheRunSaid evaluates every file that a run leaves: the metrics are
// those of the stage, to the last digit.
func TestEvalSaysWhatTheRunSaid(t *testing.T) {
	out, file := filepath.Join(t.TempDir(), "run"), "testdata/pipelines/tiny.hcl"
	if code := run(t, "run", "-out", out, file); code != 0 {
		t.Fatal("the run failed")
	}
	m, err := runs.ReadManifest(out)
	must(t, err)
	for _, c := range []struct {
		stage, which string
		want         artifact.Metrics
		flags        []string
	}{
		{"float", "last", m.Stage("float").Metrics, nil},
		{"float", "best", m.Stage("float").Best, nil},
		{"calibration", "last", m.Stage("calibration").Metrics, nil},
		{"qat", "last", m.Stage("qat").Metrics, []string{"-ema"}},
		{"qat", "last", m.Stage("int_infer").Metrics, nil},
		{"int_infer", "int8", m.Stage("int_infer").Metrics, nil},
	} {
		for _, flags := range [][]string{{"-threads", "1", "-batch", "128"}, {"-threads", "3", "-batch", "7"}} {
			ref := fmt.Sprintf("stage.%s.checkpoint.%s", c.stage, c.which)
			doc := evalJSON(t, slices.Concat(c.flags, flags, []string{ref, "-out", out, "-data", "dataset.test", file})...)
			if doc.Images != 128 || doc.Metrics["accuracy"] != c.want["accuracy"] || !(doc.Metrics["loss"] > 0) {
				t.Errorf("%s %v: %+v, the stage has %v", ref, c.flags, doc, c.want)
			}
			right := int64(0)
			for i, k := range doc.Confusion[0].Classes {
				right += k.Correct
				if row := doc.Confusion[0].Matrix[i]; k.Count != 32 || k.Name != fmt.Sprint(i) || row[0]+row[1]+row[2]+row[3] != 32 || row[i] != k.Correct {
					t.Errorf("%s %v: %+v, %v", ref, c.flags, k, row)
				}
			}
			if float64(right)/128 != doc.Metrics["accuracy"] {
				t.Errorf("%s %v: %d of 128 are right, and the accuracy is %v", ref, c.flags, right, doc.Metrics["accuracy"])
			}
		}
	}
}

// evalQuant is a way to quantize activations and weights.
type evalQuant struct {
	nn.QConfig
	float   string // the node whose output is float32: one at the end, if any
	islands bool   // some nodes have float32 outputs, and some float32 weights
}

// evalQuants are the ways to quantize activations and weights, by name.
func evalQuants() map[string]evalQuant {
	w := quant.Spec{DType: quant.Int8, PerChannel: true, Narrow: true}
	of := func(a, w quant.Spec) evalQuant {
		return evalQuant{QConfig: nn.QConfig{Activation: nn.Quant{Spec: a, Observer: wide{}}, Weight: nn.Quant{Spec: w}}}
	}
	float := func(node string) evalQuant {
		return evalQuant{QConfig: of(quant.Spec{DType: quant.Int8}, w).QConfig, float: node}
	}
	tensorWise, half := w, w
	tensorWise.PerChannel = false
	half.Rule, half.Rounding = quant.HalfRange, quant.HalfUp
	islands := of(quant.Spec{DType: quant.Int8, Scheme: quant.Affine}, tensorWise)
	islands.islands = true
	return map[string]evalQuant{
		"islands":   islands,
		"int8":      of(quant.Spec{DType: quant.Int8}, w),
		"int8 half": of(quant.Spec{DType: quant.Int8, Rule: quant.HalfRange, Rounding: quant.HalfUp}, half),
		"affine":    of(quant.Spec{DType: quant.Int8, Scheme: quant.Affine}, tensorWise),
		"uint8":     of(quant.Spec{DType: quant.UInt8, Scheme: quant.Affine}, w),
		"int4":      of(quant.Spec{DType: quant.Int4}, quant.Spec{DType: quant.Int4, PerChannel: true, Narrow: true}),

		"float linear":     float("fc"),
		"float product":    float("mul_out"),
		"float hard-swish": float("hs_out"),
	}
}

// oddNet is a network with every op, for images of 8×8×1. The node float has something to do at its end.
func oddNet(t *testing.T, float string) *nn.Graph {
	t.Helper()
	b := nn.NewBuilder(tensor.Shape{H: 8, W: 8, C: 1})
	x := b.Conv("c0", b.Input(), convbn.Conv{OutC: 4, Kernel: [2]int{3, 3}, Stride: [2]int{1, 2}, Padding: [2]int{1, 1}, Bias: true})
	c := x
	x = b.BatchNorm("n0", b.MaxPool("mp", x, op.PoolArgs{Kernel: [2]int{2, 2}}), 0, 0)
	y := b.BatchNorm("n1", b.Conv("c1", x, convbn.Conv{OutC: 4, Kernel: [2]int{3, 3}, Padding: [2]int{2, 2}, Dilation: [2]int{2, 2}, Groups: 2}), 0, 0)
	y = b.Act("r1", b.Add("a1", y, x), kernel.ReLU6)
	z := b.Add("a2", b.AvgPool("ap", x, op.PoolArgs{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Padding: [2]int{1, 1}}), y)
	p, q := products(b, x, z)
	p = norms(b, layouts(b, b.Apply("again", op.QuantStub{}, b.Apply("dequant", op.DeQuantStub{}, b.Apply("drop", op.Dropout{P: 0.3}, p)))))
	k := b.Concat("k", y, z, p, padded(b, c, x), transposed(b, c, x), b.AvgPool("ac", x, op.PoolArgs{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Padding: [2]int{1, 1}, CountIncludePad: true}))
	f := b.Flatten("f", curves(b, k))
	y = b.Linear("fc", b.Add("fa", b.Act("fr", f, kernel.ReLU), b.Apply("fh", curve.Pointwise{Function: "hard_swish"}, f)), 3, true)
	switch float {
	case "fc":
		y = b.Apply("padded", move.Pad{Before: [3]int{0, 0, 1}, Value: -0.7}, y)
		y = b.Apply("cut", move.Slice{End: [3]int{0, 0, 3}}, y)
		y = b.Act("act", b.Flatten("end", y), kernel.ReLU6)
	case "mul_out":
		y = b.Apply(float, arith.Mul{}, y, b.GlobalAvgPool("gq", q))
	case "hs_out":
		y = b.Apply(float, curve.Pointwise{Function: "hard_swish"}, y)
	}
	g, err := b.Graph(y)
	must(t, err)
	g.Init(1)
	for _, ts := range g.Tensors() { // weights and biases that are not 1 and 0
		if v, ok := ts.Data.([]float32); ok && strings.HasPrefix(ts.Name, "norm") {
			for i := range v {
				v[i] += float32(i%7-3) / 8
			}
			must(t, g.SetTensor(ts))
		}
	}
	return g
}

// padded has windows that reach beyond the edges in different ways, on c, whose size is 8×4×4, and x; its own is 4×2×11.
func padded(b *nn.Builder, c, x nn.Value) nn.Value {
	two := [2]int{2, 2}
	return b.Concat("kp",
		b.AvgPool("ceil", c, op.PoolArgs{Kernel: [2]int{3, 3}, Stride: two, Ceil: true, CountIncludePad: true}),
		b.MaxPool("dilated", x, op.PoolArgs{Kernel: two, Stride: [2]int{1, 1}, Dilation: two, Pads: [4]int{0, 2, 2, 0}}),
		b.Conv("same", x, convbn.Conv{OutC: 3, Kernel: [2]int{2, 4}, Auto: "same_upper"}))
}

// transposed has transposed convolutions, which make the size of c, 8×4×4, of x, and a linear layer for each pixel; its own
// size is 4×2×12.
func transposed(b *nn.Builder, c, x nn.Value) nn.Value {
	two := [2]int{2, 2}
	y := b.ConvTranspose("t0", x, convbn.ConvTranspose{OutC: 4, Kernel: [2]int{3, 3}, Stride: two, Padding: [2]int{1, 1}, OutputPadding: [2]int{1, 1}, Groups: 2, Bias: true})
	y = b.Act("tr", b.Add("ta", b.BatchNorm("tn", y, 0, 0), c), kernel.ReLU)
	far := b.ConvTranspose("t1", x, convbn.ConvTranspose{OutC: 2, Kernel: [2]int{1, 1}, Stride: two, OutputPadding: [2]int{1, 1}, Bias: true})
	return b.Concat("kt",
		b.MaxPool("tp", b.Concat("up", y, far), op.PoolArgs{Kernel: two}),
		b.ConvTranspose("t2", x, convbn.ConvTranspose{OutC: 3, Kernel: [2]int{3, 2}, Stride: [2]int{1, 2}, Dilation: [2]int{1, 2}, Pads: [4]int{1, 1, 1, 2}}),
		b.Apply("lp", convbn.Linear{Out: 3, Bias: true, PerPixel: true}, x))
}

// products multiplies maps of every shape that fit x and z, whose size is 4×2×4; q is one channel of x.
func products(b *nn.Builder, x, z nn.Value) (p, q nn.Value) {
	q = b.Conv("c2", x, convbn.Conv{OutC: 1, Kernel: [2]int{1, 1}})
	rows := b.AvgPool("rows", x, op.PoolArgs{Kernel: [2]int{1, 2}})
	columns := b.AvgPool("columns", q, op.PoolArgs{Kernel: [2]int{4, 1}})
	p = b.Apply("mc", arith.Mul{}, b.Apply("hs", curve.Pointwise{Function: "hard_swish"}, z), b.GlobalAvgPool("gap", x))
	p = b.Apply("mh", arith.Mul{}, q, p)
	p = b.Apply("mx", arith.Mul{}, p, b.Apply("mr", arith.Mul{}, rows, columns))
	gate := b.GlobalAvgPool("gap2", z)
	p = b.Add("ag", b.Conv("c3", p, convbn.Conv{OutC: 4, Kernel: [2]int{1, 1}}), gate)
	p = b.Apply("sg", arith.Sub{}, rows, b.Apply("sx", arith.Sub{}, p, q))
	p = b.Apply("scale", arith.Scale{Begin: -0.7, Bias: true}, b.Apply("wide", arith.Scale{Begin: 1.3}, p))
	p = b.Apply("larger", arith.Max{}, p, b.Apply("joined", arith.Max{}, x, b.Act("xr", x, kernel.ReLU)))
	return b.Apply("smaller", arith.Min{}, b.Apply("outer", arith.Min{}, columns, p), b.Add("ao", columns, rows)), q
}

// layouts moves the values of a map of 4×2×4 about, and makes one of the same size of them.
func layouts(b *nn.Builder, x nn.Value) nn.Value {
	x = b.Apply("pad", move.Pad{Before: [3]int{1, 0, 1}, After: [3]int{0, 2, 0}, Value: 0.25}, x)                   // 5×4×5
	x = b.Apply("mirror", move.Pad{Before: [3]int{0, 3, 0}, After: [3]int{4, 1, 0}, Mode: "reflect"}, x)            // 9×8×5
	x = b.Apply("edge", move.Pad{Before: [3]int{3, 0, 0}, After: [3]int{0, 1, 0}, Mode: "edge"}, x)                 // 12×9×5
	x = b.Apply("slice", move.Slice{Start: [3]int{1, 0, 1}, End: [3]int{0, -1, 0}, Step: [3]int{2, 1, 1}}, x)       // 6×8×4
	x = b.Apply("unshuffle", move.PixelUnshuffle{Factor: 2}, b.Apply("shuffle", move.ChannelShuffle{Groups: 2}, x)) // 3×4×16
	x = b.Apply("transpose", move.Transpose{Order: [3]int{1, 0, 2}}, x)                                             // 4×3×16
	x = b.Apply("reshape", move.Reshape{Height: 2, Width: 6, Channels: -1}, x)                                      // 2×6×16
	x = b.Apply("pixels", move.PixelShuffle{Factor: 2}, x)                                                          // 4×12×4
	x = b.Apply("twice", move.ResizeNearest{Sampling: move.Sampling{Scale: [2]float32{2, 1.3}}}, x)                 // 8×15×4
	near := func(h, w int, coordinates string) move.Sampling {
		return move.Sampling{Size: [2]int{h, w}, Coordinates: coordinates}
	}
	x = b.Apply("half", move.ResizeNearest{Sampling: near(9, 13, "half_pixel"), Nearest: "round_prefer_ceil"}, x)
	x = b.Apply("corners", move.ResizeNearest{Sampling: near(11, 7, "align_corners"), Nearest: "round_prefer_floor"}, x)
	x = b.Apply("tf", move.ResizeNearest{Sampling: near(6, 5, "tf_half_pixel_for_nn"), Nearest: "ceil"}, x)
	x = reductions(b, x)
	return b.Apply("small", move.ResizeNearest{Sampling: near(4, 2, "pytorch_half_pixel")}, x)
}

// norms normalizes a map in every way.
func norms(b *nn.Builder, x nn.Value) nn.Value {
	for i, o := range []layer.Op{
		norm.GroupNorm{Groups: 2, Affine: true},
		norm.LayerNorm{Affine: true},
		norm.InstanceNorm{Eps: 1e-3},
		norm.LayerNorm{Whole: true, Affine: true},
		norm.LayerNorm{Eps: 1e-3},
		norm.LayerNorm{Whole: true},
	} {
		x = b.Apply(fmt.Sprintf("norm%d", i), o, x)
	}
	return x
}

// curves are several curves of a map, a few of its channels each, and one behind another.
func curves(b *nn.Builder, x nn.Value) nn.Value {
	parts := []nn.Value{x}
	for i, p := range []curve.Pointwise{
		{Function: "sigmoid"},
		{Function: "tanh"},
		{Function: "silu"},
		{Function: "gelu"},
		{Function: "gelu_tanh"},
		{Function: "mish"},
		{Function: "softplus"},
		{Function: "exp"},
		{Function: "log"},
		{Function: "sqrt"},
		{Function: "abs"},
		{Function: "neg"},
		{Function: "erf"},
		{Function: "power"},
		{Function: "power", Args: map[string]float64{"exponent": 1.5}},
		{Function: "leaky_relu"},
		{Function: "elu", Args: map[string]float64{"alpha": 0.7}},
		{Function: "hard_sigmoid"},
		{Function: "clip", Args: map[string]float64{"min": -0.3, "max": 0.6}},
		{Function: "clip", Args: map[string]float64{"max": 0.6}},
	} {
		narrow := b.Conv(fmt.Sprintf("cc%d", i), x, convbn.Conv{OutC: 2, Kernel: [2]int{1, 1}, Bias: true})
		parts = append(parts, b.Apply(fmt.Sprintf("curve%d", i), p, narrow))
	}
	s := b.Conv("logits", x, convbn.Conv{OutC: 3, Kernel: [2]int{1, 1}})
	for axis := range 3 {
		s = b.Apply(fmt.Sprint("log", axis), op.LogSoftmax{Axis: axis}, b.Apply(fmt.Sprint("softmax", axis), op.Softmax{Axis: (axis + 1) % 3}, s))
	}
	parts = append(parts, s, b.Apply("prelu", curve.PReLU{}, x), b.Apply("slopes", curve.PReLU{PerChannel: true}, x))
	return b.Concat("curves", parts...)
}

// reductions makes one of parts of a map, and resizes it.
func reductions(b *nn.Builder, x nn.Value) nn.Value {
	y := b.Apply("mean", op.Reduce{Function: "mean", Axes: [3]bool{false, true, true}}, x)
	y = b.Apply("gate", arith.Mul{}, b.Apply("adaptive", op.AdaptiveAvgPool{Size: [2]int{4, 3}}, x), b.Apply("most", op.AdaptiveMaxPool{Size: [2]int{4, 1}}, y))
	z := b.Apply("sum", op.Reduce{Function: "sum", Axes: [3]bool{true, false, false}}, x)
	z = b.Apply("gate2", arith.Mul{}, b.Apply("max", op.Reduce{Function: "max", Axes: [3]bool{false, true, false}}, z), b.Apply("gmp", op.GlobalMaxPool{}, x))
	y = b.Apply("bilinear", move.ResizeBilinear{Sampling: move.Sampling{Scale: [2]float32{2, 2}}}, b.Apply("gated", arith.Mul{}, y, z))
	y = b.Apply("stretched", move.ResizeBilinear{Sampling: move.Sampling{Size: [2]int{7, 11}, Coordinates: "align_corners"}}, y)
	return b.Apply("squeezed", move.ResizeBilinear{Sampling: move.Sampling{Scale: [2]float32{0.7, 0.6}, Coordinates: "asymmetric"}}, y)
}

// oddForms are the network in the forms that files have, calibrated.
func oddForms(t *testing.T, q evalQuant) []*nn.Graph {
	t.Helper()
	prepared := func(f nn.Form) *nn.Graph {
		g := oddNet(t, q.float)
		place := 0
		g.SetQConfig(func(m nn.Module) nn.QConfig {
			c := q.QConfig
			place++
			if m.Name == q.float || q.islands && place%4 == 0 {
				c.Activation = nn.Quant{}
			}
			if q.islands && place%3 == 0 {
				c.Weight = nn.Quant{}
			}
			return c
		})
		must(t, g.Prepare(f, nn.WithBN))
		return g
	}
	calibration, qat := prepared(nn.Calibration), prepared(nn.QAT)
	net, x := evalNet(t, calibration, 16), make([]float32, 16*64)
	for i := range x {
		x[i] = float32(i*7919%1000)/500 - 1
	}
	net.Forward(x, 16, engine.Calibrate)
	for _, ts := range calibration.Tensors() {
		must(t, qat.SetTensor(ts))
	}
	int8, err := qat.Convert()
	must(t, err)
	return []*nn.Graph{oddNet(t, q.float), calibration, qat, int8}
}

func evalNet(t *testing.T, g *nn.Graph, batch int) *engine.Net {
	t.Helper()
	set, err := sets.ByName("")
	must(t, err)
	pool := engine.NewWorkers(1)
	t.Cleanup(pool.Close)
	net, err := engine.Compile(g, batch, false, set, pool)
	must(t, err)
	net.Keep()
	return net
}

// saveGraph writes a model's file and a pipeline with a data set that fits it.
func saveGraph(t *testing.T, dir string, g *nn.Graph) (model, pipeline string) {
	t.Helper()
	model, pipeline = filepath.Join(dir, "m.safetensors"), filepath.Join(dir, "x.hcl")
	must(t, artifact.Write(model, &checkpoint.Snapshot{Form: g.Form(), Mode: g.Mode(), Structure: g.Structure(), Model: g.Tensors()}))
	must(t, os.WriteFile(pipeline, []byte(`
dataset "Glyphs" "d" {
  num_samples = 10
  classes     = "012"
  transform "RandomCrop" { size = 8 }
}`), 0o600))
	return model, pipeline
}

// readDump reads all arrays of a dump, by the names of their files.
func readDump(t *testing.T, dir string) (artifact.DumpIndex, map[string]*refvec.Array) {
	t.Helper()
	var index artifact.DumpIndex
	text, err := os.ReadFile(filepath.Join(dir, artifact.DumpIndexName))
	must(t, err)
	must(t, json.Unmarshal(text, &index))
	arrays := map[string]*refvec.Array{}
	for _, a := range index.Arrays {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(a.File)))
		must(t, err)
		arrays[a.File], err = refvec.ReadNPY(bytes.NewReader(data))
		must(t, err)
		if kind := strings.TrimPrefix(fmt.Sprintf("%T", arrays[a.File].Data), "[]"); kind != a.DType || !slices.Equal(arrays[a.File].Shape, a.Shape) {
			t.Errorf("%s: %s %v, the index says %s %v", a.File, kind, arrays[a.File].Shape, a.DType, a.Shape)
		}
	}
	return index, arrays
}

// TestDumpIsWhatTheNetComputes dumps a network with every op, in every form and every
// quantization, in batches, and compares each array with a pass of ops/nn over all images.
func TestDumpIsWhatTheNetComputes(t *testing.T) {
	all := evalQuants()
	for at, name := range slices.Sorted(maps.Keys(all)) {
		q := all[name]
		for k, g := range oddForms(t, q) {
			if k != at%4 && os.Getenv("QPIPE_LONG") == "" {
				continue // with QPIPE_LONG every form of every quantization
			}
			t.Run(fmt.Sprintf("%s, %s", name, g.Form()), func(t *testing.T) {
				dir := t.TempDir()
				model, pipeline := saveGraph(t, dir, g)
				dump := filepath.Join(dir, "dump")
				evalJSON(t, model, "-data", "dataset.d", "-batch", "4", "-dump", dump, pipeline)
				index, arrays := readDump(t, dump)
				net := evalNet(t, g, 10)
				y := net.Forward(arrays["images.npy"].Float32s(), 10, engine.Eval)
				if logits := arrays["logits.npy"].Float32s(); !slices.Equal(logits, y[:30]) {
					t.Errorf("logits %v, want %v", logits, y[:30])
				}
				for i, p := range arrays["predictions.npy"].Int32s() {
					row := y[3*i:][:3]
					if row[p] != slices.Max(row) {
						t.Errorf("image %d: prediction %d of %v", i, p, row)
					}
				}
				if labels := arrays["labels.npy"].Int32s(); !slices.Equal(labels, []int32{0, 1, 2, 0, 1, 2, 0, 1, 2, 0}) {
					t.Errorf("labels %v", labels)
				}
				nodes := 0
				for _, a := range index.Arrays {
					if a.Node != "" {
						nodes++
						sameOutput(t, net, a, arrays[a.File])
					}
				}
				if nodes != len(g.Modules()) {
					t.Errorf("%d nodes in the dump, %d in the model", nodes, len(g.Modules()))
				}
			})
		}
	}
}

// TestDumpIsTheSameEverywhere dumps int8 models with every kernel set, several numbers of
// threads and batches: the files are the same, byte for byte; those of models with float islands within a kernel set.
func TestDumpIsTheSameEverywhere(t *testing.T) {
	counts := []string{"1", "3"}
	if os.Getenv("QPIPE_LONG") != "" {
		counts = []string{"1", "2", "3", "7"}
	}
	all := evalQuants()
	for at, name := range slices.Sorted(maps.Keys(all)) {
		if at%3 != 0 && os.Getenv("QPIPE_LONG") == "" {
			continue
		}
		q, dir := all[name], t.TempDir()
		model, pipeline := saveGraph(t, dir, oddForms(t, q)[3])
		var first map[string][]byte
		for _, set := range sets.All() {
			t.Setenv("QPIPE_KERNELS", set.Name)
			if q.islands {
				first = nil
			}
			for _, threads := range counts {
				dump := filepath.Join(dir, set.Name+threads)
				evalJSON(t, model, "-data", "dataset.d", "-threads", threads, "-batch", threads, "-dump", dump, pipeline)
				files := filesOf(t, dump)
				if first == nil {
					first = files
				}
				if !reflect.DeepEqual(files, first) {
					t.Errorf("%s: kernel set %s, %s threads: another dump", name, set.Name, threads)
				}
			}
		}
	}
}

// filesOf reads all files in a folder, by their paths.
func filesOf(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	must(t, fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files[path], err = os.ReadFile(filepath.Join(dir, path))
		}
		return err
	}))
	return files
}

// sameOutput compares a node's array with the net's output, code by code and value by value.
func sameOutput(t *testing.T, net *engine.Net, a artifact.DumpArray, array *refvec.Array) {
	t.Helper()
	want := checkpoint.ReadOutput(net, a.Node)
	got, codes := array.Float32s(), a.Scale != nil
	if codes != (want.Codes != nil) || codes && (a.DType == "uint8") != (a.Codes == "uint8") {
		t.Fatalf("%s: %+v, codes %t", a.Node, a, want.Codes != nil)
	}
	if strings.HasPrefix(a.Node, "f") && a.Node != "fc" {
		want.Values = channelsFirst(want.Values, 4, 2, len(want.Values)/(10*4*2))
	}
	for i, v := range got {
		if codes {
			v = (v - float32(*a.ZeroPoint)) * float32(*a.Scale)
		}
		if v != want.Values[i] {
			t.Fatalf("%s, element %d: %v, want %v", a.Node, i, v, want.Values[i])
		}
	}
}

// channelsFirst reorders images from row, column, channel to channel, row, column.
func channelsFirst(x []float32, h, w, c int) (y []float32) {
	for ; len(x) > 0; x = x[h*w*c:] {
		for k := range c {
			for p := range h * w {
				y = append(y, x[p*c+k])
			}
		}
	}
	return y
}
