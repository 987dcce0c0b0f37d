package bench

import (
	"cmp"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/console"
	"qpipe/interp/graph"
	"qpipe/interp/part"
	"qpipe/lang/files"
	"qpipe/lang/program"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// net is a network that is measured by name: a model of the catalogue with arguments, and the size of its images.
type net struct {
	name, model string
	args        map[string]any
	in          tensor.Shape
	batch       int // the large batch
}

// nets are the networks that qpipe is compared with other programs on.
func nets() []net {
	grey, small, large := tensor.Shape{H: 28, W: 28, C: 1}, tensor.Shape{H: 32, W: 32, C: 3}, tensor.Shape{H: 224, W: 224, C: 3}
	resnet := func(depth int, stem string, classes int) map[string]any {
		return map[string]any{"depth": depth, "width": 64, "stem": stem, "num_classes": classes}
	}
	mobile := func(strides string, classes int) map[string]any {
		return map[string]any{"act": "relu", "strides": strides, "num_classes": classes}
	}
	classes := map[string]any{"strides": "imagenet", "num_classes": 1000}
	return []net{
		{"lenet", "LeNet5", nil, grey, 64},
		{"convnet", "ConvNet", nil, grey, 64},
		{"resnet18c", "ResNet", resnet(18, "cifar", 10), small, 64},
		{"mnv2c", "MobileNetV2", mobile("cifar", 10), small, 64},
		{"resnet18", "ResNet", resnet(18, "imagenet", 1000), large, 32},
		{"mnv2", "MobileNetV2", mobile("imagenet", 1000), large, 32},
		{"resnet50", "ResNet", resnet(50, "imagenet", 1000), large, 32},
		{"mnv3s", "MobileNetV3", classes, large, 32},
		{"effb0", "EfficientNet", classes, large, 32},
	}
}

// Names are the networks that are measured by name.
func Names() []string {
	var names []string
	for _, n := range nets() {
		names = append(names, n.name)
	}
	return names
}

// Subject is a network to measure.
type Subject struct {
	name    string
	lab     *Lab
	data    part.Spec // what it works on
	batches []int     // what is measured by default
	modes   []nn.Mode
	target  nn.Target
	qconfig func(m nn.Module) nn.QConfig
	// build returns the network with its parameters in form Float; it is nil for a file with another form. With warm,
	// one training batch gives the BNs their running statistics.
	build func(warm bool) (*nn.Graph, error)
	// int8 is the int8 model of a file, nil if it is built with build.
	int8      *nn.Graph
	optimizer part.Optimizer
	loss      part.Loss // nil: cross-entropy of every output
}

// batchNormMomentum is the argument of every model of the zoo for the share of the current batch in BatchNorm's running
// statistics.
const batchNormMomentum = "bn_momentum"

// Named finds the network that a word names: one of Names, or a file with a model.
func (l *Lab) Named(word string) (*Subject, error) {
	known := nets()
	i := slices.IndexFunc(known, func(n net) bool { return n.name == word })
	if i < 0 && !strings.ContainsAny(word, `./\`) {
		return nil, unknown("%q is no network%s; there are %s, and files: pipelines (.hcl) and models (%s)",
			word, console.DidYouMean(word, Names(), ""), strings.Join(Names(), ", "), artifact.Ext)
	}
	s := l.subject(word)
	var err error
	if s.qconfig, err = l.int8Everywhere(); err != nil {
		return nil, err
	}
	if err = l.trainWith(s); err != nil {
		return nil, err
	}
	if i < 0 {
		return s, s.read(word)
	}
	n := known[i]
	s.data.Inputs, s.batches = []part.InputSpec{{Shape: n.in}}, []int{1, n.batch}
	s.build = func(warm bool) (*nn.Graph, error) {
		return l.build(program.Call{Kind: program.ModelKind, Type: n.model}, n.args, s.data.Shapes(), warm)
	}
	return s, nil
}

// subject is a Subject of which only the name is known.
func (l *Lab) subject(name string) *Subject {
	return &Subject{name: name, lab: l, modes: []nn.Mode{nn.FuseBN, nn.WithBN, nn.ReverseFold}, batches: []int{1, 64}}
}

// build builds a model of the catalogue and fills it from a seed. A call without arguments gets the defaults and args.
func (l *Lab) build(c program.Call, args map[string]any, in []tensor.Shape, warm bool) (*nn.Graph, error) {
	statistics := map[string]any{}
	if warm {
		statistics[batchNormMomentum] = 1.0
	}
	if c.Args == nil {
		sig, ok := l.Catalog.Signature(c.Kind, c.Type)
		if !ok {
			return nil, fmt.Errorf("this program has no %s %q", c.Kind, c.Type)
		}
		c.Args = reflect.ValueOf(sig.Args()).Elem().Interface()
	}
	c.Args = withArgs(c.Args, args, statistics)
	m, err := part.New[part.Model](l.Catalog, c)
	if err != nil {
		return nil, err
	}
	built, err := part.Build(m, in, files.Folder)
	if err != nil {
		return nil, err
	}
	return built.Graph, built.Init(1)
}

// withArgs is a copy of a part's Args with some of its arguments set; arguments that the part does not have are
// ignored.
func withArgs(args any, sets ...map[string]any) any {
	v := reflect.New(reflect.TypeOf(args))
	v.Elem().Set(reflect.ValueOf(args))
	for f, to := range program.Arguments(v.Interface()) {
		for _, set := range sets {
			if value, ok := set[f.Name]; ok {
				to.Set(reflect.ValueOf(value))
			}
		}
	}
	return v.Elem().Interface()
}

// partOf builds a part of the catalogue with some arguments set.
func partOf[S any](l *Lab, kind program.Kind, name string, args map[string]any) (S, error) {
	sig, ok := l.Catalog.Signature(kind, name)
	if !ok {
		var none S
		return none, fmt.Errorf("this program has no %s %q", kind, name)
	}
	return part.New[S](l.Catalog, program.Call{Kind: kind, Type: name, Args: withArgs(reflect.ValueOf(sig.Args()).Elem().Interface(), args)})
}

// int8Everywhere is the result of a qconfig block with per_channel: int8 weights and activations; only the network's
// output stays float32.
func (l *Lab) int8Everywhere() (func(m nn.Module) nn.QConfig, error) {
	observer, err := partOf[part.Observer](l, program.ObserverKind, "min_max", nil)
	if err != nil {
		return nil, err
	}
	weight := nn.Quant{Spec: quant.Spec{DType: quant.Int8, PerChannel: true, Narrow: true}}
	activation := nn.Quant{Spec: quant.Spec{DType: quant.Int8}, Observer: observer}
	return func(m nn.Module) nn.QConfig {
		if m.Op == "linear" {
			return nn.QConfig{Weight: weight}
		}
		return nn.QConfig{Weight: weight, Activation: activation}
	}, nil
}

// trainWith sets the subject's optimizer to stochastic gradient descent. Its loss is cross-entropy, unless one is set.
func (l *Lab) trainWith(s *Subject) (err error) {
	s.optimizer, err = partOf[part.Optimizer](l, program.OptimizerKind, "SGD", map[string]any{"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4})
	return err
}

// read fills the subject from a file. A float checkpoint is measured in every form; one in another form is measured as
// the int8 model that it is or can be converted to.
func (s *Subject) read(path string) error {
	snap, err := artifact.Read(path)
	if err != nil {
		return err
	}
	if len(snap.Structure) == 0 {
		return unknown("%s does not say how its network is built; bench the pipeline that it comes from", path)
	}
	restore := func(bool) (*nn.Graph, error) { return checkpoint.Restore(snap, false) }
	g, err := restore(false)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	s.name = filepath.Base(path)
	switch g.Form() {
	case nn.Float:
		s.build = restore
	case nn.Quantized:
		s.int8 = g
	default:
		s.int8, err = g.Convert()
	}
	return err
}

// Of returns the models of a plan, or those that the lists of stages and models name.
func (l *Lab) Of(p *graph.Plan, stages, models []string) ([]*Subject, error) {
	if err := knownNames(p, stages, models); err != nil {
		return nil, err
	}
	var list []*Subject
	seen := map[*program.Model]bool{}
	for _, st := range p.Stages {
		m := st.Stage.Model
		asked := len(stages) == 0 || slices.Contains(stages, st.Name)
		asked = asked && (len(models) == 0 || slices.Contains(models, m.Name))
		if !asked || seen[m] {
			continue
		}
		seen[m] = true
		s, err := l.subjectIn(p, m)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		return nil, unknown("no stage that -stage names has a model that -model names")
	}
	return list, nil
}

func knownNames(p *graph.Plan, stages, models []string) error {
	var haveStages, haveModels []string
	for _, st := range p.Stages {
		haveStages, haveModels = append(haveStages, st.Name), append(haveModels, st.Stage.Model.Name)
	}
	for _, q := range []struct {
		flag        string
		words, have []string
	}{{"stage", stages, haveStages}, {"model", models, haveModels}} {
		for _, w := range q.words {
			if !slices.Contains(q.have, w) {
				return unknown("-%s: the pipeline has no %s %q%s", q.flag, q.flag, w, console.DidYouMean(w, q.have, ""))
			}
		}
	}
	return nil
}

// subjectIn is a model of a pipeline, with the quantization, optimizer and loss
// of the first stages that have one for it.
func (l *Lab) subjectIn(p *graph.Plan, m *program.Model) (*Subject, error) {
	s := l.subject(m.Name)
	for _, st := range p.Stages {
		if st.Stage.Model != m {
			continue
		}
		if feed := cmp.Or(st.Data.Train, st.Data.Val); feed != nil && len(s.data.Inputs) == 0 {
			s.data = feed.Spec
		}
		if s.qconfig == nil {
			s.target, s.qconfig = st.Target, st.QConfig
		}
		if t := st.Trainer; t != nil && s.optimizer == nil {
			var err error
			if s.optimizer, err = part.New[part.Optimizer](l.Catalog, t.Optimizer); err != nil {
				return nil, err
			}
			if s.loss, _, err = part.NewLosses(l.Catalog, t.Losses); err != nil {
				return nil, err
			}
			s.batches[1] = t.BatchSize
		}
	}
	s.build = func(warm bool) (*nn.Graph, error) { return l.build(m.Call, nil, s.data.Shapes(), warm) }
	if s.optimizer == nil {
		if err := l.trainWith(s); err != nil {
			return nil, err
		}
	}
	var err error
	if s.qconfig == nil {
		s.qconfig, err = l.int8Everywhere()
	}
	s.batches = slices.Compact(s.batches)
	return s, err
}
