package engine

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Workers run work on a fixed number of goroutines. They serve one Net at a time.
//
// A node's work is often shorter than waking a sleeping goroutine takes, and the
// next node's follows at once. So workers that have nothing to do look for a while
// before they go to sleep; the caller, too, waits looking.
type Workers struct {
	size  int
	f     func(task, worker int)
	state atomic.Uint64       // the round, its tasks and the next of them, as ticket says
	done  atomic.Int64        // tasks of the round that are done
	bad   atomic.Pointer[any] // what a worker panicked with
	crew  []hand
	close sync.Once
}

// ticket is one word, so that a worker that takes a task knows by the same look whether
// there was one: the round in the upper bits, then how many tasks it has, then the next.
type ticket uint64

const (
	taskBits = 20
	maxTasks = 1<<taskBits - 1<<10 // workers that come late count on
	closed   = ticket(1)<<(64-2*taskBits) - 1
)

func newTicket(round ticket, tasks int) uint64 {
	return uint64(round<<(2*taskBits) | ticket(tasks)<<taskBits)
}

func (t ticket) round() ticket { return t >> (2 * taskBits) }
func (t ticket) tasks() int    { return int(t >> taskBits & (1<<taskBits - 1)) }
func (t ticket) next() int     { return int(t & (1<<taskBits - 1)) }

// hand parks a worker: it sleeps while asleep is set, until wake gets something.
type hand struct {
	asleep atomic.Bool
	wake   chan struct{}
	_      [48]byte // no two on one cache line
}

// looks is how often a worker looks for work before it goes to sleep: a few tens of microseconds.
const looks = 20_000

// NewWorkers returns n workers; with n = 1 all runs in the caller.
func NewWorkers(n int) *Workers {
	p := &Workers{size: max(n, 1)}
	p.crew = make([]hand, p.size-1)
	for w := range p.crew {
		p.crew[w].wake = make(chan struct{}, 1)
		go p.serve(w)
	}
	return p
}

// Close ends the workers. They cannot be used after it.
func (p *Workers) Close() {
	p.close.Do(func() {
		p.state.Store(newTicket(closed, 0))
		p.rouse(len(p.crew))
	})
}

// Size returns the number of workers, the caller included.
func (p *Workers) Size() int { return p.size }

// Run calls f for the tasks 0 to tasks-1, each once, and returns when all are
// done. It allocates nothing. A panic in f is the caller's.
func (p *Workers) Run(tasks int, f func(task, worker int)) {
	if p.size == 1 || tasks <= 1 || tasks > maxTasks {
		for i := range tasks {
			f(i, 0)
		}
		return
	}
	p.f = f
	p.done.Store(0)
	round := (ticket(p.state.Load()).round() + 1) % closed
	p.state.Store(newTicket(round, tasks))
	p.rouse(min(len(p.crew), tasks-1))
	p.work(0)
	for i := 1; p.done.Load() < int64(tasks); i++ {
		if i%256 == 0 {
			runtime.Gosched()
		}
	}
	if bad := p.bad.Swap(nil); bad != nil {
		panic(*bad)
	}
}

// rouse wakes up to n workers that sleep.
func (p *Workers) rouse(n int) {
	for w := range p.crew[:n] {
		if h := &p.crew[w]; h.asleep.Load() && h.asleep.CompareAndSwap(true, false) {
			h.wake <- struct{}{}
		}
	}
}

// serve runs a worker.
func (p *Workers) serve(w int) {
	var seen ticket
	for {
		seen = p.await(&p.crew[w], seen)
		if seen == closed {
			return
		}
		p.work(w + 1)
	}
}

// await returns the next round after seen.
func (p *Workers) await(h *hand, seen ticket) ticket {
	for {
		for i := range looks {
			if r := ticket(p.state.Load()).round(); r != seen {
				return r
			}
			if i%256 == 255 {
				runtime.Gosched()
			}
		}
		h.asleep.Store(true)
		if ticket(p.state.Load()).round() != seen && h.asleep.CompareAndSwap(true, false) {
			continue
		}
		<-h.wake
	}
}

// work takes tasks until there are none. A task that was taken keeps its round
// open, so f is that round's.
func (p *Workers) work(worker int) {
	for {
		t := ticket(p.state.Add(1) - 1)
		if t.next() >= t.tasks() {
			return
		}
		p.task(t.next(), worker)
	}
}

func (p *Workers) task(i, worker int) {
	defer func() {
		if r := recover(); r != nil {
			v := r // escapes, and only then
			p.bad.Store(&v)
		}
		p.done.Add(1)
	}()
	p.f(i, worker)
}
