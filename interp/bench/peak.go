package bench

import (
	"fmt"
	"strings"
	"time"

	"qpipe/interp/console"
	"qpipe/ops/engine"
)

// peakShapes are the convolutions that the machine's peak is measured with: matrix
// products without padding, which counts as work that may be skipped, large and
// still in cache.
func peakShapes() []struct {
	shape  string
	images int
} {
	return []struct {
		shape  string
		images int
	}{{"r50_1x1_512-128_28", 1}, {"r50_1x1_1024-256_14", 2}, {"r50_1x1_2048-512_7", 4}}
}

// peakBy describes how the peak is measured.
func peakBy() string {
	var names []string
	for _, s := range peakShapes() {
		names = append(names, fmt.Sprintf("%s (%s)", s.shape, console.Count(s.images, "image")))
	}
	return "the best run of the kernel set's own 1×1 convolutions " + strings.Join(names, ", ") +
		", bias and ReLU included, int8 with codes as output"
}

// peak is the best speed of a kind in operations per nanosecond.
func (l *Lab) peak(pool *engine.Workers, kind string, about time.Duration) (best float64, err error) {
	clock, shapes := l.nanoseconds(), peakShapes()
	for _, s := range shapes {
		w, err := l.Conv(pool, s.shape, kind, s.images)
		if err != nil {
			return 0, err
		}
		if err := w.run(); err != nil {
			return 0, err
		}
		for began, once := clock(), false; !once || clock()-began < int64(about)/int64(len(shapes)); once = true {
			from := clock()
			if err := w.run(); err != nil {
				return 0, err
			}
			best = max(best, w.flop/float64(max(clock()-from, 1)))
		}
	}
	return best, nil
}
