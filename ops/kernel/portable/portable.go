// Package portable turns the signatures of ops/kernel into pure Go that is as
// fast as it reasonably gets. Every sum over a convolution's taps is formed in
// the same order whatever the tile, every product is rounded on its own, so its
// bytes are the same on every machine. It refuses assembly and unsafe.
package portable

import (
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/ref"
)

// Set returns the portable kernels.
func Set() *kernel.Set {
	s := ref.Set()
	s.Name = "portable"
	return s
}
