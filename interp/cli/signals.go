package cli

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"qpipe/interp/console"
)

// signals are the user's requests to end early. The present work handles them if it can; otherwise the program ends at
// once.
type signals struct {
	got  chan os.Signal
	mu   sync.Mutex
	heed func(os.Signal) bool // reports whether nothing more need be done
}

// listen begins to receive signals. Those that were ignored when the program started, for example by nohup, stay
// ignored.
func (s *signals) listen() {
	s.got = make(chan os.Signal, 8)
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		if !signal.Ignored(sig) {
			signal.Notify(s.got, sig)
		}
	}
}

// close stops receiving signals.
func (s *signals) close() { signal.Stop(s.got) }

// with makes f handle the signals; with nil nothing does.
func (s *signals) with(f func(os.Signal) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heed = f
}

// heeded passes a signal on, and reports whether something handled it.
func (s *signals) heeded(sig os.Signal) bool {
	s.mu.Lock()
	f := s.heed
	s.mu.Unlock()
	return f != nil && f(sig)
}

// interruptible returns a context that a signal ends; a second one ends the program at once.
func (a *app) interruptible() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	a.signals.with(func(os.Signal) bool {
		defer cancel()
		return ctx.Err() == nil
	})
	return ctx, cancel
}

// watcher turns signals into the two ways to end a run early.
type watcher struct {
	signals *signals
	stop    chan struct{} // closed by the first: finish the step, write a checkpoint
	abort   chan struct{} // closed by the second
	mu      sync.Mutex
	n       int
	unread  bool // the output was closed
}

// why says what stopped a run.
func (w *watcher) why() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.unread {
		return "Nobody reads the output any more"
	}
	return "Interrupted"
}

// watch starts listening. A closed output is also a request to end: what was computed is kept, while by default the
// program would die in the middle of a step.
func (a *app) watch(show console.Display) *watcher {
	w := &watcher{signals: &a.signals, stop: make(chan struct{}), abort: make(chan struct{})}
	if !signal.Ignored(syscall.SIGPIPE) {
		signal.Notify(w.signals.got, syscall.SIGPIPE)
	}
	w.signals.with(func(s os.Signal) bool {
		w.take(s, show)
		return true
	})
	return w
}

func (w *watcher) take(s os.Signal, show console.Display) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s == syscall.SIGPIPE && w.n > 0 {
		return // the first one was enough
	}
	w.n++
	switch {
	case w.n == 1 && s == syscall.SIGPIPE: // if there is a step to finish, the last message says so
		w.unread = true
		close(w.stop)
	case w.n == 1 && s != syscall.SIGQUIT:
		close(w.stop)
		show.Line("Interrupted: finishing the step and writing a checkpoint; once more aborts at once.")
	case w.n == 1:
		w.n = 2
		close(w.abort)
	case w.n == 2:
		close(w.abort)
	}
}

// release stops receiving signals, unless one has ended the run: then the process is about to exit with a code that
// says so, and a late second signal must not prevent that.
func (w *watcher) release() {
	select {
	case <-w.stop:
	default:
		w.signals.with(nil)
	}
}
