package cli

import (
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/sets"
)

// kernels returns the kernel set that QPIPE_KERNELS names, else the default one.
func (a *app) kernels() (*kernel.Set, error) {
	set, err := sets.ByName(a.Getenv("QPIPE_KERNELS"))
	if err != nil {
		return nil, usagef("QPIPE_KERNELS: %w", err)
	}
	return set, nil
}
