package feed

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"qpipe/interp/part"
	"qpipe/interp/prepare"
)

// Order says which batches a loader delivers. Imagine an endless sequence of epochs with
// PerEpoch batches each: the loader delivers the batches From (included) to To (excluded).
// With Shuffle, the samples of epoch e are in a random order that depends on Seed and e
// alone; otherwise they are in the order of the data set.
type Order struct {
	Seed     uint64
	Shuffle  bool
	Batch    int // samples in a full batch
	PerEpoch int
	From, To int
}

// Batch holds some samples of an epoch in the form that the network takes.
type Batch struct {
	Index []int // indices of the samples in the data set

	inputs  [][]float32   // for each input, memory for a full batch
	sizes   []int         // for each input, the number of values of one sample
	targets []part.Target // for each target, memory for a full batch
	given   [][]float32   // what Inputs returns
	asked   []part.Target // what Targets returns
	spec    *part.Spec
	epoch   int
	number  int // of the batch in its epoch
	err     error
	crash   string        // a panic in a part, which Next raises again in its caller's goroutine
	ready   chan struct{} // receives a value once the batch is filled
}

// newBatch allocates a batch for so many samples.
func newBatch(s *part.Spec, samples int) *Batch {
	b := &Batch{
		Index: make([]int, samples), spec: s, ready: make(chan struct{}, 1),
		given: make([][]float32, len(s.Inputs)), asked: make([]part.Target, len(s.Targets)),
	}
	for _, in := range s.Inputs {
		size := in.Shape.WithN(1).Len()
		b.sizes, b.inputs = append(b.sizes, size), append(b.inputs, make([]float32, samples*size))
	}
	for _, t := range s.Targets {
		if t.Numbers {
			b.targets = append(b.targets, part.Target{Numbers: make([]float32, samples*t.Size())})
		} else {
			b.targets = append(b.targets, part.Target{Labels: make([]int32, samples*t.Size())})
		}
		if m := &b.targets[len(b.targets)-1]; t.Mixed {
			m.Other, m.Shares = make([]int32, samples*t.Size()), make([]float32, samples*t.Size())
		}
	}
	return b
}

// Inputs returns the values of the batch's samples, a slice for each input. The result is valid until the next call.
func (b *Batch) Inputs() [][]float32 {
	for k, x := range b.inputs {
		b.given[k] = x[:len(b.Index)*b.sizes[k]]
	}
	return b.given
}

// Targets returns the targets of the batch's samples. The result is valid until the next call.
func (b *Batch) Targets() []part.Target {
	for k, t := range b.spec.Targets {
		n := len(b.Index) * t.Size()
		if t.Numbers {
			b.asked[k].Numbers = b.targets[k].Numbers[:n]
		} else {
			b.asked[k].Labels = b.targets[k].Labels[:n]
		}
		if t.Mixed {
			b.asked[k].Other, b.asked[k].Shares = b.targets[k].Other[:n], b.targets[k].Shares[:n]
		}
	}
	return b.asked
}

// Loader prepares batches before they are needed, several at a time, and delivers them in
// order. It has a fixed number of batches and uses them again and again: dispatch takes a
// free batch, writes down its samples and queues it twice. Readers take it from todo
// and fill it, in any order. Next takes it from due, in order, and waits until it is
// ready. When the caller asks for the next one, the batch is free again.
type Loader struct {
	free chan *Batch // not in use
	todo chan *Batch // to be filled by readers
	due  chan *Batch // to be delivered, in order
	quit chan struct{}
	work sync.WaitGroup
	lent *Batch // the batch that the caller has, nil if none
}

// Load starts a loader with the given number of goroutines.
func (f *Feed) Load(o Order, readers int) (*Loader, error) {
	var inputs []*prepare.Scale
	for _, in := range f.Spec.Inputs {
		v, err := scaleOf(in)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, v)
	}
	ahead := Depth(readers, o.To-o.From)
	l := &Loader{
		free: make(chan *Batch, ahead),
		todo: make(chan *Batch, ahead),
		due:  make(chan *Batch, ahead),
		quit: make(chan struct{}),
	}
	for range ahead {
		l.free <- newBatch(&f.Spec, o.Batch)
	}
	l.work.Go(func() { l.dispatch(o, f.Samples.Len()) })
	for range min(readers, ahead) {
		l.work.Go(func() { l.read(newReader(f, inputs, o.Seed)) })
	}
	return l, nil
}

// Depth returns how many batches a loader with so many readers holds: one more than it has
// readers, but not more than the batches that it delivers.
func Depth(readers, batches int) int { return min(readers+1, max(batches, 1)) }

// dispatch decides which samples are in which batch, and queues each batch for a reader and for Next.
func (l *Loader) dispatch(o Order, n int) {
	defer close(l.due)
	defer close(l.todo)
	var perm []int32 // order of the epoch's samples, nil for the order of the data set
	if o.Shuffle {
		perm = make([]int32, n)
	}
	epoch := -1
	for k := o.From; k < o.To; k++ {
		var b *Batch
		select {
		case b = <-l.free:
		case <-l.quit:
			return
		}
		if e := k / o.PerEpoch; e != epoch {
			epoch = e
			if o.Shuffle {
				o.permute(perm, e)
			}
		}
		first := k % o.PerEpoch * o.Batch
		b.Index = b.Index[:min(o.Batch, n-first)]
		for i := range b.Index {
			if b.Index[i] = first + i; perm != nil {
				b.Index[i] = int(perm[first+i])
			}
		}
		b.epoch, b.number = epoch, k%o.PerEpoch
		l.todo <- b
		l.due <- b
	}
}

// permute writes the order of an epoch's samples to p.
func (o Order) permute(p []int32, epoch int) {
	var r part.Rand
	r.Seed(o.Seed, uint64(epoch))
	part.Permute(&r, p)
}

// read fills batches until there are no more.
func (l *Loader) read(r *reader) {
	for b := range l.todo {
		b.crash, b.err = fill(r, b)
		b.ready <- struct{}{}
	}
}

// fill fills a batch. If a part panics, it returns the panic's text and stack.
func fill(r *reader, b *Batch) (crash string, err error) {
	defer func() {
		if v := recover(); v == nil {
			return
		} else if p := part.Recovered(v); p != nil {
			err = r.blame(p)
		} else {
			crash = fmt.Sprintf("%v\n\n%s", v, debug.Stack())
		}
	}()
	return "", r.fill(b)
}

// Next returns the next batch. The caller may use it until the next call of Next.
func (l *Loader) Next() (*Batch, error) {
	if l.lent != nil {
		l.free <- l.lent
		l.lent = nil
	}
	b, ok := <-l.due
	if !ok {
		return nil, errors.New("no batch is left")
	}
	<-b.ready
	if b.crash != "" {
		panic(b.crash)
	}
	if b.err != nil {
		return nil, b.err
	}
	l.lent = b
	return b, nil
}

// Close stops the goroutines and waits for them.
func (l *Loader) Close() {
	close(l.quit)
	l.work.Wait()
}
