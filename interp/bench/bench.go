// Package bench measures how fast networks and single kernels run. It builds them with random weights and images from a
// seed, and times whole steps, nodes, and the machine's peak. It prints nothing and does not know the command line; for
// a word that it does not understand it returns an Unknown.
package bench

import (
	"fmt"
	"time"

	"qpipe/interp/part"
	"qpipe/ops/kernel"
)

// Lab has everything that measurements need.
type Lab struct {
	Catalog part.Catalog
	Kernels *kernel.Set
	Memory  int64            // how much memory the process may have in bytes, 0 if unknown
	Clock   func() time.Time // monotonic
}

// MostBatch is the largest batch that is measured.
const MostBatch = 4096

// Unknown is a word that names nothing to measure.
type Unknown struct{ error }

func unknown(format string, args ...any) error { return Unknown{fmt.Errorf(format, args...)} }

// nanoseconds returns a clock that counts from now on.
func (l *Lab) nanoseconds() func() int64 {
	began := l.Clock()
	return func() int64 { return int64(l.Clock().Sub(began)) }
}
