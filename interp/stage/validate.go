package stage

import (
	"fmt"
	"maps"
	"slices"

	"qpipe/interp/event"
	"qpipe/interp/feed"
	"qpipe/interp/number"
	"qpipe/interp/part"
	"qpipe/ops/engine"
	"qpipe/ops/nn"
)

// evaluator keeps the net of the graph that was evaluated last, so that the next validation can use it again.
type evaluator struct {
	graph   *nn.Graph
	net     engine.Compiled
	answers *answers
}

// of returns a net that evaluates g.
func (e *evaluator) of(r *run, g *nn.Graph) (engine.Compiled, error) {
	if e.graph == g && e.net != nil {
		return e.net, nil
	}
	net, err := r.engine().Compile(g, r.valBatch, false)
	if err != nil {
		return nil, err
	}
	e.graph, e.net, e.answers = g, net, newAnswers(g, 0)
	return net, nil
}

// validated reports whether the model has been validated since the last step.
func (r *run) validated() bool { return r.pos.Validated == r.state.Step+1 }

// unvalidated drops the metrics of the last validation, because the model has changed since.
func (r *run) unvalidated() {
	r.pos.Validated = 0
	maps.DeleteFunc(r.state.Metrics, func(name string, _ float64) bool { return !r.isLoss(name) })
}

// isLoss reports whether a metric is a loss of the training.
func (r *run) isLoss(name string) bool {
	return name == "loss" || r.Trainer != nil && r.Trainer.Losses.Len() > 1 && slices.Contains(r.Trainer.Losses.Names(), name)
}

// validate runs a validation pass and sets the metrics. It uses the averaged weights if there are any.
func (r *run) validate() error {
	net, err := r.eval.of(r, r.weights())
	if err != nil {
		return err
	}
	n := r.Val.Steps(r.valBatch, false)
	l, err := r.Val.Load(feed.Order{Seed: uint64(r.seed), Batch: r.valBatch, PerEpoch: n, To: n}, r.readers())
	if err != nil {
		return err
	}
	defer l.Close()
	for k, m := range r.Metrics {
		if err := guarded(r.Calls.metric(k), "Reset", func() error { m.Reset(); return nil }); err != nil {
			return err
		}
	}
	pass := meter{last: r.meter.last}
	for range n {
		if err := r.halted(); err != nil {
			return err
		}
		pass.begin(r.now())
		b, err := l.Next()
		if err != nil {
			return err
		}
		r.valLabels.add(b)
		if err := r.judge(net, b); err != nil {
			return err
		}
		pass.end(r.now(), len(b.Index))
		r.tick(&pass, "validate", pass.images, r.Val.Samples.Len())
	}
	r.meter.last = pass.last
	r.valLabels.close(r, "the validation data")
	return r.setMetrics()
}

// judge runs the network on a batch and updates the metrics with its outputs.
func (r *run) judge(net engine.Compiled, b *feed.Batch) error {
	answered := r.eval.answers.to(b, net.ForwardAll(b.Inputs(), len(b.Index), engine.Eval))
	for k, m := range r.Metrics {
		if err := guarded(r.Calls.metric(k), "Update", func() error { m.Update(answered); return nil }); err != nil {
			return err
		}
	}
	return nil
}

// setMetrics stores the values of the metrics in the state, and emits them.
func (r *run) setMetrics() error {
	measured := number.Map{}
	for k, m := range r.Metrics {
		names := m.Names()
		values, err := part.Ask("Values", m.Values)
		if err == nil {
			err = part.CheckValues(names, values)
		}
		if err != nil {
			return &Failure{Err: &part.Fault{Call: r.Calls.metric(k), Err: err}}
		}
		for i, name := range names {
			if !finite64(values[i]) {
				return &Failure{Err: fmt.Errorf("the metric %s is %v", name, values[i])}
			}
			r.state.Metrics[name], measured[name] = values[i], number.Float(values[i])
		}
	}
	r.pos.Validated = r.state.Step + 1
	r.emit(event.Validation{Metrics: measured, Images: r.Val.Samples.Len()})
	return nil
}

// shadow returns the averaged weights that a callback keeps, nil if there are none.
func (r *run) shadow() *nn.Graph {
	for _, c := range r.Callbacks {
		if s, ok := c.Callback.(part.Shadower); ok {
			if g := s.Shadow(); g != nil {
				return g
			}
		}
	}
	return nil
}

// weights returns the graph that validation uses: the averaged weights, or else the model.
func (r *run) weights() *nn.Graph {
	if g := r.shadow(); g != nil {
		return g
	}
	return r.Model
}
