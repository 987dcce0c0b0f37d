package feed

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"qpipe/interp/part"
)

// Order says which images a loader delivers: the batches from up to to of an
// endless sequence of epochs with perEpoch batches each. The order of epoch e is
// a permutation that is a function of (seed, e) alone, or the data's own order.
type Order struct {
	Seed     uint64
	Shuffle  bool
	Batch    int
	PerEpoch int
	From, To int
}

// Batch is a piece of an epoch as the network takes it.
type Batch struct {
	Index []int // the samples

	inputs  [][]float32   // by input, room for a full batch
	sizes   []int         // by input, of one sample
	targets []part.Target // by target, room for a full batch
	given   [][]float32   // what Inputs returns
	asked   []part.Target // what Targets returns
	spec    *part.Spec
	epoch   int
	err     error
	crash   string // a panic of a part, raised again where it can be caught
	ready   chan struct{}
}

// newBatch makes room for so many samples.
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
	}
	return b
}

// Inputs are the values of the samples that there are, by input. They are valid until the next call.
func (b *Batch) Inputs() [][]float32 {
	for k, x := range b.inputs {
		b.given[k] = x[:len(b.Index)*b.sizes[k]]
	}
	return b.given
}

// Targets are what the network should answer for the samples that there are, by target. They are valid until the next call.
func (b *Batch) Targets() []part.Target {
	for k, t := range b.spec.Targets {
		n := len(b.Index) * t.Size()
		if t.Numbers {
			b.asked[k].Numbers = b.targets[k].Numbers[:n]
		} else {
			b.asked[k].Labels = b.targets[k].Labels[:n]
		}
	}
	return b.asked
}

// Loader prepares batches ahead of their use, several at a time, and delivers
// them in order. It holds a fixed number of batches, which go round.
type Loader struct {
	free, todo, due chan *Batch
	quit            chan struct{}
	work            sync.WaitGroup
	lent            *Batch
}

// Load starts a loader with the given number of goroutines.
func (f *Feed) Load(o Order, readers int) (*Loader, error) {
	var inputs []values
	for _, in := range f.Spec.Inputs {
		v, err := valuesOf(in)
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
		l.work.Go(func() { l.read(&reader{feed: f, values: inputs, seed: o.Seed, sample: part.NewSample(f.Spec)}) })
	}
	return l, nil
}

// Depth is how many batches go round, of so many in all.
func Depth(readers, batches int) int { return min(readers+1, max(batches, 1)) }

// dispatch hands out the batches in order as room comes free.
func (l *Loader) dispatch(o Order, n int) {
	defer close(l.due)
	defer close(l.todo)
	var perm []int32 // of the epoch, nil for the data's own order
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
		b.epoch = epoch
		l.todo <- b
		l.due <- b
	}
}

// permute writes the order of an epoch.
func (o Order) permute(p []int32, epoch int) {
	var r part.Rand
	r.Seed(o.Seed, uint64(epoch))
	part.Permute(&r, p)
}

func (l *Loader) read(r *reader) {
	for b := range l.todo {
		b.crash, b.err = fill(r, b)
		b.ready <- struct{}{}
	}
}

// fill reads a batch, and catches a panic of a part.
func fill(r *reader, b *Batch) (crash string, err error) {
	defer func() {
		if v := recover(); v != nil {
			crash = fmt.Sprintf("%v\n\n%s", v, debug.Stack())
		}
	}()
	return "", r.fill(b)
}

// Next returns the next batch; it is the caller's until the next call.
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
