package cli

import (
	"os"
	"os/signal"
	"syscall"
)

// watcher turns signals into the two ways of ending a run early.
type watcher struct {
	stop    chan struct{} // closed by the first: finish the step, write a checkpoint
	abort   chan struct{} // closed by the second
	signals chan os.Signal
	quit    chan struct{}
}

// watch starts listening. A closed output counts as a wish to end too: what was
// computed is kept, where the default would be to die in the middle of a step.
func watch(show display) *watcher {
	w := &watcher{
		stop: make(chan struct{}), abort: make(chan struct{}),
		signals: make(chan os.Signal, 4), quit: make(chan struct{}),
	}
	signal.Notify(w.signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	go w.listen(show)
	return w
}

func (w *watcher) listen(show display) {
	for n := 0; ; {
		select {
		case <-w.quit:
			return
		case s := <-w.signals:
			if s == syscall.SIGPIPE && n > 0 {
				continue // the first one has said it all
			}
			n++
			if n == 1 {
				close(w.stop)
				show.Line("Interrupted: finishing the step and writing a checkpoint; once more aborts at once.")
			} else {
				close(w.abort)
				return
			}
		}
	}
}

// release gives the signals back, unless one has ended the run: then the process is
// about to say so by its exit code, and a second signal that comes late must not keep it from that.
func (w *watcher) release() {
	close(w.quit)
	select {
	case <-w.stop:
	default:
		signal.Stop(w.signals)
	}
}
