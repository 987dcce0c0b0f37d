package stage

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// order says which images a loader delivers: the batches from up to to of an
// endless sequence of epochs with perEpoch batches each. The order of epoch e is
// a permutation that is a function of (seed, e) alone, or the data's own order.
type order struct {
	seed     uint64
	shuffle  bool
	batch    int
	perEpoch int
	from, to int
}

// batch is a piece of an epoch as the network takes it.
type batch struct {
	x      []float32
	labels []int32
	index  []int // the images, len(index) of them
	size   int   // of one image
	epoch  int
	err    error
	crash  string // a panic of a part, raised again where it can be caught
	ready  chan struct{}
}

// images are the pixels of the images that there are.
func (b *batch) images() []float32 { return b.x[:len(b.index)*b.size] }

// loader prepares batches ahead of their use, several at a time, and delivers
// them in order. It holds a fixed number of batches, which go round.
type loader struct {
	free, todo, due chan *batch
	quit            chan struct{}
	work            sync.WaitGroup
	lent            *batch
}

// load starts a loader with the given number of goroutines.
func (f *Feed) load(o order, readers int) (*loader, error) {
	t, err := tableOf(f.Spec)
	if err != nil {
		return nil, err
	}
	ahead := depth(readers, o.to-o.from)
	l := &loader{
		free: make(chan *batch, ahead),
		todo: make(chan *batch, ahead),
		due:  make(chan *batch, ahead),
		quit: make(chan struct{}),
	}
	size := f.Spec.Shape.WithN(1).Len()
	for range ahead {
		l.free <- &batch{
			size:   size,
			x:      make([]float32, o.batch*size),
			labels: make([]int32, o.batch),
			index:  make([]int, o.batch),
			ready:  make(chan struct{}, 1),
		}
	}
	l.work.Go(func() { l.dispatch(o, f.Samples.Len()) })
	for range min(readers, ahead) {
		l.work.Go(func() { l.read(&reader{feed: f, table: t, seed: o.seed}) })
	}
	return l, nil
}

// depth is how many batches go round, of so many in all.
func depth(readers, batches int) int { return min(readers+1, max(batches, 1)) }

// dispatch hands out the batches in order as room comes free.
func (l *loader) dispatch(o order, n int) {
	defer close(l.due)
	defer close(l.todo)
	var perm []int32 // of the epoch, nil for the data's own order
	if o.shuffle {
		perm = make([]int32, n)
	}
	epoch := -1
	for k := o.from; k < o.to; k++ {
		var b *batch
		select {
		case b = <-l.free:
		case <-l.quit:
			return
		}
		if e := k / o.perEpoch; e != epoch {
			epoch = e
			if o.shuffle {
				o.permute(perm, e)
			}
		}
		first := k % o.perEpoch * o.batch
		b.index = b.index[:min(o.batch, n-first)]
		for i := range b.index {
			if b.index[i] = first + i; perm != nil {
				b.index[i] = int(perm[first+i])
			}
		}
		b.epoch = epoch
		l.todo <- b
		l.due <- b
	}
}

// permute writes the order of an epoch.
func (o order) permute(p []int32, epoch int) {
	var r Rand
	r.Seed(o.seed, uint64(epoch))
	permute(&r, p)
}

func (l *loader) read(r *reader) {
	for b := range l.todo {
		b.crash, b.err = fill(r, b)
		b.ready <- struct{}{}
	}
}

// fill reads a batch, and catches a panic of a part.
func fill(r *reader, b *batch) (crash string, err error) {
	defer func() {
		if v := recover(); v != nil {
			crash = fmt.Sprintf("%v\n\n%s", v, debug.Stack())
		}
	}()
	return "", r.fill(b)
}

// next returns the next batch; it is the caller's until the next call.
func (l *loader) next() (*batch, error) {
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

// close stops the goroutines and waits for them.
func (l *loader) close() {
	close(l.quit)
	l.work.Wait()
}
