package lower_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"testing"

	"qpipe/interp/graph"
	"qpipe/interp/lower"
	"qpipe/interp/part"
	"qpipe/interp/parttest"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/move"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/tensor"
)

// spoke has the rules that have found something in a test.
var spoke = map[string]bool{}

func lowered(t testing.TB, p *program.Program) (*graph.Plan, diag.List) {
	t.Helper()
	return loweredFor(t, p, stage.Machine{})
}

func loweredFor(t testing.TB, p *program.Program, m stage.Machine) (*graph.Plan, diag.List) {
	t.Helper()
	plan, list := lower.For(p, catalogue(), m)
	for _, d := range list {
		spoke[d.Rule] = true
	}
	return plan, list
}

// catalogue adds parts that the rules need and other tests do not.
func catalogue() part.Catalog {
	return append(parttest.Catalog(),
		part.TransformPart("Shift", "", shift{}, func(a shift) (part.Transform, error) { return a, nil }),
		part.DatasetPart("Same", "", same{}, func(a same) (part.Dataset, error) { return a, nil }),
		part.DatasetPart("Named", "", namedSet{}, func(a namedSet) (part.Dataset, error) { return a, nil }),
		part.CallbackPart("Average", "", average{}, program.NotTaken, program.NotTaken, func(a average) (part.Callback, error) { return a, nil }),
		part.ModelPart("Shares", "", shares{}, func(a shares) (part.Model, error) { return a, nil }),
		part.CallbackPart("Watch", "", watch{}, program.NotTaken, program.NotTaken, func(a watch) (part.Callback, error) { return a, nil }),
	)
}

type (
	shift   struct{}
	same    struct{}
	average struct{}
	watch   struct{}
	shares  struct{}
)

// Build makes a network that ends in a softmax, and a reshape behind it.
func (shares) Build(in []tensor.Shape) (*nn.Graph, error) {
	b := nn.NewBuilder(in[0])
	x := b.Apply("shares", op.Softmax{Axis: 2}, b.Linear("fc", b.GlobalAvgPool("pool", b.Input()), 3, true))
	return b.Graph(b.Apply("end", move.Reshape{Height: 1, Width: 1, Channels: 3}, x))
}

func (shift) Spec(s part.Spec) (part.Spec, error) {
	s.Inputs[0].Mean = []float32{0.25}
	return s, nil
}
func (shift) Apply(*part.Sample, *part.Rand) {}

func (same) Spec() part.Spec {
	return part.Spec{Inputs: []part.InputSpec{{Shape: tensor.Shape{H: 6, W: 6, C: 1}}}, Targets: []part.TargetSpec{{Classes: 3}}, Len: 40}
}
func (same) Open(func(string) fs.FS) (part.Samples, error) { return nil, fs.ErrNotExist }
func (same) Files() (string, []string)                     { return "", nil }
func (same) Shares(part.Dataset) bool                      { return true }

// namedSet is a data set whose classes have names.
type namedSet struct {
	Names []string `arg:"names"`
}

func (n namedSet) Spec() part.Spec {
	s := same{}.Spec()
	s.Targets[0].Names = n.Names
	return s
}
func (namedSet) Open(func(string) fs.FS) (part.Samples, error) { return nil, fs.ErrNotExist }
func (namedSet) Files() (string, []string)                     { return "", nil }

func (average) AveragesWeights()      {}
func (average) End(*part.State) error { return nil }

func (watch) End(*part.State) error { return nil }
func (watch) Monitors() string      { return "loss" }
func (watch) Direction() string     { return "max" }

// TestRules breaks the rules that need a part of their own; the others are broken in the tests of their subject.
func TestRules(t *testing.T) {
	callback := func(f flow, s int, name string, args any) {
		c := f.Call(program.CallbackKind, name, name, args)
		f.Stages[s].Callbacks = append(f.Stages[s].Callbacks, program.Callback{Call: c})
	}
	for rule, change := range map[string]func(f flow){
		"values-differ": func(f flow) {
			f.Datasets[0].Transforms = []program.Call{f.Call(program.TransformKind, "Shift", "shift", shift{})}
			f.Program.Stages = f.Stages[:1]
		},
		"class-names": func(f flow) {
			for i, d := range f.Datasets {
				d.Call = f.Call(program.DatasetKind, "Named", fmt.Sprint("d", i), namedSet{Names: [][]string{{"cat", "dog", "cow"}, {"cat", "cow", "hen"}}[i]})
			}
		},
		"shared-images": func(f flow) {
			for i, d := range f.Datasets {
				d.Call = f.Call(program.DatasetKind, "Same", fmt.Sprint("d", i), same{})
			}
		},
		"softmax-twice": func(f flow) {
			f.Models[0].Call = f.Call(program.ModelKind, "Shares", "model.Shares.net", shares{})
			f.Program.Stages = f.Stages[:1]
			f.Stages[0].Callbacks = nil
		},
		"wrong-direction": func(f flow) { callback(f, 0, "Watch", watch{}) },
		"averaged-best":   func(f flow) { callback(f, 0, "Average", average{}) },
		"points-passed": func(f flow) {
			f.Program.Stages = append(f.Stages[:1], f.Stage("more", f.Models[0], f.Datasets[0], f.Datasets[1], f.Convert("more", "", nil, "float.last")))
			s := f.Stages[1]
			s.Trainer = f.Trainer("more", 4, 0.05)
			s.Trainer.ResumeOptimizer, s.Trainer.ResumeEpochOrStep = true, true
			s.Callbacks = []program.Callback{f.Checkpoint("more", 0)}
			callback(f, 1, "FreezeBN", parttest.FreezeBNArgs{})
			s.Callbacks[1].When = f.At(program.Epoch, 1)
			s.Callbacks[1].When.Every = 2
		},
	} {
		t.Run(rule, func(t *testing.T) {
			p, x := parttest.Flow()
			change(flow{p, x})
			_, list := lowered(t, p)
			for _, d := range list {
				if d.Rule != rule {
					t.Errorf("%s %s %s: %s", d.Code, d.Rule, d.Summary, d.Detail)
				}
			}
			if len(list) != 1 || list[0].Code == "" {
				t.Errorf("%d diagnostics", len(list))
			}
		})
	}
}

// TestMain fails if all tests have run and there is a rule that has found nothing in any of them.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" {
		for _, r := range graph.Rules() {
			if !spoke[r.Name] {
				fmt.Printf("no test breaks the rule %s\n", r.Name)
				code = 1
			}
		}
	}
	os.Exit(code)
}
