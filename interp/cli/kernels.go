package cli

import (
	"qpipe/interp/command"
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/sets"
)

// kernels returns the kernel set that QPIPE_KERNELS names, else the default one.
func (a *app) kernels() (*kernel.Set, error) {
	set, err := sets.ByName(a.Getenv("QPIPE_KERNELS"))
	if err != nil {
		return nil, command.Wrong("QPIPE_KERNELS: %w", err)
	}
	return set, nil
}
