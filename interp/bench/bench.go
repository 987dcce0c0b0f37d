// Package bench measures how fast networks and single kernels run: it makes them, with random weights and images
// from a seed, and times whole steps, nodes, and what the machine can do at most. It prints nothing and knows no
// command line; what it cannot understand of one is an Unknown.
package bench

import (
	"fmt"
	"time"

	"qpipe/interp/part"
	"qpipe/ops/kernel"
)

// Lab is what measurements are made with.
type Lab struct {
	Catalog part.Catalog
	Kernels *kernel.Set
	Memory  int64            // bytes that the process may have, 0 where that is not known
	Clock   func() time.Time // monotonic
}

// MostBatch is how many images at a time are measured at most.
const MostBatch = 4096

// Unknown is a word that names nothing to measure.
type Unknown struct{ error }

func unknown(format string, args ...any) error { return Unknown{fmt.Errorf(format, args...)} }

// nanoseconds is the clock as a count from now on.
func (l *Lab) nanoseconds() func() int64 {
	began := l.Clock()
	return func() int64 { return int64(l.Clock().Sub(began)) }
}
