package exec

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"qpipe/interp/event"
	"qpipe/interp/parttest"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// TestEveryEvent: runs emit every kind of event with every one of its fields, optional ones included.
func TestEveryEvent(t *testing.T) {
	seen := map[string]bool{}
	hear := func(e event.Event) {
		var fields map[string]any
		text, err := json.Marshal(e.Data)
		must(t, err)
		must(t, json.Unmarshal(text, &fields))
		seen[e.Data.Kind()] = true
		for name := range fields {
			seen[e.Data.Kind()+" "+name] = true
		}
	}
	everything(t, hear)
	for _, d := range event.Kinds() {
		if !seen[d.Kind()] {
			t.Errorf("nothing emits %s", d.Kind())
		}
		for _, f := range reflect.VisibleFields(reflect.TypeOf(d)) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); !seen[d.Kind()+" "+name] {
				t.Errorf("nothing emits the field %s of %s", name, d.Kind())
			}
		}
	}
}

// everything is a pipeline in which all kinds of events happen.
func everything(t *testing.T, hear func(event.Event)) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	run := func(p *program.Program, change func(o *Options)) diag.List {
		o := world(dir)
		now := time.Unix(1_700_000_000, 0)
		o.Clock = func() time.Time { now = now.Add(150 * time.Millisecond); return now } // progress at every look
		o.Events = hear
		if change != nil {
			change(&o)
		}
		_, list := Run(context.Background(), lowered(t, p), o)
		return list
	}
	flow := func() (*program.Program, *parttest.Text) {
		p, x := parttest.Flow()
		freeze := program.Callback{Call: x.Call(program.CallbackKind, "FreezeBN", "stage.float.callback.FreezeBN[0]", parttest.FreezeBNArgs{}), When: x.At(program.Epoch, 1)}
		diary := program.Callback{Call: x.Call(program.CallbackKind, "Diary", "stage.float.callback.Diary[0]", parttest.DiaryArgs{File: "diary.txt"})}
		p.Stages[0].Callbacks = append(p.Stages[0].Callbacks, freeze, diary)
		p.Stages[3].Exports = []program.Call{x.Call(program.ExportKind, "Names", "stage.int_infer.export.Names[0]", parttest.NamesArgs{File: "nodes.txt"})}
		p.Outputs = []*program.Output{{Name: "one", Value: func(program.Results) (any, diag.List) { return 1, nil }}}
		return p, x
	}
	p, _ := flow()
	run(p, func(o *Options) { // stopped in qat
		stop, n := make(chan struct{}), 0
		o.Stop = stop
		o.Events = func(e event.Event) {
			hear(e)
			if is[event.Checkpoint](e) && e.Stage == "qat" {
				if n++; n == 4 {
					close(stop)
				}
			}
		}
	})
	flip(t, filepath.Join(dir, "qat", "last.safetensors"))
	run(p, func(o *Options) { o.Resume = true }) // falls back
	run(p, nil)                                  // up to date
	bad, x := flow()
	bad.Stages[0].Callbacks = append(bad.Stages[0].Callbacks, program.Callback{
		Call: x.Call(program.CallbackKind, "Trip", "stage.float.callback.Trip[0]", parttest.TripArgs{Panic: true}), When: x.At(program.Step, 7),
	})
	run(bad, nil) // fails
	run(p, nil)   // restores
	run(continued(), nil)
	metricsLines(t, filepath.Join(dir, "metrics.jsonl"))
}

// continued is a pipeline of stages that recover: one from the best checkpoint of a training
// with a learning rate schedule, one that takes over the best checkpoint of the other.
func continued() *program.Program {
	p, x := parttest.Flow()
	ramp := x.Call(program.LRUpdaterKind, "Ramp", "stage.float.trainer.lr_updater.Ramp", parttest.RampArgs{WarmupLen: 8}, "warmup_len")
	p.Stages[0].Trainer.LRUpdater = &ramp
	more := func(name, from string, place bool) {
		s := x.Stage(name, p.Models[0], p.Datasets[0], p.Datasets[1], x.Convert(name, "", nil, from))
		s.Trainer = x.Trainer(name, 3, 0.07)
		s.Trainer.ResumeOptimizer, s.Trainer.ResumeEpochOrStep = true, place
		s.Callbacks = []program.Callback{x.Checkpoint(name, 0)}
		p.Stages = append(p.Stages, s)
	}
	p.Stages = p.Stages[:1]
	more("tuned", "float.best", false)
	more("more", "float.last", true)
	return p
}

// metricsLines checks the fields of metrics.jsonl.
func metricsLines(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	for line := range strings.Lines(string(data)) {
		var fields map[string]any
		must(t, json.Unmarshal([]byte(line), &fields))
		for _, name := range []string{"stage", "event", "epoch", "step", "metrics", "seq", "check"} {
			if _, there := fields[name]; !there {
				t.Errorf("no %s in %s", name, line)
			}
			delete(fields, name)
		}
		delete(fields, "lr")
		if len(fields) > 0 {
			t.Errorf("more than the page has: %v", fields)
		}
	}
}

// TestBestIsHandedOn: a later stage loads the best checkpoint of a stage that continued another one
// and never did better. It finds the file, and its metrics are those in the manifest.
func TestBestIsHandedOn(t *testing.T) {
	p := continued()
	x := &parttest.Text{}
	p.Stages[0].Trainer.NumEpochs, p.Stages[2].Trainer.NumEpochs = 20, 21
	p.Stages[2].Trainer.Optimizer.Args = parttest.SGDArgs{LR: 1, Momentum: 0.9} // it gets worse
	last := x.Stage("last", p.Models[0], nil, p.Datasets[1], x.Convert("last", "", nil, "more.best"))
	p.Stages = append(p.Stages, last)
	dir := filepath.Join(t.TempDir(), "run")
	r, list := Run(context.Background(), lowered(t, p), world(dir))
	if list.HasErrors() {
		t.Fatal(first(list).Summary)
	}
	best := metricsOf(t, dir, "more").BestMetrics
	for _, s := range r.Stages {
		if s.Name == "last" && s.Metrics["accuracy"] != best["accuracy"] {
			t.Errorf("the best has %v, and as the manifest says %v", s.Metrics, best)
		}
		if s.Name == "more" && s.Metrics["accuracy"] >= best["accuracy"] {
			t.Errorf("the stage did not get worse: the test shows nothing: %v, %v", s.Metrics, best)
		}
	}
}

type manifestEntry struct {
	Name        string             `json:"name"`
	BestMetrics map[string]float64 `json:"best_metrics"`
}

func metricsOf(t *testing.T, dir, stageName string) manifestEntry {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	must(t, err)
	var m struct {
		Stages []manifestEntry `json:"stages"`
	}
	must(t, json.Unmarshal(data, &m))
	for _, e := range m.Stages {
		if e.Name == stageName {
			return e
		}
	}
	t.Fatalf("no stage %s", stageName)
	return manifestEntry{}
}
