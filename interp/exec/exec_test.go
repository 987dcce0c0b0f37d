package exec

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/disk"
	"qpipe/interp/event"
	"qpipe/interp/graph"
	"qpipe/interp/lower"
	"qpipe/interp/part"
	"qpipe/interp/parttest"
	"qpipe/interp/runs"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/kernel/ref"
	"qpipe/ops/nn"
)

// world returns options with a clock that advances by itself.
func world(out string) Options {
	now := time.Unix(1_700_000_000, 0)
	set := ref.Set()
	return Options{
		Out: out, Kernels: set, Version: "test", Threads: 1, nosync: true,
		Clock: func() time.Time { now = now.Add(time.Millisecond); return now },
		FS:    func(root string) fs.FS { return os.DirFS(root) },
	}
}

// lowered returns the plan of a pipeline without mistakes.
func lowered(t testing.TB, p *program.Program) *graph.Plan {
	t.Helper()
	plan, list := lower.Lower(p, parttest.Catalog())
	if list.HasErrors() {
		t.Fatal(list[0].Summary)
	}
	return plan
}

// ran runs a pipeline that is expected to succeed.
func ran(t testing.TB, p *program.Program, o Options) *Report {
	t.Helper()
	r, list := Run(context.Background(), lowered(t, p), o)
	for _, d := range list {
		t.Logf("%s %s: %s. %s", d.Code, d.Severity, d.Summary, d.Detail)
	}
	if list.HasErrors() {
		t.FailNow()
	}
	return r
}

// broke runs a pipeline that is expected to fail, with one error.
func broke(t testing.TB, p *program.Program, o Options) (*Report, *diag.Diagnostic) {
	t.Helper()
	r, list := Run(context.Background(), lowered(t, p), o)
	list = slices.DeleteFunc(list, func(d *diag.Diagnostic) bool { return d.Severity == diag.Warning })
	if len(list) != 1 {
		for _, d := range list {
			t.Logf("%s: %s. %s", d.Code, d.Summary, d.Detail)
		}
		t.Fatalf("%d errors, want one", len(list))
	}
	return r, list[0]
}

// states lists the states in a report.
func states(r *Report) string {
	var out []string
	for _, s := range r.Stages {
		out = append(out, s.Name+": "+s.State+" ("+s.Reason+")")
	}
	return strings.Join(out, "\n")
}

