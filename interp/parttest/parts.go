// Package parttest has small parts and a small pipeline for the tests of the interpreter. It is
// of no use outside of tests.
package parttest

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"

	"qpipe/interp/part"
	"qpipe/interp/stage"
	"qpipe/lang/program"
	"qpipe/ops/convbn"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// Catalog has a row for every part of this package.
func Catalog() part.Catalog {
	return append(severalRows(), part.Catalog{
		part.DatasetPart("Dots", "Images with a dot per class.", DotsArgs{N: 40, Size: 6, Classes: 3},
			func(a DotsArgs) (part.Dataset, error) { return dots{a}, nil }),
		part.TransformPart("Crop", "Cuts off what lies beyond size.", CropArgs{}, newCrop),
		part.ModelPart("Tiny", "Two convolutions.", TinyArgs{Classes: 3, Width: 4},
			func(a TinyArgs) (part.Model, error) { return tiny{a}, nil }),
		part.ModelPart("Stored", "Tiny, with weights of head.fc from the file fc.bias.", StoredArgs{TinyArgs: TinyArgs{Classes: 3, Width: 4}},
			func(a StoredArgs) (part.Model, error) { return stored{tiny{a.TinyArgs}, a.Root}, nil }),
		part.ModelPart("Stack", "Convolutions as they are written.", StackArgs{Classes: 3},
			func(a StackArgs) (part.Model, error) { return stack{a}, nil }),
		part.OptimizerPart("SGD", "Momentum.", SGDArgs{LR: 0.1},
			func(a SGDArgs) (part.Optimizer, error) { return sgd{a}, nil }),
		part.LRUpdaterPart("Ramp", "", RampArgs{}, func(a RampArgs) (part.LRUpdater, error) { return a, nil }),
		part.LossPart("CrossEntropy", "Softmax.", Nothing{},
			func(Nothing) (part.Loss, error) { return softmax{}, nil }),
		part.MetricPart("Accuracy", "Share of the right.", Nothing{},
			func(Nothing) (part.Metric, error) { return &accuracy{}, nil }),
		part.ObserverPart("min_max", "Extremes.", ObserverArgs{Constant: 0.01},
			newObserver),
		part.CallbackPart("FuseBN", "Absorbs.", FuseBNArgs{}, program.Required, program.Optional,
			func(FuseBNArgs) (part.Callback, error) { return fuseBN{}, nil }),
		part.CallbackPart("FreezeBN", "Freezes.", FreezeBNArgs{}, program.Optional, program.Optional,
			func(FreezeBNArgs) (part.Callback, error) { return freezeBN{}, nil }),
		part.CallbackPart("Checkpoint", "Keeps the best.", CheckpointArgs{}, program.NotTaken, program.NotTaken,
			func(a CheckpointArgs) (part.Callback, error) { return &checkpoint{args: a}, nil }),
		part.CallbackPart("Trip", "Fails.", TripArgs{}, program.Required, program.NotTaken,
			func(a TripArgs) (part.Callback, error) { return trip(a), nil }),
		part.CallbackPart("Diary", "Records what is measured.", DiaryArgs{File: "diary.txt"}, program.NotTaken, program.NotTaken,
			func(a DiaryArgs) (part.Callback, error) { return diary(a), nil }),
		part.ExporterPart("Names", "Writes the names of the nodes.", NamesArgs{File: "nodes.txt"},
			func(a NamesArgs) (part.Exporter, error) { return names(a), nil }),
		part.ConverterPart("LoadCheckpoint", "Loads.", LoadArgs{CheckHash: true}, program.AnyForm, program.AnyForm,
			func(a LoadArgs) (part.Converter, error) { return a, nil }),
		part.ConverterPart("Float2Calibration", "Prepares.", Nothing{}, program.Float, program.Calibration,
			func(Nothing) (part.Converter, error) { return prepare(nn.Calibration), nil }),
		part.ConverterPart("Float2QAT", "Prepares.", Nothing{}, program.Float, program.QAT,
			func(Nothing) (part.Converter, error) { return prepare(nn.QAT), nil }),
		part.ConverterPart("QAT2Quantize", "Converts.", Nothing{}, program.QAT, program.Quantized,
			func(Nothing) (part.Converter, error) { return quantize{}, nil }),
		part.ConverterPart("Misquantize", "Converts, and gets a bias wrong.", Nothing{}, program.QAT, program.Quantized,
			func(Nothing) (part.Converter, error) { return quantize{spoilt: true}, nil }),
	}...)
}

