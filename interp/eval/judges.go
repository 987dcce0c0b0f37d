package eval

import (
	"fmt"
	"reflect"

	"qpipe/interp/artifact"
	"qpipe/interp/feed"
	"qpipe/interp/part"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// judges are the metrics and the loss that an evaluation reports.
type judges struct {
	metrics []part.Metric
	loss    part.Loss // nil if no loss fits
	outputs []nn.Port
	batch   part.Batch // used again by rows
	losses  float64    // sum of the loss over all samples so far
	samples int        // number of samples so far
}

// judgesOf returns Accuracy and CrossEntropyLoss. If Accuracy does not fit the network's outputs and the data's targets,
// it returns the metrics of the stage that has written the model, as far as they fit. If CrossEntropyLoss does not fit,
// it returns the first loss of the pipeline that does.
func judgesOf(e *evaluation) (judges, error) {
	j := judges{outputs: e.model.Outputs()}
	fits := func(judge any) bool { return part.Fits(judge, j.outputs, e.feed.Spec.Targets) == nil }
	metric, err := standard[part.Metric](e, program.MetricKind, "Accuracy")
	if err != nil {
		return j, err
	}
	if j.metrics = []part.Metric{metric}; !fits(metric) {
		j.metrics = nil
		for _, st := range e.prog.Stages {
			for _, call := range st.Validation.Metrics {
				if m, err := part.NewMetric(e.catalog, call); err == nil && st.Name == e.snap.Stage && fits(m) {
					j.metrics = append(j.metrics, m)
				}
			}
		}
	}
	if j.loss, err = standard[part.Loss](e, program.LossKind, "CrossEntropyLoss"); err != nil {
		return j, err
	}
	if !fits(j.loss) {
		j.loss = nil
		for _, st := range e.prog.Stages {
			if st.Trainer == nil || j.loss != nil {
				continue
			}
			if l, _, err := part.NewLosses(e.catalog, st.Trainer.Losses); err == nil && fits(l) {
				j.loss = l
			}
		}
	}
	for _, m := range j.metrics {
		m.Reset()
	}
	return j, nil
}

// standard makes a part with default arguments.
func standard[S any](e *evaluation, kind program.Kind, name string) (S, error) {
	sig, ok := e.catalog.Signature(kind, name)
	if !ok {
		var none S
		return none, fmt.Errorf("this program has no %s %q", kind, name)
	}
	return part.New[S](e.catalog, program.Call{Kind: kind, Type: name, Args: reflect.ValueOf(sig.Args()).Elem().Interface()})
}

// see evaluates the network's outputs y for a batch. The loss is computed for each sample
// separately, so that the mean does not depend on the size of the batches.
func (j *judges) see(b *feed.Batch, y [][]float32) {
	n := len(b.Index)
	whole := j.rows(y, b.Targets(), 0, n, n)
	for _, m := range j.metrics {
		m.Update(whole)
	}
	for i := 0; i < n && j.loss != nil; i++ {
		j.losses += float64(j.loss.Loss(j.rows(y, b.Targets(), i, i+1, n)))
	}
	j.samples += n
}

// rows returns the samples from (included) to to (excluded) of a batch of n.
func (j *judges) rows(y [][]float32, targets []part.Target, from, to, n int) *part.Batch {
	b := &j.batch
	b.Len, b.Outputs, b.Targets = to-from, b.Outputs[:0], b.Targets[:0]
	for k, out := range j.outputs {
		size := out.Shape.WithN(1).Len()
		b.Outputs = append(b.Outputs, part.Output{Shape: out.Shape.WithN(0), Values: y[k][from*size : to*size]})
	}
	for _, t := range targets {
		labels, numbers := len(t.Labels)/n, len(t.Numbers)/n
		b.Targets = append(b.Targets, part.Target{Labels: t.Labels[from*labels : to*labels], Numbers: t.Numbers[from*numbers : to*numbers]})
	}
	return b
}

// values returns the results, by name.
func (j *judges) values() artifact.Metrics {
	found := artifact.Metrics{}
	if j.loss != nil {
		found["loss"] = j.losses / float64(j.samples)
	}
	for _, m := range j.metrics {
		for i, v := range m.Values() {
			found[m.Names()[i]] = v
		}
	}
	return found
}
