// Package tensor describes the data that flows through a network: its shape and
// its layout. All activations are NHWC; convolution weights are
// [outC][kH][kW][inC/groups] in memory and OIHW in files. It holds no numbers
// and computes nothing.
package tensor

import "fmt"

// Shape is the extent of an activation tensor in NHWC order. A vector of
// features has H = W = 1.
type Shape struct {
	N int `json:"n"`
	H int `json:"h"`
	W int `json:"w"`
	C int `json:"c"`
}

// Len returns the number of elements.
func (s Shape) Len() int { return s.N * s.H * s.W * s.C }

// WithN returns the shape with the batch size n.
func (s Shape) WithN(n int) Shape { s.N = n; return s }

// String returns "N×H×W×C", without N where it is 0 (not known yet).
func (s Shape) String() string {
	if s.N == 0 {
		return fmt.Sprintf("%d×%d×%d", s.H, s.W, s.C)
	}
	return fmt.Sprintf("%d×%d×%d×%d", s.N, s.H, s.W, s.C)
}
