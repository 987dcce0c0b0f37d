package callbacks

import "qpipe/interp/part"

// FreezeBNArgs are the arguments of FreezeBN: it has none of its own.
type FreezeBNArgs struct{}

// FreezesBN implements program.BNFreezer.
func (FreezeBNArgs) FreezesBN() {}

type freezeBN struct{}

// NewFreezeBN returns the callback that makes the selected BNs normalize with their running statistics, and keep them,
// from its `when` on, or from the first step if there is no `when`. Weight and bias of a frozen BN are still trained.
func NewFreezeBN(FreezeBNArgs) (part.Callback, error) { return freezeBN{}, nil }

// Fire implements part.Firer.
func (freezeBN) Fire(s *part.State, modules []string) error { return s.FreezeBN(modules) }
