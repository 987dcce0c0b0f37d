package tensor

import "slices"

// Param is a trainable tensor with its gradient, in memory order.
type Param struct{ Data, Grad []float32 }

// NewParam returns a tensor of n zeros.
func NewParam(n int) Param { return Param{make([]float32, n), make([]float32, n)} }

// Clone returns a deep copy.
func (p Param) Clone() Param { return Param{slices.Clone(p.Data), slices.Clone(p.Grad)} }
