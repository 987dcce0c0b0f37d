package cli

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"qpipe/interp/stage"
)

// bars shows the lines of plainLines with a bar below them for what goes on:
// epoch, rate, time left and loss.
type bars struct {
	mu       sync.Mutex // never held by what mpb calls: it draws while we wait for it
	progress *mpb.Progress
	bar      *mpb.Bar
	now      atomic.Pointer[progress]
	narrator *narrator
}

// progress is the latest of an EventProgress.
type progress struct {
	stage, phase string
	epoch        int
	epochs       int
	done, total  int64
	rate, loss   float64
	eta          time.Duration
}

func newBars(out io.Writer, n *narrator) *bars {
	return &bars{
		narrator: n,
		progress: mpb.New(mpb.WithOutput(out), mpb.WithRefreshRate(100*time.Millisecond), mpb.WithAutoRefresh()),
	}
}

func (b *bars) Event(e stage.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if line := b.narrator.line(e); line != "" {
		b.print(line)
	}
	switch e.Kind {
	case stage.EventProgress:
		b.update(e)
	case stage.EventEnd, stage.EventInterrupt:
		b.drop()
	}
}

// update moves the bar; a new stage or phase gets a new one.
func (b *bars) update(e stage.Event) {
	p := progress{
		stage: e.Stage, phase: text(e.Data["phase"]), epoch: e.Epoch, epochs: b.narrator.extent(e.Stage).epochs,
		done: int64(number(e.Data["done"])), total: int64(number(e.Data["total"])),
		rate: number(e.Data["rate"]), loss: number(e.Data["loss"]),
		eta: time.Duration(number(e.Data["eta"]) * float64(time.Second)),
	}
	before := b.now.Swap(&p)
	if b.bar == nil || before.stage != p.stage || before.phase != p.phase || before.total != p.total {
		b.drop()
		b.bar = b.progress.New(p.total, mpb.BarStyle().Lbound("").Rbound("").Filler("━").Tip("━").Padding(" "),
			mpb.BarRemoveOnComplete(), mpb.BarWidth(24),
			mpb.PrependDecorators(decor.Any(b.left)), mpb.AppendDecorators(decor.Any(b.right)))
	}
	b.bar.SetCurrent(p.done)
}

func (b *bars) left(decor.Statistics) string {
	p := b.now.Load()
	if p.phase == "train" && p.epochs > 0 {
		return fmt.Sprintf("%s: epoch %d/%d ", p.stage, min(p.epoch+1, p.epochs), p.epochs)
	}
	return fmt.Sprintf("%s: %s ", p.stage, p.phase)
}

func (b *bars) right(decor.Statistics) string {
	p := b.now.Load()
	s := fmt.Sprintf(" %d/%d  %s images/s  %s left", p.done, p.total, short(p.rate), clock(p.eta))
	if p.phase == "train" {
		s += fmt.Sprintf("  loss %.4f", p.loss)
	}
	return s
}

func (b *bars) drop() {
	if b.bar != nil {
		b.bar.Abort(true)
		b.bar = nil
	}
}

func (b *bars) print(line string) { fmt.Fprintln(b.progress, line) }

func (b *bars) Line(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.print(text)
}

func (b *bars) Close() {
	b.mu.Lock()
	b.drop()
	b.mu.Unlock()
	b.progress.Shutdown()
}