// DiaryArgs are the arguments of Diary. With Fails, it writes nothing and returns an error.
type DiaryArgs struct {
	File  string `arg:"file,optional"`
	Fails bool   `arg:"fails,optional"`
}

// RecordsMetrics implements the language's question.
func (DiaryArgs) RecordsMetrics() {}

type diary DiaryArgs

func (d diary) Files() []string             { return []string{d.File} }
func (d diary) StepEnd(s *part.State) error { return s.Note() }

func (d diary) Record(r *part.Record) error {
	if d.Fails {
		return errors.New("the ink is dry")
	}
	text := r.Stage + "\n"
	for _, p := range r.Points {
		text += fmt.Sprint(p.Kind, " ", p.Epoch, " ", p.Step, " ", p.Time.IsZero(), " ", p.LR != nil, " ", p.Metrics, "\n")
	}
	return r.Write(d.File, []byte(text))
}

// NamesArgs are the arguments of Names. With Fails, it writes nothing and returns an error.
type NamesArgs struct {
	File  string `arg:"file,optional"`
	Fails bool   `arg:"fails,optional"`
}

type names NamesArgs

func (n names) Files() []string { return []string{n.File} }

func (n names) Export(e *part.Export) error {
	if n.Fails {
		return errors.New("there is no room for names")
	}
	text := string(e.Model.Form()) + "\n"
	for _, m := range e.Model.Modules() {
		text += m.Name + "\n"
	}
	return e.Write(n.File, []byte(text))
}

// Nothing are the arguments of a part that takes none.
type Nothing struct{}

// DotsArgs are the arguments of Dots. With a Root, its images are shifted by the byte in the
// file dots.txt in that folder. With Uncounted, the number of images is known only after opening.
type DotsArgs struct {
	N       int    `arg:"n,optional"`
	Size    int    `arg:"size,optional"`
	Classes int    `arg:"classes,optional"`
	From    int    `arg:"from,optional"`
	Root    string `arg:"root,optional"`

	Uncounted bool `arg:"uncounted,optional"`
	Reading   int  `arg:"reading,optional" before:"0"` // how many bytes reading a sample is said to take
}

type dots struct{ DotsArgs }

func (d dots) Spec() part.Spec {
	spec := part.Spec{
		Inputs:  []part.InputSpec{{Shape: tensor.Shape{H: d.Size, W: d.Size, C: 1}}},
		Targets: []part.TargetSpec{{Classes: d.Classes}},
		Len:     d.N,
	}
	if d.Uncounted {
		spec.Len = -1
	}
	return spec
}

// SampleBytes implements part.Reader.
func (d dots) SampleBytes(func(string) fs.FS) int64 { return int64(d.Reading) }

func (d dots) Files() (string, []string) {
	if d.Root == "" {
		return "", nil
	}
	return d.Root, []string{"dots.txt"}
}

func (d dots) Open(fsys func(string) fs.FS) (part.Samples, error) {
	if d.Root == "" {
		return dotted{d, 0}, nil
	}
	data, err := fs.ReadFile(fsys(d.Root), "dots.txt")
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, errors.New("dots.txt is empty")
	}
	return dotted{d, int(data[0])}, nil
}

type dotted struct {
	dots
	shift int
}

func (d dotted) Len() int { return d.N }

