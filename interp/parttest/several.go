package parttest

import (
	"fmt"
	"io/fs"

	"qpipe/interp/part"
	"qpipe/lang/program"
	"qpipe/ops/convbn"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// The parts of a task with two inputs (an image of bytes and a map of numbers), and three outputs and targets (a class, a
// mask with ignored pixels, two numbers).

// severalRows are their rows in the catalogue.
func severalRows() part.Catalog {
	return part.Catalog{
		part.DatasetPart("Scenes", "Images with depth; a class, a mask and two numbers for each.", ScenesArgs{N: 40},
			func(a ScenesArgs) (part.Dataset, error) { return scenes{a}, nil }),
		part.TransformPart("Mirror", "Swaps left and right of images and masks, or does not.", Nothing{},
			func(Nothing) (part.Transform, error) { return mirror{}, nil }),
		part.ModelPart("Heads", "Two inputs, three heads.", HeadsArgs{Classes: 3},
			func(a HeadsArgs) (part.Model, error) { return heads{a}, nil }),
		part.LossPart("SeveralLoss", "Cross-entropy of class and mask, and the squared error of the numbers.", Nothing{},
			func(Nothing) (part.Loss, error) { return several{}, nil }),
		part.LossPart("Squares", "The mean squared error of numbers.", Nothing{},
			func(Nothing) (part.Loss, error) { return squares{}, nil }),
		part.MetricPart("SeveralMetric", "Accuracy of class and mask, and the squared error of the numbers.", Nothing{},
			func(Nothing) (part.Metric, error) { return &severalMetric{}, nil }),
	}
}

// ScenesArgs are the arguments of Scenes. A Spoilt sample has an invalid label in its mask.
type ScenesArgs struct {
	N      int `arg:"n,optional"`
	From   int `arg:"from,optional"`
	Spoilt int `arg:"spoilt,optional"`
}

type scenes struct{ ScenesArgs }

// sceneSide is the height and width of a scene.
const sceneSide = 6

func (s scenes) Spec() part.Spec {
	pixels := tensor.Shape{H: sceneSide, W: sceneSide, C: 1}
	return part.Spec{
		Inputs: []part.InputSpec{
			{Name: "image", Shape: pixels},
			{Name: "depth", Shape: tensor.Shape{H: sceneSide, W: sceneSide, C: 2}, Numbers: true, Mean: []float32{1, 2}, Std: []float32{4}},
		},
		Targets: []part.TargetSpec{
			{Name: "class", Classes: 3, Names: []string{"near", "middle", "far"}},
			{Name: "mask", Shape: pixels, Classes: 2, Ignores: true},
			{Name: "size", Shape: tensor.Shape{H: 1, W: 1, C: 2}, Numbers: true},
		},
		Len: s.N,
	}
}

func (s scenes) Files() (string, []string)                     { return "", nil }
func (s scenes) Open(func(string) fs.FS) (part.Samples, error) { return s, nil }
func (s scenes) Len() int                                      { return s.N }

// Sample draws a scene: pixels are brighter where the mask is 1, and the depth depends on the class.
func (s scenes) Sample(i int, x *part.Sample) error {
	i += s.From
	r := part.NewRand(uint64(i), 77)
	class, wide := i%3, 1+r.Intn(4)
	image, depth, mask, size := &x.Images[0], &x.Images[1], &x.Targets[1], &x.Targets[2]
	image.H, image.W, image.C, image.Pix = sceneSide, sceneSide, 1, image.Pix[:0]
	depth.H, depth.W, depth.C, depth.Numbers = sceneSide, sceneSide, 2, depth.Numbers[:0]
	mask.H, mask.W, mask.Labels = sceneSide, sceneSide, mask.Labels[:0]
	for p := range sceneSide * sceneSide {
		label := int32(0)
		if p%sceneSide < wide {
			label = 1
		}
		image.Pix = append(image.Pix, uint8(100*int(label)+r.Intn(90)))
		depth.Numbers = append(depth.Numbers, float32(4*class-3)+float32(r.Float64()), float32(4*r.Float64()))
		if r.Intn(5) == 0 {
			label = part.Ignored
		}
		mask.Labels = append(mask.Labels, label)
	}
	if s.Spoilt > 0 && i == s.Spoilt {
		mask.Labels[0] = 2
	}
	x.Targets[0].Label(class)
	size.Numbers = append(size.Numbers[:0], float32(wide)/4, float32(class)/2)
	return nil
}

type mirror struct{}

func (mirror) Spec(in part.Spec) (part.Spec, error) { return in, nil }

func (mirror) Apply(s *part.Sample, r *part.Rand) {
	if r.Intn(2) == 0 {
		return
	}
	swap(s.Images[0].Pix, 1)
	swap(s.Images[1].Numbers, 2)
	swap(s.Targets[1].Labels, 1)
}

func swap[T any](p []T, channels int) {
	for y := range sceneSide {
		row := p[y*sceneSide*channels:][:sceneSide*channels]
		for i, j := 0, sceneSide-1; i < j; i, j = i+1, j-1 {
			for c := range channels {
				row[i*channels+c], row[j*channels+c] = row[j*channels+c], row[i*channels+c]
			}
		}
	}
}

// HeadsArgs are the arguments of Heads.
type HeadsArgs struct {
	Classes int `arg:"num_classes,optional"`
}

type heads struct{ HeadsArgs }

// Build makes body.a on the first input, body.b on the second, body.c on both, and head.fc, head.mask and head.size.
func (h heads) Build(in []tensor.Shape) (*nn.Graph, error) {
	if len(in) != 2 {
		return nil, fmt.Errorf("it takes an image and its depth, and the data has %s", part.Count(len(in), "input"))
	}
	b := nn.NewBuilder(in[0])
	unit := func(name string, x nn.Value) nn.Value {
		x = b.Conv(name+".conv", x, convbn.Conv{OutC: 4, Kernel: [2]int{3, 3}, Padding: [2]int{1, 1}})
		return b.Act(name+".act", b.BatchNorm(name+".bn", x, 0, 0), kernel.ReLU)
	}
	x := b.Concat("body.both", unit("body.a", b.Input()), unit("body.b", b.AddInput("depth", in[1])))
	x = unit("body.c", x)
	mean := b.GlobalAvgPool("head.pool", x)
	return b.Graph(
		b.Linear("head.fc", mean, h.Classes, true),
		b.Conv("head.mask", x, convbn.Conv{OutC: 2, Kernel: [2]int{1, 1}, Bias: true}),
		b.Linear("head.size", mean, 2, true),
	)
}

// severalFits returns an error if the loss and the metric cannot take the outputs and targets.
func severalFits(outputs []nn.Port, targets []part.TargetSpec) error {
	if len(outputs) != 3 || len(targets) != 3 {
		return fmt.Errorf("it takes three outputs and targets, and there are %d and %d", len(outputs), len(targets))
	}
	for k := range 2 {
		if err := part.FitsLabels(outputs[k:k+1], targets[k:k+1]); err != nil {
			return err
		}
	}
	if n := outputs[2].Shape.WithN(1).Len(); !targets[2].Numbers || n != targets[2].Size() {
		return fmt.Errorf("the output %q has %s, and the target is %v", outputs[2].Name, part.Count(n, "value"), targets[2])
	}
	return nil
}

// only returns a batch that has just one of the outputs, with its target.
func only(b *part.Batch, k int) *part.Batch {
	return &part.Batch{Len: b.Len, Outputs: b.Outputs[k : k+1], Targets: b.Targets[k : k+1]}
}

type several struct{}

func (several) Fits(outputs []nn.Port, targets []part.TargetSpec) error {
	return severalFits(outputs, targets)
}

func (several) Loss(b *part.Batch) float32 {
	total := softmax{}.Loss(only(b, 0)) + softmax{}.Loss(only(b, 1))
	return total + squares{}.Loss(only(b, 2))
}

// squares is the mean squared error of one output.
type squares struct{}

func (squares) Fits(outputs []nn.Port, targets []part.TargetSpec) error {
	if len(outputs) != 1 || len(targets) != 1 || !targets[0].Numbers || outputs[0].Shape.WithN(1).Len() != targets[0].Size() {
		return fmt.Errorf("it needs one output and as many numbers")
	}
	return nil
}

func (squares) Loss(b *part.Batch) float32 {
	y, n, total := &b.Outputs[0], float32(len(b.Outputs[0].Values)), float32(0)
	for i, v := range y.Values {
		d := v - b.Targets[0].Numbers[i]
		total += d * d / n
		if y.Grad != nil {
			y.Grad[i] = 2 * d / n
		}
	}
	return total
}

type severalMetric struct {
	class, mask accuracy
	squares     float64
	numbers     int
}

func (*severalMetric) Fits(outputs []nn.Port, targets []part.TargetSpec) error {
	return severalFits(outputs, targets)
}

func (*severalMetric) Names() []string { return []string{"accuracy", "mask_accuracy", "size_error"} }
func (m *severalMetric) Reset()        { *m = severalMetric{} }

func (m *severalMetric) Update(b *part.Batch) {
	m.class.Update(only(b, 0))
	m.mask.Update(only(b, 1))
	for i, v := range b.Outputs[2].Values {
		d := float64(v) - float64(b.Targets[2].Numbers[i])
		m.squares += d * d
		m.numbers++
	}
}

func (m *severalMetric) Values() []float64 {
	return []float64{m.class.Values()[0], m.mask.Values()[0], m.squares / float64(max(m.numbers, 1))}
}

// Split names for each output of Several its own loss and metric.
func Split(p *program.Program, t *Text) {
	for _, s := range p.Stages {
		judge := func(k program.Kind, typ, output, address string) program.Judge {
			return program.Judge{Call: t.Call(k, typ, "stage."+s.Name+"."+address, Nothing{}, "output", "weight"), Output: output}
		}
		s.Validation.Metrics = []program.Judge{
			s.Validation.Metrics[0],
			judge(program.MetricKind, "Accuracy", "head.fc", "validation.metric[1]"), judge(program.MetricKind, "Accuracy", "head.mask", "validation.metric[2]"),
		}
		if s.Trainer != nil {
			s.Trainer.Losses = []program.Judge{
				judge(program.LossKind, "CrossEntropy", "head.fc", "trainer.loss[0]"), judge(program.LossKind, "CrossEntropy", "head.mask", "trainer.loss[1]"),
				judge(program.LossKind, "Squares", "head.size", "trainer.loss[2]"),
			}
		}
	}
}

// Several is Flow for the task with several inputs and targets.
func Several() (*program.Program, *Text) {
	p, t := Flow()
	for i, d := range p.Datasets {
		d.Call = t.Call(program.DatasetKind, "Scenes", d.Origin.Address, ScenesArgs{N: []int{40, 24}[i], From: 1000 * i}, "n", "from")
	}
	p.Datasets[0].Transforms = []program.Call{t.Call(program.TransformKind, "Mirror", "dataset.Scenes.train.transform[0]", Nothing{})}
	m := p.Models[0]
	m.Call = t.Call(program.ModelKind, "Heads", m.Origin.Address, HeadsArgs{Classes: 3}, "num_classes")
	q := p.QConfigs[0]
	size := q.Overrides[0]
	size.Selector = t.Selector("head.size")
	q.Overrides = append(q.Overrides, size) // head.mask is not overridden: its output is integers
	for _, s := range p.Stages {
		s.Validation.Metrics = []program.Judge{{Call: t.Call(program.MetricKind, "SeveralMetric", "stage."+s.Name+".validation.metric[0]", Nothing{})}}
		if s.Trainer != nil {
			s.Trainer.Losses[0].Call = t.Call(program.LossKind, "SeveralLoss", "stage."+s.Name+".trainer.loss", Nothing{})
		}
	}
	return p, t
}
