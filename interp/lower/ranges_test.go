package lower_test

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/parttest"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// TestRanges: for every way to an int8 model, validate knows which of its nodes have a
// range by then. want lists the nodes that have none.
func TestRanges(t *testing.T) {
	all := "body.a.conv body.b.conv head.pool input"
	fixed := func(q *program.Quant) {
		a := q.Observer.Args.(parttest.ObserverArgs)
		a.Fixed = true
		q.Observer.Args = a
	}
	// A file of the pipeline's QAT model, with those of its tensors that keeps chooses.
	file := func(t *testing.T, change func(*nn.Tensor) bool) string {
		p, _ := parttest.Flow()
		p.Stages[2].Callbacks = nil
		plan, _ := lowered(t, p)
		g := plan.Stage("qat").Model.Clone()
		g.Init(1)
		for _, m := range g.Modules() {
			g.SetRange(m.Name, -1, 2)
		}
		s := &checkpoint.Snapshot{Form: nn.QAT, Mode: nn.ReverseFold, Structure: g.Structure()}
		for _, ts := range g.Tensors() {
			if change(&ts) {
				s.Model = append(s.Model, ts)
			}
		}
		path := filepath.Join(t.TempDir(), "f.safetensors")
		must(t, artifact.Write(path, s))
		return path
	}
	float := func(t *testing.T) string {
		p, _ := parttest.Flow()
		plan, _ := lowered(t, p)
		g := plan.Stage("float").Model.Clone()
		g.Init(1)
		path := filepath.Join(t.TempDir(), "f.safetensors")
		must(t, artifact.Write(path, &checkpoint.Snapshot{Form: nn.Float, Structure: g.Structure(), Model: g.Tensors()}))
		return path
	}
	loads := func(f flow, a parttest.LoadArgs) []program.Call {
		return []program.Call{f.Call(program.ConverterKind, "LoadCheckpoint", "l", a, "checkpoint_path")}
	}
	for _, c := range []struct {
		name       string
		converters []string // of the int8 stage, "file" being load's
		load       func(t *testing.T, f flow) []program.Call
		change     func(f flow)
		want       string
	}{
		{name: "nothing is loaded", converters: []string{"Float2QAT", "QAT2Quantize"}, want: all},
		{name: "a float stage", converters: []string{"float.best", "Float2QAT", "QAT2Quantize"}, want: all},
		{name: "a calibration", converters: []string{"Float2QAT", "calibration.last", "QAT2Quantize"}},
		{name: "quantized training", converters: []string{"Float2QAT", "qat.best", "QAT2Quantize"}},
		{name: "a float stage, then a calibration", converters: []string{"float.last", "Float2QAT", "calibration.last", "QAT2Quantize"}},
		{
			name: "fixed ranges", converters: []string{"float.best", "Float2QAT", "QAT2Quantize"},
			change: func(f flow) { fixed(&f.QConfigs[0].Activation) },
		},
		{
			name: "some fixed ranges", converters: []string{"float.best", "Float2QAT", "QAT2Quantize"},
			change: func(f flow) {
				q := f.QConfigs[0].Activation
				fixed(&q)
				q.Origin = f.Origin("o.activation", "fixed")
				f.QConfigs[0].Overrides = append(f.QConfigs[0].Overrides, program.Override{Selector: f.Selector("body"), Activation: &q, Origin: f.Origin("o")})
			}, want: "head.pool input",
		},
		{
			name: "a QAT file", converters: []string{"Float2QAT", "file", "QAT2Quantize"},
			load: func(t *testing.T, f flow) []program.Call {
				return loads(f, parttest.LoadArgs{CheckpointPath: program.Checkpoint{Path: file(t, func(*nn.Tensor) bool { return true })}})
			},
		},
		{
			name: "a QAT file without ranges", converters: []string{"Float2QAT", "file", "QAT2Quantize"},
			load: func(t *testing.T, f flow) []program.Call {
				return loads(f, parttest.LoadArgs{CheckpointPath: program.Checkpoint{Path: file(t, func(ts *nn.Tensor) bool {
					if _, ok := nn.RangeOf(ts.Name); ok {
						ts.Data = []float32{float32(math.Inf(1)), float32(math.Inf(-1))}
					}
					return true
				})}})
			}, want: all,
		},
		{
			name: "a QAT file that lacks a range", converters: []string{"Float2QAT", "file", "QAT2Quantize"},
			load: func(t *testing.T, f flow) []program.Call {
				return loads(f, parttest.LoadArgs{AllowMiss: true, CheckpointPath: program.Checkpoint{Path: file(t, func(ts *nn.Tensor) bool {
					return ts.Name != "body.b.conv.act_quant.min_max"
				})}})
			}, want: "body.b.conv",
		},
		{
			name: "a QAT file with other names", converters: []string{"Float2QAT", "file", "QAT2Quantize"},
			load: func(t *testing.T, f flow) []program.Call {
				return loads(f, parttest.LoadArgs{Rename: map[string]string{"net": ""}, CheckpointPath: program.Checkpoint{Path: file(t, func(ts *nn.Tensor) bool {
					ts.Name = "net." + ts.Name
					return true
				})}})
			},
		},
		{
			name: "a float file, whatever is missing", converters: []string{"Float2QAT", "file", "QAT2Quantize"},
			load: func(t *testing.T, f flow) []program.Call {
				return loads(f, parttest.LoadArgs{AllowMiss: true, CheckpointPath: program.Checkpoint{Path: float(t)}})
			}, want: all,
		},
		{
			name: "a file that is not there yet", converters: []string{"Float2QAT", "file", "QAT2Quantize"},
			load: func(t *testing.T, f flow) []program.Call {
				return loads(f, parttest.LoadArgs{CheckpointPath: program.Checkpoint{Path: filepath.Join(t.TempDir(), "later.safetensors")}})
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, text := parttest.Flow()
			f := flow{p, text}
			if c.change != nil {
				c.change(f)
			}
			last := p.Stages[3]
			last.Convert = text.Convert("int_infer", "with_bn_reverse_fold", p.QConfigs[0])
			for _, name := range c.converters {
				calls := text.Convert("int_infer", "", nil, name).Converters
				if name == "file" {
					calls = c.load(t, f)
				}
				last.Convert.Converters = append(last.Convert.Converters, calls...)
			}
			_, list := lowered(t, p)
			list = slices.DeleteFunc(list, func(d *diag.Diagnostic) bool { return d.Severity == diag.Warning })
			got := ""
			for _, d := range list {
				if d.Code != diag.NoRange {
					t.Fatalf("%s: %s. %s", d.Code, d.Summary, d.Detail)
				}
				nodes, way, _ := strings.Cut(strings.TrimPrefix(d.Detail, "Nothing has observed these nodes: "), ". ")
				if got = strings.NewReplacer(",", "", " and", "").Replace(nodes); !strings.Contains(way, "stage.qat.checkpoint.last") {
					t.Errorf("the way out is %q", way)
				}
			}
			if got != c.want {
				t.Errorf("without a range: %q, want %q", got, c.want)
			}
		})
	}
}

// TestUnquantized: there is a warning for a stage that evaluates a quantized form without
// ranges. There is none for a stage that finds the ranges itself.
func TestUnquantized(t *testing.T) {
	p, text := parttest.Flow()
	eval := text.Stage("eval", p.Models[0], nil, p.Datasets[1], text.Convert("eval", "with_bn_reverse_fold", p.QConfigs[0], "float.best", "Float2QAT"))
	p.Stages = append(p.Stages, eval)
	_, list := lowered(t, p)
	if len(list) != 1 || list[0].Code != diag.NoRange || list[0].Severity != diag.Warning || list[0].Subject != eval.Origin.Header {
		t.Errorf("%v", list)
	}
}