func (d dotted) Sample(i int, s *part.Sample) error {
	dst := &s.Images[0]
	i += d.From
	label := i % d.Classes
	r := part.NewRand(uint64(i), uint64(d.shift))
	dst.H, dst.W, dst.C = d.Size, d.Size, 1
	dst.Pix = dst.Pix[:0]
	for p := range d.Size * d.Size {
		v := r.Intn(90)
		if p/d.Size%d.Classes == label {
			v += 120
		}
		dst.Pix = append(dst.Pix, uint8(v))
	}
	s.Targets[0].Label(label)
	return nil
}

// CropArgs are the arguments of Crop.
type CropArgs struct {
	Size int `arg:"size"`
}

type crop struct{ CropArgs }

func newCrop(a CropArgs) (part.Transform, error) { return crop{a}, nil }

func (c crop) Spec(in part.Spec) (part.Spec, error) {
	shape := &in.Inputs[0].Shape
	if c.Size > shape.H {
		return in, part.Bad("size", "%d is larger than the image", c.Size)
	}
	shape.H, shape.W = c.Size, c.Size
	return in, nil
}

func (c crop) Apply(s *part.Sample, _ *part.Rand) {
	m := &s.Images[0]
	for y := range c.Size {
		copy(m.Pix[y*c.Size*m.C:(y+1)*c.Size*m.C], m.Pix[y*m.W*m.C:])
	}
	m.H, m.W, m.Pix = c.Size, c.Size, m.Pix[:c.Size*c.Size*m.C]
}

// TinyArgs are the arguments of Tiny.
type TinyArgs struct {
	Classes int  `arg:"num_classes,optional"`
	Width   int  `arg:"width,optional"`
	Kernel  int  `arg:"kernel,optional"`
	Deep    bool `arg:"deep,optional"`
	Norms   bool `arg:"norms,optional"`
	Flat    bool `arg:"flat,optional"` // without the pool
}

type tiny struct{ TinyArgs }

// StoredArgs are the arguments of Stored. Its file has a byte for each class, the bias of head.fc. One more byte
// may follow: the Mean of the images that it was trained on.
type StoredArgs struct {
	TinyArgs
	Root string `arg:"root"`
}

type stored struct {
	tiny
	root string
}

// Files implements part.FileModel.
func (m stored) Files() (string, []string) { return m.root, []string{"fc.bias"} }

// BuildFrom implements part.FileModel.
func (m stored) BuildFrom(in []tensor.Shape, fsys func(string) fs.FS) (*part.Built, error) {
	data, err := fs.ReadFile(fsys(m.root), "fc.bias")
	if err != nil {
		return nil, part.Bad("root", "%w", err)
	}
	b := &part.Built{}
	if len(data) == m.Classes+1 {
		b.Inputs = []part.Preprocessing{{Height: in[0].H, Width: in[0].W, Mean: []float64{float64(data[m.Classes])}, Std: []float64{1}}}
		data = data[:m.Classes]
	}
	values := make([]float32, len(data))
	for i, v := range data {
		values[i] = float32(v)
	}
	b.Weights = []nn.Tensor{{Name: "head.fc.bias", Shape: []int{len(values)}, Data: values}}
	b.Graph, err = m.Build(in)
	return b, err
}

