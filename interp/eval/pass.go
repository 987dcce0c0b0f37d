package eval

import (
	"errors"
	"fmt"

	"qpipe/interp/artifact"
	"qpipe/interp/event"
	"qpipe/interp/feed"
	"qpipe/interp/place"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/files"
	"qpipe/ops/engine"
)

// evaluate runs the model on the data, and writes the dump.
func (e *evaluation) evaluate() (err error) {
	batch := min(e.o.Batch, e.images)
	if d := e.tooMuch(batch); d != nil {
		return &place.Error{Diagnostic: d}
	}
	pool := engine.NewWorkers(e.o.Threads)
	defer pool.Close()
	net, err := engine.Compile(e.model, batch, false, e.o.Kernels, pool)
	if err != nil {
		return err
	}
	if e.o.Dump != "" {
		if e.dump, err = newDump(e, net); err != nil {
			return err
		}
		defer e.dump.Discard() // nothing is left to discard after Commit
	}
	began := e.o.Clock()
	err = e.feed.Each(e.images, batch, e.prog.Settings.Seed, func(b *feed.Batch) error {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		y := net.ForwardAll(b.Inputs(), len(b.Index), engine.Eval)
		e.judges.see(b, y)
		for _, c := range e.counters {
			c.see(b, y)
		}
		if e.dump != nil {
			if err := e.dump.batch(b, y); err != nil {
				return err
			}
		}
		e.done += len(b.Index)
		e.seconds = e.o.Clock().Sub(began).Seconds()
		e.tick()
		return nil
	})
	switch {
	case err == nil && e.dump != nil:
		return e.dump.Commit()
	case err != nil && e.ctx.Err() == nil:
		return e.misread(err)
	}
	return err
}

// tooMuch returns an error if the evaluation needs more memory than there is.
func (e *evaluation) tooMuch(batch int) *diag.Diagnostic {
	memory := func(batch int) int64 {
		m := stage.Machine{Threads: e.o.Threads, Kernels: e.o.Kernels}
		return stage.EvaluationMemory(e.model, e.feed.Spec.Labels(), batch, e.images, e.o.Dump != "", m)
	}
	need := memory(batch)
	if e.o.Memory <= 0 || need <= e.o.Memory {
		return nil
	}
	d := &diag.Diagnostic{
		Code: diag.TooMuchMemory, Summary: fmt.Sprintf("the evaluation in batches of %d needs about %s of memory, and this machine has %s", batch, files.Size(need), files.Size(e.o.Memory)),
		Detail: "Not even a batch of one image fits.",
	}
	if fits := stage.LargestBatch(batch, e.o.Memory, memory); fits > 0 {
		d.Detail = fmt.Sprintf("The largest -batch that fits is %d.", fits)
	}
	return d
}

// misread places an error of the pass: it is an error of the dump's files or, otherwise, of the data.
func (e *evaluation) misread(err error) error {
	var file *artifact.FileError
	if errors.As(err, &file) {
		return err
	}
	return place.Unreadable(e.o.Data.Origin, err)
}

// tick emits a progress event.
func (e *evaluation) tick() {
	if e.o.Events == nil {
		return
	}
	e.o.Events(event.Event{Stage: "eval", Data: event.After(e.address(), e.done, e.images, e.seconds)})
}
