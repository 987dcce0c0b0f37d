// Package callbacks is the shelf of callbacks: they act at moments of training, through the state that the loop gives
// them. The package trains nothing itself and writes no files.
package callbacks

import "qpipe/interp/part"

// FuseBNArgs are the arguments of FuseBN.
type FuseBNArgs struct {
	WeightScale string `arg:"weight_scale,optional" oneof:"keep recompute" doc:"keep: the weight's scale stays as it was before the absorption; recompute: it is computed from the absorbed weight, which makes the absorption lossless under with_bn if the weight has a scale per channel."`
}

// FuseBNDefaults returns FuseBN's defaults.
func FuseBNDefaults() FuseBNArgs { return FuseBNArgs{WeightScale: "keep"} }

// KeepsScale implements the language's question to callbacks that absorb BN.
func (a FuseBNArgs) KeepsScale() bool { return a.WeightScale != "recompute" }

type fuseBN struct{ recompute bool }

// NewFuseBN returns the callback that absorbs the BN of the selected modules into their convolutions at its `when`.
// Optimizer state and averaged weights are adjusted; every absorption leaves a receipt in the event log.
func NewFuseBN(a FuseBNArgs) (part.Callback, error) { return fuseBN{!a.KeepsScale()}, nil }

// Fire implements part.Firer.
func (f fuseBN) Fire(s *part.State, modules []string) error { return s.AbsorbBN(modules, f.recompute) }
