package exec

import (
	"context"
	"math/rand/v2"
	"testing"

	"qpipe/interp/lower"
	"qpipe/interp/parttest"
	"qpipe/interp/runs"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// TestAcceptedRuns: whatever the qconfig, the mode and the way to the int8 model: if validate
// accepts a pipeline, it runs to its end, and the int8 model has the integers of the evaluation.
func TestAcceptedRuns(t *testing.T) {
	flows, accepted := 100, 0
	if testing.Short() {
		flows = 6
	}
	for seed := range uint64(flows) {
		r := rand.New(rand.NewPCG(seed, 3))
		p := wildFlow(r)
		plan, list := lower.Lower(p, parttest.Catalog())
		if list.HasErrors() {
			continue
		}
		accepted++
		o := world(t.TempDir())
		_, list = Run(context.Background(), plan, o)
		if list.HasErrors() && list[0].Code == "QP319" && p.Datasets[0].Args.(parttest.DotsArgs).Uncounted {
			continue // known only when the images are counted
		}
		for _, d := range list {
			if d.Severity == diag.Error {
				t.Errorf("flow %d: %s: %s. %s", seed, d.Code, d.Summary, d.Detail)
			}
		}
		m, err := runs.ReadManifest(o.Out)
		must(t, err)
		if e := m.Stage("int_infer"); e == nil || e.Proof == nil || e.Proof.Changed > 0 {
			t.Errorf("flow %d: the proof is %+v", seed, e)
		}
	}
	t.Logf("%d of %d flows are accepted", accepted, flows)
	if !testing.Short() && accepted < flows/5 {
		t.Error("the generator leaves too little to run")
	}
}

// wildFlow is the usual pipeline with another network, mode and qconfig, and another way
// from the float model to the int8 model.
func wildFlow(r *rand.Rand) *program.Program {
	p, x := parttest.Flow()
	chance := func(n int) bool { return r.IntN(n) == 0 }
	p.Models[0].Args = parttest.TinyArgs{Classes: 3, Width: 4, Norms: chance(2), Deep: chance(2), Flat: chance(3), Kernel: []int{0, 0, 5, 6}[r.IntN(4)]}
	mode := []string{"fuse_bn", "with_bn", "with_bn_reverse_fold"}[r.IntN(3)]
	for _, s := range p.Stages[1:] {
		s.Convert.QATMode = mode
	}
	float, qat, int8 := p.Stages[0], p.Stages[2], p.Stages[3]
	for _, s := range []*program.Stage{float, qat} {
		s.Trainer.NumEpochs, s.Trainer.BatchSize, s.Trainer.DropLast = 1, []int{1, 8, 13}[r.IntN(3)], chance(2)
	}
	if chance(3) {
		p.Datasets[0].Args = parttest.DotsArgs{N: 40, Size: 6, Classes: 3, Uncounted: true}
	}
	if mode == "fuse_bn" || chance(2) {
		qat.Callbacks = qat.Callbacks[2:]
	} else {
		qat.Callbacks[0].When, qat.Callbacks[1].When = x.At(program.Step, 1), x.At(program.Step, 2)
	}
	last := []string{"qat.last", "qat.best", "calibration.last", "float.best"}[r.IntN(4)]
	int8.Convert.Converters = x.Convert("int_infer", "", nil, "Float2QAT", last, "QAT2Quantize").Converters
	if last == "float.best" {
		int8.Convert.Converters = x.Convert("int_infer", "", nil, last, "Float2QAT", "QAT2Quantize").Converters
	}
	if chance(2) {
		qat.Convert.Converters = x.Convert("qat", "", nil, "float.last", "Float2QAT").Converters
	}
	q := p.QConfigs[0]
	wildQuant(r, &q.Activation, false)
	wildQuant(r, &q.Weight, true)
	for range r.IntN(3) {
		o := program.Override{Selector: x.Selector([]string{"body", "body.a", "head", "head.pool", "input", "body.b.conv"}[r.IntN(6)]), Origin: x.Origin("o")}
		a := q.Activation
		wildQuant(r, &a, false)
		a.Origin = x.Origin("o.activation", "dtype", "scheme", "rounding", "fixed")
		o.Activation = &a
		q.Overrides = append([]program.Override{o}, q.Overrides...)
	}
	return p
}

// wildQuant chooses at random how a tensor is quantized.
func wildQuant(r *rand.Rand, q *program.Quant, weight bool) {
	q.DType = []string{"int8", "int8", "int8", "int8", "int4", "uint8", "int16", "float32"}[r.IntN(8)]
	q.Rounding = []string{"half_even", "half_up"}[r.IntN(2)]
	if weight {
		q.DType = []string{"int8", "int4"}[r.IntN(2)]
		q.PerChannel = r.IntN(2) == 0
		return
	}
	q.Scheme = []string{"symmetric", "affine"}[r.IntN(2)]
	q.Observer.Args = parttest.ObserverArgs{Constant: 0.01, Fixed: r.IntN(3) == 0}
}