// Build makes body.a.{conv,bn,act}, body.b.{conv,bn,act} and head.{pool,fc}. With Deep, there
// is also body.c.{conv,bn}. With Norms, there are BNs without a convolution: body.in after the
// input, and body.mid after the pool.
func (t tiny) Build(in []tensor.Shape) (*nn.Graph, error) {
	if t.Width < 1 {
		return nil, part.Bad("width", "must be positive")
	}
	k := 3
	if t.Kernel > 0 {
		k = t.Kernel
	}
	b := nn.NewBuilder(in[0])
	unit := func(name string, x nn.Value, kernelSize, pad int) nn.Value {
		x = b.Conv(name+".conv", x, convbn.Conv{OutC: t.Width, Kernel: [2]int{kernelSize, kernelSize}, Padding: [2]int{pad, pad}})
		x = b.BatchNorm(name+".bn", x, 0, 0)
		return b.Act(name+".act", x, kernel.ReLU)
	}
	x := b.Input()
	if t.Norms {
		x = b.BatchNorm("body.in", x, 0, 0)
	}
	x = unit("body.a", x, k, 0)
	x = unit("body.b", x, 3, 1)
	if t.Deep {
		x = unit("body.c", x, 3, 1)
	}
	if !t.Flat {
		x = b.MaxPool("body.pool", x, op.PoolArgs{Kernel: [2]int{2, 2}})
	}
	if t.Norms {
		x = b.BatchNorm("body.mid", x, 0, 0)
	}
	x = b.GlobalAvgPool("head.pool", x)
	return b.Graph(b.Linear("head.fc", x, t.Classes, true))
}

// SGDArgs are the arguments of SGD.
type SGDArgs struct {
	LR       float64 `arg:"lr,optional"`
	Momentum float64 `arg:"momentum,optional"`
}

type sgd struct{ SGDArgs }

func (s sgd) LR() float64     { return s.SGDArgs.LR }
func (s sgd) Slots() []string { return []string{"momentum_buffer"} }
func (s sgd) Update(u *part.Update) {
	u.Set.SGD(u.W, u.G, u.Slots[0], u.LR, float32(s.Momentum), 0, false)
}

// RampArgs are the arguments of Ramp, a learning rate that rises for a number of steps.
type RampArgs struct {
	WarmupLen int `arg:"warmup_len,optional"`
}

// LR implements part.LRUpdater.
func (a RampArgs) LR(base float64, p part.Progress) float64 {
	return base * float64(min(p.Step+1, a.WarmupLen)) / float64(a.WarmupLen)
}

// WarmupSteps implements part.Warmer.
func (a RampArgs) WarmupSteps(part.Progress) int { return a.WarmupLen }

type softmax struct{}

// Normalizes implements part.Normalizer.
func (softmax) Normalizes() {}

func (softmax) Loss(b *part.Batch) float32 {
	n, total := float64(b.Counted()), 0.0
	for label, row := range b.Rows {
		top, sum := math.Inf(-1), 0.0
		for _, v := range row.Values {
			top = max(top, float64(v))
		}
		for _, v := range row.Values {
			sum += math.Exp(float64(v) - top)
		}
		for c, v := range row.Values {
			p := math.Exp(float64(v)-top) / sum
			if c == label {
				total -= math.Log(p)
				p--
			}
			if row.Grad != nil {
				row.Grad[c] = float32(p / n)
			}
		}
	}
	return float32(total / n)
}

type accuracy struct{ right, total int }

func (*accuracy) Names() []string { return []string{"accuracy"} }
func (a *accuracy) Reset()        { *a = accuracy{} }
func (a *accuracy) Update(b *part.Batch) {
	for label, row := range b.Rows {
		best := 0
		for c, v := range row.Values {
			if v > row.Values[best] {
				best = c
			}
		}
		a.total++
		if best == label {
			a.right++
		}
	}
}

func (a *accuracy) Values() []float64 { return []float64{float64(a.right) / float64(max(a.total, 1))} }

// ObserverArgs are the arguments of min_max.
type ObserverArgs struct {
	Constant float64 `arg:"averaging_constant,optional"`
	Fixed    bool    `arg:"fixed,optional"` // the range is -1 to 1, whatever the data
}

type observer struct{ ObserverArgs }

func newObserver(a ObserverArgs) (part.Observer, error) {
	if a.Constant < 0 {
		return nil, part.Bad("averaging_constant", "must not be negative")
	}
	return observer{a}, nil
}

func (o observer) Range(_ []float32, lo, hi float32, _ quant.Spec) (float32, float32) {
	if o.ObserverArgs.Fixed {
		return -1, 1
	}
	return lo, hi
}

func (o observer) Averaging() float32 { return float32(o.Constant) }