// products are the files of a run that must be the same however the run got there.
func products(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		if rel == "events.jsonl" || rel == "manifest.json" || rel == "lock" {
			return nil
		}
		data, err := os.ReadFile(path)
		out[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// sorted ignores the order of the metrics: those of a restored result are
// at the end.
func sorted(files map[string]string) map[string]string {
	out := maps.Clone(files)
	lines := strings.SplitAfter(files["metrics.jsonl"], "\n")
	slices.Sort(lines)
	out["metrics.jsonl"] = strings.Join(lines, "")
	return out
}

// differences lists the products that differ.
func differences(want, got map[string]string) (out []string) {
	keys := map[string]bool{}
	for k := range want {
		keys[k] = true
	}
	for k := range got {
		keys[k] = true
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		w, has := want[k]
		g, also := got[k]
		switch {
		case !has:
			out = append(out, "too much: "+k)
		case !also:
			out = append(out, "missing: "+k)
		case w != g:
			out = append(out, "differs: "+k)
		}
	}
	return out
}

func withOutput(p *program.Program) *program.Program {
	value := func(r program.Results) (any, diag.List) {
		v, ok := r.Metric("int_infer", "accuracy")
		if !ok {
			return nil, diag.List{{Code: diag.BadResult, Summary: "no accuracy"}}
		}
		return v, nil
	}
	p.Outputs = []*program.Output{{Name: "acc", Value: value, Refs: []program.Ref{{Stage: "int_infer", What: "metrics.accuracy"}}}}
	return p
}

// TestFlow: a run of the whole pipeline, and a second one that has nothing to do. Two
// folders and other numbers of threads give the same bytes.
func TestFlow(t *testing.T) {
	p, _ := parttest.Flow()
	withOutput(p)
	dir := filepath.Join(t.TempDir(), "run")
	r := ran(t, p, world(dir))
	if got, want := states(r), "float: ran (first run)\ncalibration: ran (first run)\nqat: ran (first run)\nint_infer: ran (first run)"; got != want {
		t.Fatalf("%s", got)
	}
	first := products(t, dir)
	if got, want := strings.Join(slices.Sorted(maps.Keys(first)), " "), "calibration/last.safetensors float/best.safetensors float/last.safetensors int_infer/int8.safetensors metrics.jsonl qat/best.safetensors qat/last.safetensors"; got != want {
		t.Errorf("files: %s", got)
	}
	if len(r.Outputs) != 1 || r.Outputs[0].Value.(float64) < 0.5 {
		t.Errorf("outputs: %v; the net has learned too little", r.Outputs)
	}
	last := r.Stages[3]
	if last.Form != "quantized" || last.Bytes == 0 || filepath.Base(last.Artifact) != "int8.safetensors" {
		t.Errorf("%+v", last)
	}

	again := ran(t, p, world(dir))
	if strings.Count(states(again), "up to date (nothing has changed)") != 4 {
		t.Errorf("the second time:\n%s", states(again))
	}
	if d := differences(first, products(t, dir)); d != nil {
		t.Errorf("a run with nothing to do: %v", d)
	}
	if again.Stages[3].Metrics["accuracy"] != last.Metrics["accuracy"] || again.Outputs[0].Value != r.Outputs[0].Value {
		t.Error("the figures of a skipped stage are not those of its run")
	}

	other := filepath.Join(t.TempDir(), "other")
	o := world(other)
	o.Threads = 3
	ran(t, p, o)
	if d := differences(first, products(t, other)); d != nil {
		t.Errorf("another folder, three threads: %v", d)
	}
}

// TestProof: the proof of the conversion finds equal integers.
func TestProof(t *testing.T) {
	p, _ := parttest.Flow()
	dir := t.TempDir()
	ran(t, p, world(dir))
	m, err := runs.ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	proof := m.Stage("int_infer").Proof
	if proof == nil || proof.Changed != 0 || len(proof.Nodes) != 6 || proof.Total == 0 || proof.Images != 24 || proof.Against != "stage.qat.checkpoint.best" && proof.Against != "stage.qat.checkpoint.last" {
		t.Errorf("%+v", proof)
	}
	if log, _ := os.ReadFile(filepath.Join(dir, "events.jsonl")); !bytes.Contains(log, []byte(`"event":"int8_proof"`)) {
		t.Error("no event")
	}
	s, err := artifact.Read(filepath.Join(dir, "int_infer", "int8.safetensors"))
	if err != nil || len(s.Absorbed) != 2 || s.Metrics["accuracy"] == 0 {
		t.Errorf("the int8 model: %v, %v", s, err)
	}
	d, err := artifact.Describe(filepath.Join(dir, "int_infer", "int8.safetensors"))
	if err != nil || d.Kind != artifact.KindInt8 || len(d.Layers) < 5 || d.Layers[1].Weight != "int8" {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestProofImages: the stage says on how many images the conversion is proved.
func TestProofImages(t *testing.T) {
	dir := t.TempDir()
	for images, want := range map[int]int{0: 24, program.AllImages: 24, 7: 7, 1000: 24} {
		p, _ := parttest.Flow()
		p.Stages[3].Proof = images
		ran(t, p, world(dir))
		m, err := runs.ReadManifest(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Stage("int_infer").Proof.Images; got != want {
			t.Errorf("proof_images = %d proves %d images, want %d", images, got, want)
		}
	}
}

// TestReceipts: BNs that a conversion absorbs or folds get receipts, too.
func TestReceipts(t *testing.T) {
	for _, c := range []struct {
		mode, stage string
		exact       bool // no integer may change; else no value visibly
	}{
		{"with_bn", "int_infer", true}, {"with_bn_reverse_fold", "int_infer", true}, {"fuse_bn", "calibration", false},
	} {
		p, _ := parttest.Flow()
		for _, s := range p.Stages[1:] {
			s.Convert.QATMode = c.mode
		}
		p.Stages[2].Callbacks = nil
		o := world(t.TempDir())
		heard := events(&o)
		ran(t, p, o)
		var modules []string
		for _, e := range *heard {
			a, ok := e.Data.(event.Absorb)
			if !ok {
				continue
			}
			if e.Stage != c.stage || e.Step == 0 || c.exact && (a.MaxChange != 0 || a.Changed != 0 || a.Integers == 0) || !(a.MaxChange < 1e-4) {
				t.Errorf("%s: %+v", c.mode, e)
			}
			modules = append(modules, a.Module)
		}
		if strings.Join(modules, " ") != "body.a.conv body.b.conv" {
			t.Errorf("%s: %v", c.mode, modules)
		}
	}
}

// TestLoneBN: a BN that does not follow a convolution is trained, frozen and converted like any
// other, but never absorbed.
func TestLoneBN(t *testing.T) {
	for _, mode := range []string{"fuse_bn", "with_bn", "with_bn_reverse_fold"} {
		for _, fused := range []bool{false, true} {
			if fused && mode == "fuse_bn" {
				continue
			}
			p, x := parttest.Flow()
			p.Models[0].Args = parttest.TinyArgs{Classes: 3, Width: 4, Norms: true}
			for _, s := range p.Stages[1:] {
				s.Convert.QATMode = mode
			}
			qat := p.Stages[2]
			qat.Callbacks = qat.Callbacks[2:]
			if fused {
				qat.Callbacks = append(qat.Callbacks, x.FuseBN("all", x.At(program.Step, 3), "body"))
			}
			freeze := program.Callback{Call: x.Call(program.CallbackKind, "FreezeBN", "freeze", parttest.FreezeBNArgs{}), When: x.At(program.Step, 7)}
			qat.Callbacks = append(qat.Callbacks, freeze)
			o := world(t.TempDir())
			heard := events(&o)
			ran(t, p, o)
			if got := count[event.Absorb](*heard); got != 2 {
				t.Errorf("%s: %d BNs were absorbed", mode, got)
			}
			m, err := runs.ReadManifest(o.Out)
			must(t, err)
			if proof := m.Stage("int_infer").Proof; proof.Changed != 0 || len(proof.Nodes) != 8 {
				t.Errorf("%s: %+v", mode, proof)
			}
			snap, err := artifact.Read(filepath.Join(o.Out, "int_infer", "int8.safetensors"))
			must(t, err)
			g, err := nn.Restore(snap.Structure)
			must(t, err)
			must(t, checkpoint.LoadTensors(g, snap, part.LoadOptions{}))
		}
	}
}

// TestReasons changes one thing at a time and expects which stages run, and why. Explain
// says the same before the run.
func TestReasons(t *testing.T) {
	build := func() (*program.Program, *parttest.Text) { return parttest.Flow() }
	base, _ := build()
	origin := t.TempDir()
	ran(t, base, world(origin))
	const rest = "calibration: ran (stage float was run again)\nqat: ran (stage calibration was run again)\nint_infer: ran (stage qat was run again)"
	const none = "(nothing has changed)"
	for _, c := range []struct {
		name   string
		change func(p *program.Program, t *parttest.Text, o *Options)
		want   string
	}{
		{
			"batch size", func(p *program.Program, _ *parttest.Text, _ *Options) { p.Stages[0].Trainer.BatchSize = 10 },
			"float: ran (trainer.batch_size changed from 8 to 10)\n" + rest,
		},
		{"argument of a part", func(p *program.Program, _ *parttest.Text, _ *Options) {
			p.Stages[2].Trainer.Optimizer.Args = parttest.SGDArgs{LR: 0.02, Momentum: 0.9}
		}, "float: up to date " + none + "\ncalibration: up to date " + none + "\nqat: ran (trainer.optimizer.lr changed from 0.01 to 0.02)\nint_infer: ran (stage qat was run again)"},
		{"argument of an embedded struct", func(p *program.Program, _ *parttest.Text, _ *Options) {
			p.Stages[0].Callbacks[0].Args = parttest.CheckpointArgs{Interval: parttest.Interval{Steps: 4}}
		}, "float: ran (callback[0].steps changed from 0 to 4)\ncalibration: up to date " + none},
		{"schedule", func(p *program.Program, x *parttest.Text, _ *Options) {
			p.Stages[2].Callbacks[0].When = x.At(program.Step, 2)
		}, "float: up to date " + none + "\ncalibration: up to date " + none + "\nqat: ran (callback[0].when changed from step 3 to step 2)\nint_infer: ran (stage qat was run again)"},
		{"validation data", func(p *program.Program, _ *parttest.Text, _ *Options) {
			a := p.Datasets[1].Args.(parttest.DotsArgs)
			a.N = 30
			p.Datasets[1].Args = a
		}, ""},
		{
			"version", func(_ *program.Program, _ *parttest.Text, o *Options) { o.Version = "next" },
			"float: ran (version changed from test to next)",
		},
		{
			"forced", func(_ *program.Program, _ *parttest.Text, o *Options) {
				o.Force, o.Only = true, []string{"calibration"}
			},
			"float: up to date " + none + "\ncalibration: ran (forced)",
		},
		{
			"damaged", func(_ *program.Program, _ *parttest.Text, o *Options) {
				flip(t, filepath.Join(o.Out, "qat", "last.safetensors"))
			},
			"float: up to date " + none + "\ncalibration: up to date " + none + "\nqat: ran (its qat/last.safetensors is damaged)\nint_infer: up to date " + none,
		},
		{
			"missing", func(_ *program.Program, _ *parttest.Text, o *Options) {
				must(t, os.Remove(filepath.Join(o.Out, "float", "best.safetensors")))
			},
			"float: ran (its float/best.safetensors is missing)\ncalibration: up to date " + none,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, text := build()
			o := world(filepath.Join(t.TempDir(), "run"))
			if err := os.CopyFS(o.Out, os.DirFS(origin)); err != nil {
				t.Fatal(err)
			}
			c.change(p, text, &o)
			decisions, list := Explain(lowered(t, p), o)
			if list.HasErrors() {
				t.Fatal(list[0].Summary)
			}
			r := ran(t, p, o)
			if got := states(r); !strings.HasPrefix(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			for i, s := range r.Stages {
				if s.State == Ran && !decisions[i].Run {
					t.Errorf("%s ran, but the plan did not say so", s.Name)
				}
				if i == 0 && (decisions[0].Run != (s.State == Ran) || decisions[0].Reason != s.Reason) {
					t.Errorf("plan: %+v, run: %+v", decisions[0], s)
				}
			}
		})
	}
}

func flip(t testing.TB, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDataFiles: the content of the data matters, not its place or time.
func TestDataFiles(t *testing.T) {
	p, _ := parttest.Flow()
	p.Stages = p.Stages[:1]
	p.Dir = t.TempDir()
	put := func(dir, text string, at int64) {
		path := filepath.Join(p.Dir, dir, "dots.txt")
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o600))
		must(t, os.Chtimes(path, time.Unix(at, 0), time.Unix(at, 0)))
	}
	rooted := func(root string) {
		p.Datasets[0].Args = parttest.DotsArgs{N: 40, Size: 6, Classes: 3, Root: root}
	}
	o := world(filepath.Join(t.TempDir(), "run"))
	rooted("here")
	_, d := broke(t, p, o)
	if d.Code != diag.DataUnreadable || d.Subject != p.Datasets[0].Origin.At("root") {
		t.Errorf("no data: %s %v %s", d.Code, d.Subject, d.Summary)
	}
	put("here", "a", 1000)
	ran(t, p, o)
	put("here", "a", 2000)
	if got := states(ran(t, p, o)); got != "float: up to date (nothing has changed)" {
		t.Errorf("touched: %s", got)
	}
	put("there", "a", 3000)
	rooted("there")
	if got := states(ran(t, p, o)); got != "float: up to date (nothing has changed)" {
		t.Errorf("moved: %s", got)
	}
	put("there", "b", 4000)
	if got := states(ran(t, p, o)); got != "float: ran (the files of train_data changed)" {
		t.Errorf("changed: %s", got)
	}
}

// TestDataAreContent: changed data with the same name, size and time count as changed.
// Data that is certainly the same is not read again, except with -force.
func TestDataAreContent(t *testing.T) {
	p, _ := parttest.Flow()
	p.Stages = p.Stages[:1]
	p.Dir = t.TempDir()
	p.Datasets[0].Args = parttest.DotsArgs{N: 40, Size: 6, Classes: 3, Root: "here"}
	path := filepath.Join(p.Dir, "here", "dots.txt")
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	put := func(text string) {
		must(t, os.WriteFile(path, []byte(text), 0o600))
		must(t, os.Chtimes(path, time.Unix(1000, 0), time.Unix(1000, 0)))
	}
	o := world(filepath.Join(t.TempDir(), "run"))
	reads := 0
	o.FS = func(root string) fs.FS { return counting{os.DirFS(root), &reads} }
	run := func(after time.Duration, force bool) (state string, read int) {
		o.Clock, o.Force, reads = func() time.Time { return time.Now().Add(after) }, force, 0
		return states(ran(t, p, o)), reads
	}
	const same, other = "float: up to date (nothing has changed)", "float: ran (the files of train_data changed)"
	for _, after := range []time.Duration{0, time.Hour} { // just changed, and settled long ago
		put("a")
		run(after, false)
		put("b")
		if got, _ := run(after, false); got != other {
			t.Errorf("replaced, %v after: %s", after, got)
		}
	}
	if got, read := run(time.Hour, false); got != same || read != 0 {
		t.Errorf("settled: %s, read %d times", got, read)
	}
	if got, read := run(0, false); got != same || read != 1 {
		t.Errorf("perhaps changed again within the clock's tick: %s, read %d times", got, read)
	}
	run(time.Hour, false)
	if _, read := run(time.Hour, true); read != 2 {
		t.Errorf("-force read the file %d times, want once for the hash and once for the training", read)
	}
	must(t, os.Remove(path))
	must(t, os.Mkdir(path, 0o755))
	if _, d := broke(t, p, o); d.Code != diag.DataUnreadable {
		t.Errorf("a folder in the file's place: %s %s", d.Code, d.Summary)
	}
}

// counting counts the files that are opened.
type counting struct {
	fs.FS
	n *int
}

func (c counting) Open(name string) (fs.File, error) { *c.n++; return c.FS.Open(name) }
func (c counting) Stat(name string) (fs.FileInfo, error) {
	return fs.Stat(c.FS, name)
}

func (c counting) Glob(pattern string) ([]string, error) { return fs.Glob(c.FS, pattern) }

// TestPlaces: each failure has its code, its place, its node and its time.
func TestPlaces(t *testing.T) {
	trip := func(x *parttest.Text, a parttest.TripArgs) program.Callback {
		return program.Callback{Call: x.Call(program.CallbackKind, "Trip", "stage.float.callback.Trip[1]", a, "module", "when"), When: x.At(program.Step, 7)}
	}
	condition := func(x *parttest.Text, kind string, v any) program.Condition {
		return program.Condition{
			Kind: kind, Origin: x.Origin("c", "condition"),
			Holds:   func(program.Results) (any, diag.List) { return v, nil },
			Message: func(program.Results) (any, diag.List) { return "too low", nil },
		}
	}
	for _, c := range []struct {
		name   string
		change func(p *program.Program, x *parttest.Text, o *Options) diag.Range
		code   diag.Code
		says   string
		states string
	}{
		{"failure in training", func(p *program.Program, x *parttest.Text, o *Options) diag.Range {
			p.Stages[0].Callbacks = append(p.Stages[0].Callbacks, trip(x, parttest.TripArgs{Module: "body.a.conv"}))
			return p.Stages[0].Callbacks[1].Origin.At("module")
		}, diag.StageFailed, "tripped over a wire | body.a.conv | epoch 1, step 7 (when = \"step 7\", line ", "float: failed (first run)\ncalibration: not run (stage \"float\" failed)\nqat: not run"},
		{"panic of a part", func(p *program.Program, x *parttest.Text, o *Options) diag.Range {
			p.Stages[0].Callbacks = append(p.Stages[0].Callbacks, trip(x, parttest.TripArgs{Panic: true}))
			return p.Stages[0].Callbacks[1].Origin.Header
		}, diag.StageFailed, "Trip: Fire panics: tripped over a stone", "float: failed"},
		{"panic", func(p *program.Program, x *parttest.Text, o *Options) diag.Range {
			o.Events = func(e event.Event) {
				if _, ok := e.Data.(event.Epoch); ok && e.Stage == "float" {
					panic("tripped over a stone")
				}
			}
			return p.Stages[0].Origin.Header
		}, diag.Bug, "tripped over a stone", "float: failed"},
		{"precondition", func(p *program.Program, x *parttest.Text, o *Options) diag.Range {
			p.Stages[1].Conditions = []program.Condition{condition(x, "precondition", false)}
			return p.Stages[1].Conditions[0].Origin.At("condition")
		}, diag.ConditionFailed, "too low", "float: ran (first run)\ncalibration: failed ()\nqat: not run"},
		{"assert", func(p *program.Program, x *parttest.Text, o *Options) diag.Range {
			p.Stages[0].Conditions = []program.Condition{condition(x, "assert", false)}
			return p.Stages[0].Conditions[0].Origin.At("condition")
		}, diag.ConditionFailed, "too low", "float: failed (first run)\ncalibration: not run"},
		{"condition without an answer", func(p *program.Program, x *parttest.Text, o *Options) diag.Range {
			p.Stages[0].Conditions = []program.Condition{condition(x, "precondition", 3.0)}
			return p.Stages[0].Conditions[0].Origin.At("condition")
		}, diag.ConditionFailed, "and it is 3", "float: failed"},
		{"no file", func(p *program.Program, x *parttest.Text, o *Options) diag.Range {
			p.Stages[0].Convert = x.Convert("float", "", nil)
			load := x.Call(program.ConverterKind, "LoadCheckpoint", "l", parttest.LoadArgs{CheckpointPath: program.Checkpoint{Path: "gone.safetensors"}}, "checkpoint_path")
			p.Stages[0].Convert.Converters = []program.Call{load}
			return load.Origin.At("checkpoint_path")
		}, diag.Unreadable, "no such file", "float: failed"},
		{"weights that do not fit", func(p *program.Program, x *parttest.Text, o *Options) diag.Range {
			other, _ := parttest.Flow()
			other.Models[0].Args = parttest.TinyArgs{Classes: 3, Width: 4, Deep: true}
			dir := filepath.Join(filepath.Dir(o.Out), "deep")
			w := world(dir)
			w.Only = []string{"float"}
			ran(t, other, w)
			p.Stages[0].Convert = x.Convert("float", "", nil)
			late := filepath.Join(dir, "late.safetensors") // is not there yet when the pipeline is checked
			p.Stages[0].Conditions = []program.Condition{{Kind: "precondition", Holds: func(program.Results) (any, diag.List) {
				return os.Rename(filepath.Join(dir, "float", "last.safetensors"), late) == nil, nil
			}}}
			load := x.Call(program.ConverterKind, "LoadCheckpoint", "l", parttest.LoadArgs{CheckpointPath: program.Checkpoint{Path: late}}, "checkpoint_path")
			p.Stages[0].Convert.Converters = []program.Call{load}
			return load.Origin.At("checkpoint_path")
		}, diag.CannotLoad, "body.c.conv.weight", "float: failed"},
		{"a late file that was trained otherwise", func(p *program.Program, x *parttest.Text, o *Options) diag.Range {
			return late(t, p, x, o, "qat/last", "Float2QAT", "file", "QAT2Quantize")
		}, diag.TrainedOtherwise, "late.safetensors was trained with activation.rounding = half_even, and here it is half_up", "int_infer: failed"},
		{"a late int8 model of another qconfig", func(p *program.Program, x *parttest.Text, o *Options) diag.Range {
			return late(t, p, x, o, "int_infer/int8", "file")
		}, diag.TrainedOtherwise, "activation.rounding = half_even, and here it is half_up", "int_infer: failed"},
		{"no checkpoint to resume from", func(p *program.Program, x *parttest.Text, o *Options) diag.Range {
			p.Stages[0].Trainer.ResumeOptimizer, p.Stages[0].Trainer.ResumeEpochOrStep = true, true
			return p.Stages[0].Trainer.Origin.At("resume_optimizer")
		}, diag.NothingToResume, "resume_optimizer = true", "float: failed"},
		{"conversion", func(p *program.Program, x *parttest.Text, o *Options) diag.Range {
			p.QConfigs[0].Activation.Scheme = "affine"
			g := lowered(t, p).Stage("qat").Model.Clone()
			g.Init(1)
			for _, m := range g.Modules() {
				g.SetRange(m.Name, -math.MaxFloat32, math.MaxFloat32) // which is wider than a float32
			}
			path := filepath.Join(t.TempDir(), "wide.safetensors")
			must(t, artifact.Write(path, &checkpoint.Snapshot{Form: nn.QAT, Mode: nn.ReverseFold, Structure: g.Structure(), Model: g.Tensors()}))
			load := x.Call(program.ConverterKind, "LoadCheckpoint", "l", parttest.LoadArgs{CheckpointPath: program.Checkpoint{Path: path}}, "checkpoint_path")
			c := p.Stages[3].Convert
			c.Converters[1] = load
			p.Stages = p.Stages[3:]
			return c.Converters[2].Origin.Header
		}, diag.CannotConvert, "scale is +Inf", "int_infer: failed"},
		{"a single value", func(p *program.Program, x *parttest.Text, _ *Options) diag.Range {
			p.Models[0].Args = parttest.TinyArgs{Classes: 3, Width: 4, Kernel: 5, Norms: true}
			p.Datasets[0].Args = parttest.DotsArgs{N: 41, Size: 6, Classes: 3, Uncounted: true}
			p.Stages[0].Trainer.DropLast = false
			return p.Stages[0].Trainer.Origin.At("drop_last")
		}, "QP319", "(41 in batches of 8)", "float: failed"},
		{"an int8 model with other integers", func(p *program.Program, _ *parttest.Text, _ *Options) diag.Range {
			c := &p.Stages[3].Convert.Converters[2]
			c.Type = "Misquantize"
			return c.Origin.Header
		}, diag.UnequalIntegers, "stage.qat.checkpoint.", "float: ran (first run)\ncalibration: ran (first run)\nqat: ran (first run)\nint_infer: failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, text := parttest.Flow()
			o := world(filepath.Join(t.TempDir(), "run"))
			where := c.change(p, text, &o)
			r, d := broke(t, p, o)
			all := fmt.Sprint(d.Summary, " | ", d.Module, " | ", d.Time, " | ", d.Detail)
			if d.Code != c.code || d.Subject != where || !strings.Contains(all, c.says) {
				t.Errorf("%s at line %d (want %s at line %d): %s", d.Code, d.Subject.Start.Line, c.code, where.Start.Line, all)
			}
			if got := states(r); !strings.HasPrefix(got, c.states) {
				t.Errorf("got\n%s\nwant\n%s", got, c.states)
			}
		})
	}
}

// late makes int_infer the only stage, with another rounding and these converters. The
// converter "file" loads a file of an earlier run that does not exist yet when the
// pipeline is checked.
func late(t *testing.T, p *program.Program, x *parttest.Text, o *Options, file string, converters ...string) diag.Range {
	before, _ := parttest.Flow()
	w := world(filepath.Join(filepath.Dir(o.Out), "before"))
	ran(t, before, w)
	path := filepath.Join(w.Out, "late.safetensors")
	st := p.Stages[3]
	p.Stages = []*program.Stage{st}
	q := x.QConfig("other")
	q.Activation.Rounding = "half_up"
	st.Convert = x.Convert("int_infer", "with_bn_reverse_fold", q, converters...)
	st.Convert.Origin.Attrs["qconfig"] = x.Selector("other").Range
	st.Conditions = []program.Condition{{Kind: "precondition", Holds: func(program.Results) (any, diag.List) {
		return os.Rename(filepath.Join(w.Out, file+artifact.Ext), path) == nil, nil
	}}}
	for i, c := range st.Convert.Converters {
		if c.Type == "file" {
			st.Convert.Converters[i] = x.Call(program.ConverterKind, "LoadCheckpoint", "l", parttest.LoadArgs{CheckpointPath: program.Checkpoint{Path: path}}, "checkpoint_path")
		}
	}
	return st.Convert.Origin.Attrs["qconfig"]
}

// TestBranches: stages that do not need a failed stage still run.
func TestBranches(t *testing.T) {
	p, x := parttest.Flow()
	p.Stages[0].Callbacks = append(p.Stages[0].Callbacks, program.Callback{
		Call: x.Call(program.CallbackKind, "Trip", "stage.float.callback.Trip[1]", parttest.TripArgs{}), When: x.At(program.Step, 7),
	})
	other := x.Stage("other", p.Models[0], p.Datasets[0], p.Datasets[1], nil)
	other.Trainer = x.Trainer("other", 1, 0.01)
	p.Stages = append(p.Stages, other)
	r, _ := broke(t, p, world(filepath.Join(t.TempDir(), "run")))
	want := "float: failed (first run)\ncalibration: not run (stage \"float\" failed)\nqat: not run (stage \"float\" failed)\n" +
		"int_infer: not run (stage \"float\" failed)\nother: ran (first run)"
	if got := states(r); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestKept: a failure names the checkpoint that is left and how to continue.
func TestKept(t *testing.T) {
	p, x := parttest.Flow()
	o := world(filepath.Join(t.TempDir(), "run"))
	p.Stages[0].Callbacks = append(p.Stages[0].Callbacks, program.Callback{
		Call: x.Call(program.CallbackKind, "Trip", "stage.float.callback.Trip[1]", parttest.TripArgs{}), When: x.At(program.Step, 7),
	})
	_, d := broke(t, p, o)
	if want := filepath.ToSlash(filepath.Join(o.Out, "float", "last.safetensors")); d.Kept != want || d.Next != "qpipe run --resume x.hcl" {
		t.Errorf("kept %q, next %q", d.Kept, d.Next)
	}
	if _, err := artifact.Read(filepath.Join(o.Out, "float", "last.safetensors")); err != nil {
		t.Error(err)
	}
}

// TestNothingIsDamaged: a failed run keeps the result of the run before, and
// undoing the change restores it without running.
func TestNothingIsDamaged(t *testing.T) {
	p, _ := parttest.Flow()
	dir := t.TempDir()
	ran(t, p, world(dir))
	before := products(t, dir)

	bad, x := parttest.Flow()
	bad.Stages[2].Callbacks = append(bad.Stages[2].Callbacks, program.Callback{
		Call: x.Call(program.CallbackKind, "Trip", "trip", parttest.TripArgs{}), When: x.At(program.Step, 7),
	})
	for range 2 { // also where the attempt that is replaced has failed itself
		broke(t, bad, world(dir))
		for name, data := range before {
			if rest, ok := strings.CutPrefix(name, "qat/"); ok {
				name = ".previous/qat/1/" + rest
			}
			if now := products(t, dir)[name]; name != "metrics.jsonl" && now != data {
				t.Errorf("%s was damaged", name)
			}
		}
	}
	decisions, _ := Explain(lowered(t, p), world(dir))
	if decisions[2].Run {
		t.Errorf("plan: %+v", decisions)
	}
	r := ran(t, p, world(dir))
	if got := states(r); !strings.Contains(got, "qat: up to date (as before the attempt that was not completed)\nint_infer: up to date") {
		t.Errorf("%s", got)
	}
	after := products(t, dir)
	if d := differences(sorted(before), sorted(current(after))); d != nil {
		t.Errorf("%v", d)
	}
}

// current leaves out what is kept of other attempts.
func current(files map[string]string) map[string]string {
	out := maps.Clone(files)
	maps.DeleteFunc(out, func(name, _ string) bool { return strings.HasPrefix(name, ".previous/") })
	return out
}

func TestRefusals(t *testing.T) {
	p, _ := parttest.Flow()
	o := world(filepath.Join(t.TempDir(), "run"))
	o.Resume = true
	_, d := broke(t, p, o)
	if d.Code != diag.NothingToResume || fileExists(o.Out) {
		t.Errorf("%s %s", d.Code, d.Summary)
	}
	o.Resume, o.Only = false, []string{"calibratoin"}
	if _, d = broke(t, p, o); d.Code != diag.UnknownStage || !strings.Contains(d.Detail, `"calibration"`) {
		t.Errorf("%s %s", d.Code, d.Detail)
	}
	o.Only = []string{"float"}
	lock, err := runs.Open(o.Out, disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, d = broke(t, p, o); d.Code != diag.Locked || !strings.Contains(d.Summary, o.Out) {
		t.Errorf("%s %s", d.Code, d.Summary)
	}
	lock.Close()
	must(t, os.WriteFile(filepath.Join(o.Out, "manifest.json"), []byte("{"), 0o600))
	if _, d = broke(t, p, o); d.Code != diag.Damaged || !strings.Contains(d.Summary, "manifest.json") {
		t.Errorf("%s %s", d.Code, d.Summary)
	}
	must(t, os.Remove(filepath.Join(o.Out, "manifest.json")))
	ran(t, p, o)
	if _, d = broke(t, p, Options{Out: o.Out, Kernels: o.Kernels, Version: "test", Clock: o.Clock, FS: o.FS, trace: func(step, path string) error {
		if step == disk.StepBegin {
			return fs.ErrPermission
		}
		return nil
	}}); d.Code != diag.Unwritable {
		t.Errorf("%s %s", d.Code, d.Summary)
	}
}

// events collects the events of a run.
func events(o *Options) *[]event.Event {
	var all []event.Event
	o.Events = func(e event.Event) { all = append(all, e) }
	return &all
}

// count returns how many events are of a kind; is reports whether there is one.
func count[D event.Data](all []event.Event) (n int) {
	for _, e := range all {
		if is[D](e) {
			n++
		}
	}
	return n
}

func is[D event.Data](e event.Event) bool {
	_, ok := e.Data.(D)
	return ok
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
