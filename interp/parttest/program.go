package parttest

import (
	"fmt"
	"strings"

	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// Text is an imaginary pipeline file. It hands out places, each on a line of its own.
type Text struct{ line int }

func (t *Text) next() diag.Range {
	t.line++
	at := diag.Pos{Line: t.line, Column: 1, Byte: 100 * t.line}
	return diag.Range{File: "x.hcl", Start: at, End: diag.Pos{Line: t.line, Column: 9, Byte: at.Byte + 8}}
}

// Origin is a block's place, with one for each of its attributes.
func (t *Text) Origin(address string, attrs ...string) program.Origin {
	o := program.Origin{Address: address, Header: t.next(), Attrs: map[string]diag.Range{}, Names: map[string]diag.Range{}}
	for _, a := range attrs {
		o.Attrs[a] = t.next()
		o.Names[a] = o.Attrs[a]
	}
	return o
}

// Call is a part's call.
func (t *Text) Call(k program.Kind, name, address string, args any, attrs ...string) program.Call {
	c := program.Call{Kind: k, Type: name, Args: args, Origin: t.Origin(address, attrs...)}
	if l, ok := args.(LoadArgs); ok && l.CheckpointPath.Stage != "" {
		from := l.CheckpointPath
		c.Refs = []program.Ref{{Stage: from.Stage, What: "checkpoint." + from.Which, Attr: "checkpoint_path", Range: c.Origin.At("checkpoint_path")}}
	}
	return c
}

// Selector parses a selector. It knows as much of the notation as the tests need: literals, "*", "**" and "!".
func (t *Text) Selector(text string) program.Selector {
	s := program.Selector{Text: text, Range: t.next()}
	text, s.Negated = strings.CutPrefix(text, "!")
	for part := range strings.SplitSeq(text, ".") {
		switch part {
		case "**":
			s.Segments = append(s.Segments, program.Segment{Deep: true})
		case "*":
			s.Segments = append(s.Segments, program.Segment{Alts: []program.Glob{{{Star: true}}}})
		default:
			s.Segments = append(s.Segments, program.Segment{Alts: []program.Glob{{{Literal: part}}}})
		}
	}
	return s
}

// At is a schedule: "epoch 2", "step 7", "start", "end".
func (t *Text) At(unit program.Unit, n int) *program.Schedule {
	return &program.Schedule{Text: fmt.Sprintf("%s %d", unit, n), Range: t.next(), Unit: unit, From: n, To: -1}
}

// FuseBN is a callback that absorbs.
func (t *Text) FuseBN(address string, when *program.Schedule, modules ...string) program.Callback {
	c := program.Callback{Call: t.Call(program.CallbackKind, "FuseBN", address, FuseBNArgs{}, "when", "modules"), When: when}
	for _, m := range modules {
		c.Modules = append(c.Modules, t.Selector(m))
	}
	return c
}

// Dataset is a data set.
func (t *Text) Dataset(name string, a DotsArgs) *program.Dataset {
	return &program.Dataset{Name: name, Call: t.Call(program.DatasetKind, "Dots", "dataset.Dots."+name, a, "root", "n", "size")}
}

// Model is a model.
func (t *Text) Model(name string, a TinyArgs) *program.Model {
	return &program.Model{Name: name, Call: t.Call(program.ModelKind, "Tiny", "model.Tiny."+name, a, "num_classes", "width")}
}

// QConfig quantizes everything to int8, except for the output of head.fc.
func (t *Text) QConfig(name string) *program.QConfig {
	quant := func(address, dtype string, weight bool) program.Quant {
		return program.Quant{
			DType: dtype, Scheme: "symmetric", ScaleRule: "max", Rounding: "half_even", PerChannel: weight,
			Observer: t.Call(program.ObserverKind, "min_max", address, ObserverArgs{Constant: 0.01}),
			Origin:   t.Origin(address, "dtype"),
		}
	}
	q := &program.QConfig{Name: name, Origin: t.Origin("qconfig." + name)}
	q.Activation = quant("qconfig."+name+".activation", "int8", false)
	q.Weight = quant("qconfig."+name+".weight", "int8", true)
	float := quant("qconfig."+name+".override[0].activation", "float32", false)
	q.Overrides = []program.Override{{
		Selector: t.Selector("head.fc"), Origin: t.Origin("qconfig." + name + ".override[0]"), Activation: &float,
	}}
	return q
}

// Convert is a model_convert_pipeline. A converter's text is its type, or
// "stage.which" for a LoadCheckpoint.
func (t *Text) Convert(stageName, mode string, q *program.QConfig, converters ...string) *program.Convert {
	var written []string
	if mode != "" {
		written = append(written, "qat_mode")
	}
	c := &program.Convert{QATMode: mode, QConfig: q, Origin: t.Origin("stage."+stageName+".model_convert_pipeline", written...)}
	for i, name := range converters {
		address := fmt.Sprintf("stage.%s.model_convert_pipeline.converter[%d]", stageName, i)
		if from, which, ok := strings.Cut(name, "."); ok {
			args := LoadArgs{CheckpointPath: program.Checkpoint{Stage: from, Which: which}, CheckHash: true}
			c.Converters = append(c.Converters, t.Call(program.ConverterKind, "LoadCheckpoint", address, args, "checkpoint_path"))
			continue
		}
		c.Converters = append(c.Converters, t.Call(program.ConverterKind, name, address, Nothing{}))
	}
	return c
}

// Stage is a stage without a trainer or calibrator.
func (t *Text) Stage(name string, m *program.Model, train, val *program.Dataset, c *program.Convert) *program.Stage {
	return &program.Stage{
		Name: name, Model: m, Train: train, Val: val, Convert: c,
		Origin: t.Origin("stage."+name, "model", "train_data", "val_data"),
		Validation: program.Validation{
			BatchSize: 16, Origin: t.Origin("stage." + name + ".validation"),
			Metrics: []program.Judge{{Call: t.Call(program.MetricKind, "Accuracy", "stage."+name+".validation.metric[0]", Nothing{})}},
		},
	}
}

// Trainer trains for some epochs.
func (t *Text) Trainer(stageName string, epochs int, lr float64) *program.Trainer {
	address := "stage." + stageName + ".trainer"
	return &program.Trainer{
		NumEpochs: epochs, BatchSize: 8, DropLast: true,
		Optimizer: t.Call(program.OptimizerKind, "SGD", address+".optimizer.SGD", SGDArgs{LR: lr, Momentum: 0.9}, "lr"),
		Losses:    []program.Judge{{Call: t.Call(program.LossKind, "CrossEntropy", address+".loss", Nothing{})}},
		Origin:    t.Origin(address, "num_epochs", "batch_size", "resume_optimizer"),
	}
}

// Checkpoint is the callback of that name.
func (t *Text) Checkpoint(stageName string, steps int) program.Callback {
	return program.Callback{Call: t.Call(program.CallbackKind, "Checkpoint", "stage."+stageName+".callback.Checkpoint[0]", CheckpointArgs{Interval{steps}}, "steps")}
}

// Flow is a usual pipeline: float, calibration, QAT with two absorptions, int8. The training
// data has 40 images, in five batches.
func Flow() (*program.Program, *Text) {
	t := &Text{}
	train, val := t.Dataset("train", DotsArgs{N: 40, Size: 6, Classes: 3}), t.Dataset("test", DotsArgs{N: 24, Size: 6, Classes: 3, From: 1000})
	m, q := t.Model("net", TinyArgs{Classes: 3, Width: 4}), t.QConfig("int8")
	const mode = "with_bn_reverse_fold"

	float := t.Stage("float", m, train, val, nil)
	float.Trainer = t.Trainer("float", 2, 0.05)
	float.Callbacks = []program.Callback{t.Checkpoint("float", 0)}

	calibration := t.Stage("calibration", m, train, val, t.Convert("calibration", mode, q, "float.best", "Float2Calibration"))
	calibration.Calibrator = &program.Calibrator{NumSteps: 3, BatchSize: 8, Origin: t.Origin("stage.calibration.calibrator", "num_steps")}

	qat := t.Stage("qat", m, train, val, t.Convert("qat", mode, q, "Float2QAT", "calibration.last"))
	qat.Trainer = t.Trainer("qat", 2, 0.01)
	qat.Callbacks = []program.Callback{
		t.FuseBN("stage.qat.callback.FuseBN[0]", t.At(program.Step, 3), "body.a"),
		t.FuseBN("stage.qat.callback.FuseBN[1]", t.At(program.Epoch, 1), "body.b"),
		t.Checkpoint("qat", 4),
	}
	int8 := t.Stage("int_infer", m, nil, val, t.Convert("int_infer", mode, q, "Float2QAT", "qat.last", "QAT2Quantize"))

	return &program.Program{
		Name: "x", Dir: ".", Files: []string{"x.hcl"}, Settings: program.Settings{Seed: 7},
		Datasets: []*program.Dataset{train, val}, Models: []*program.Model{m}, QConfigs: []*program.QConfig{q},
		Stages: []*program.Stage{float, calibration, qat, int8},
	}, t
}
