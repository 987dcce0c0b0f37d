package nn

import (
	"sync"
	"sync/atomic"
)

// Pool runs work on a fixed number of goroutines. It is used by one Net at a time.
type Pool struct {
	size  int
	wake  []chan struct{}
	done  sync.WaitGroup
	next  atomic.Int64
	tasks int64
	f     func(task, worker int)
	bad   atomic.Pointer[any] // what a worker panicked with
	close sync.Once
}

// NewPool returns a pool of n workers; n = 1 runs in the caller.
func NewPool(n int) *Pool {
	p := &Pool{size: max(n, 1)}
	for w := 1; w < p.size; w++ {
		c := make(chan struct{}, 1)
		p.wake = append(p.wake, c)
		go func() {
			for range c {
				p.work(w)
				p.done.Done()
			}
		}()
	}
	return p
}

// Close ends the workers. The pool cannot be used after it.
func (p *Pool) Close() {
	p.close.Do(func() {
		for _, c := range p.wake {
			close(c)
		}
	})
}

// Size returns the number of workers, the caller included.
func (p *Pool) Size() int { return p.size }

// Run calls f for the tasks 0 to tasks-1, each once, and returns when all are
// done. It allocates nothing. A panic in f is the caller's.
func (p *Pool) Run(tasks int, f func(task, worker int)) {
	helpers := min(p.size, tasks) - 1
	if helpers < 1 {
		for i := range tasks {
			f(i, 0)
		}
		return
	}
	p.f, p.tasks = f, int64(tasks)
	p.next.Store(0)
	p.done.Add(helpers)
	for _, c := range p.wake[:helpers] {
		c <- struct{}{}
	}
	p.work(0)
	p.done.Wait()
	p.f = nil
	if bad := p.bad.Swap(nil); bad != nil {
		panic(*bad)
	}
}

func (p *Pool) work(worker int) {
	defer func() {
		if r := recover(); r != nil {
			v := r // escapes, and only then
			p.bad.Store(&v)
		}
	}()
	for {
		i := p.next.Add(1) - 1
		if i >= p.tasks {
			return
		}
		p.f(int(i), worker)
	}
}