func (o observer) Fixed() bool { return o.ObserverArgs.Fixed }

// FuseBNArgs are the arguments of FuseBN.
type FuseBNArgs struct{}

// KeepsScale implements program.BNAbsorber.
func (FuseBNArgs) KeepsScale() bool { return true }

type fuseBN struct{}

func (fuseBN) Fire(s *part.State, modules []string) error { return s.AbsorbBN(modules, false) }

// FreezeBNArgs are the arguments of FreezeBN.
type FreezeBNArgs struct{}

// FreezesBN implements program.BNFreezer.
func (FreezeBNArgs) FreezesBN() {}

type freezeBN struct{}

func (freezeBN) Fire(s *part.State, modules []string) error { return s.FreezeBN(modules) }

// CheckpointArgs are the arguments of Checkpoint.
type CheckpointArgs struct{ Interval }

// Interval is an argument that Args can share by embedding it.
type Interval struct {
	Steps int `arg:"steps,optional"`
}

// KeepsBest implements program.BestKeeper.
func (CheckpointArgs) KeepsBest() bool { return true }

type checkpoint struct {
	args CheckpointArgs
	best float64
	seen bool
}

func (*checkpoint) GovernsCheckpoints() {}
func (*checkpoint) Priority() int       { return 90 }
func (c *checkpoint) State() map[string]float64 {
	if !c.seen {
		return nil
	}
	return map[string]float64{"best": c.best}
}
func (c *checkpoint) SetState(s map[string]float64) { c.best, c.seen = s["best"], true }

func (c *checkpoint) StepEnd(s *part.State) error {
	if c.args.Steps == 0 || s.Step%c.args.Steps != 0 {
		return nil
	}
	return s.Save("last")
}

func (c *checkpoint) EpochEnd(s *part.State) error {
	if v := s.Metrics["accuracy"]; !c.seen || v > c.best {
		c.best, c.seen = v, true
		if err := s.Save("best"); err != nil {
			return err
		}
	}
	return s.Save("last")
}

// TripArgs are the arguments of Trip.
type TripArgs struct {
	Panic  bool   `arg:"panic,optional"`
	Module string `arg:"module,optional"`
}

type trip TripArgs

// ErrTrip is what Trip fails with.
var ErrTrip = errors.New("tripped over a wire")

func (t trip) Fire(*part.State, []string) error {
	if t.Panic {
		panic("tripped over a stone")
	}
	return &stage.Failure{Module: t.Module, Attr: "module", Err: ErrTrip}
}

// LoadArgs are the arguments of LoadCheckpoint.
type LoadArgs struct {
	CheckpointPath part.Checkpoint   `arg:"checkpoint_path"`
	AllowMiss      bool              `arg:"allow_miss,optional"`
	CheckHash      bool              `arg:"check_hash,optional"`
	Rename         map[string]string `arg:"rename,optional"`
}

// Convert implements part.Converter.
func (a LoadArgs) Convert(c *part.Conversion) error {
	return c.Load(a.CheckpointPath, part.LoadOptions{AllowMiss: a.AllowMiss, CheckHash: a.CheckHash, Rename: a.Rename})
}

type prepare nn.Form

func (p prepare) Convert(c *part.Conversion) error {
	if err := c.Configure(); err != nil {
		return err
	}
	return c.Model.Prepare(nn.Form(p), c.Mode)
}

// quantize converts to int8. If it is spoilt, a bias of the result is wrong.
type quantize struct{ spoilt bool }

// Convert implements part.Converter.
func (q quantize) Convert(c *part.Conversion) error {
	g, err := c.Model.Convert()
	if err != nil {
		return err
	}
	c.Model = g
	for _, t := range g.Tensors() {
		if bias, ok := t.Data.([]int32); q.spoilt && ok && len(bias) > 0 && strings.HasSuffix(t.Name, ".bias") {
			bias[0] += 1000
			return g.SetTensor(t)
		}
	}
	return nil
}
