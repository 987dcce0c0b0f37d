package console

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"qpipe/interp/event"
)

// bars shows a line for each important event, and below them a bar for the present work: epoch, rate, time left and
// loss.
type bars struct {
	mu       sync.Mutex
	out      *Stream
	narrator *narrator
	closed   bool
	ticks    *time.Ticker
	quit     chan struct{}
}

// newBars shows bars until they are closed.
func newBars(out *Stream, n *narrator) *bars {
	b := &bars{out: out, narrator: n, ticks: time.NewTicker(100 * time.Millisecond), quit: make(chan struct{})}
	out.screen.liven(out)
	go b.refresh()
	return b
}

// refresh redraws the bar regularly: windows change, and keys are echoed.
func (b *bars) refresh() {
	for {
		select {
		case <-b.quit:
			return
		case <-b.ticks.C:
			s := b.out.screen
			s.mu.Lock()
			s.redraw()
			s.mu.Unlock()
		}
	}
}

func (b *bars) Event(e event.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return // the run was aborted, and this comes too late
	}
	switch d := e.Data.(type) {
	case event.Progress:
		b.out.screen.show(b.progress(e, d).fit)
		return
	case event.End, event.Interrupt:
		b.out.screen.hide()
	}
	if line := b.narrator.line(e); line != "" {
		fmt.Fprintln(b.out, line)
	}
}

func (b *bars) Line(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		fmt.Fprintln(b.out, text)
	}
}

func (b *bars) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.closed = true
	b.ticks.Stop()
	close(b.quit)
	b.out.screen.hide()
}

// bar is the content of a progress event.
type bar struct {
	what, count, rate, left, loss string
	share                         float64 // the work done
}

func (b *bars) progress(e event.Event, d event.Progress) *bar {
	r := &bar{what: e.Stage + ": " + Printable(d.Phase), count: fmt.Sprintf("%d/%d", d.Done, d.Total)}
	if d.Total > 0 {
		r.share = min(max(float64(d.Done)/float64(d.Total), 0), 1)
	}
	if epochs := b.narrator.extent(e.Stage).epochs; d.Phase == "train" && epochs > 0 {
		r.what = fmt.Sprintf("%s: epoch %d/%d", e.Stage, min(e.Epoch+1, epochs), epochs)
	}
	if d.Rate > 0 {
		r.rate = Short(float64(d.Rate)) + " images/s"
		r.left = clock(time.Duration(value(d.ETA)*float64(time.Second))) + " left"
	}
	if d.Phase == "train" {
		r.loss = fmt.Sprintf("loss %.4f", value(d.Loss))
	}
	return r
}

// The least and the greatest number of columns of the gauge.
const (
	gaugeLeast = 8
	gaugeMost  = 24
)

// fit is the bar in at most so many columns: always one line. If there is not enough room, the least useful parts are
// removed first.
func (r *bar) fit(columns int) string {
	for _, parts := range [][]string{
		{r.count, r.rate, r.left, r.loss},
		{r.rate, r.left, r.loss},
		{r.left, r.loss},
		{r.left},
	} {
		rest := ""
		for _, p := range parts {
			if p != "" {
				rest += "  " + p
			}
		}
		if room := columns - cells(r.what+rest) - 1; room >= gaugeLeast {
			return r.what + " " + gauge(r.share, min(room, gaugeMost)) + rest
		}
	}
	if s := r.what + "  " + r.left; r.left != "" && cells(s) <= columns {
		return s
	}
	return Clipped(r.what, columns)
}

// gauge draws a fraction as a gauge.
func gauge(share float64, columns int) string {
	full := int(share * float64(columns))
	return strings.Repeat("━", full) + strings.Repeat("─", columns-full)
}
