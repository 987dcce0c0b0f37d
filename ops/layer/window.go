package layer

import (
	"encoding/json"
	"errors"
	"fmt"

	"qpipe/ops/tensor"
)

// Window is how a kernel or a pooling window lies on its input as structures have it, in
// ONNX's words: height first, and of the padding top, left, bottom, right.
type Window struct {
	Input  Extents `json:"input"`
	Kernel [2]int  `json:"kernel_shape"`
	Stride [2]int  `json:"strides"`
	Pads   [4]int  `json:"pads"`
}

// Extents is a shape as structures have it.
type Extents struct {
	Height   int `json:"height"`
	Width    int `json:"width"`
	Channels int `json:"channels"`
}

// ExtentsOf is a shape as structures have it.
func ExtentsOf(s tensor.Shape) Extents { return Extents{s.H, s.W, s.C} }

// Tensor is the shape of one image.
func (e Extents) Tensor() tensor.Shape { return tensor.Shape{H: e.Height, W: e.Width, C: e.Channels} }

// Behind is how much padding the output reads beyond the far edge of the input.
func Behind(in, out, kernel, stride, dilation, before int) int {
	return max((out-1)*stride+(kernel-1)*dilation+1-before-in, 0)
}

// Check refuses extents that no builder would have made.
func (w *Window) Check() error {
	return CheckExtents([]int{w.Input.Height, w.Input.Width, w.Input.Channels, w.Kernel[0], w.Kernel[1], w.Stride[0], w.Stride[1]}, w.Pads[:])
}

// CheckExtents refuses extents below 1, or below 0, and those that are too large.
func CheckExtents(positive, others []int) error {
	for _, v := range positive {
		if v < 1 || v > MaxExtent {
			return errExtent
		}
	}
	for _, v := range others {
		if v < 0 || v > MaxExtent {
			return errExtent
		}
	}
	return nil
}

var (
	errExtent = fmt.Errorf("an extent is outside 1…%d", MaxExtent)
	errLarge  = fmt.Errorf("it has more than %d elements", int64(MaxElements))
	errParts  = errors.New("its parts do not fit together")

	// ErrPads says that a window's padding is not the one that gives the output's shape.
	ErrPads = errors.New("its pads do not give its shape")
)

// CheckVolume refuses more elements than a node may have.
func CheckVolume(extents ...int) error {
	if Volume(extents...) > MaxElements {
		return errLarge
	}
	return nil
}

// Read decodes the attribute key into v; a node without it is damaged.
func (f Fields) Read(key string, v any) error {
	if !f.Has(key) {
		return errParts
	}
	return json.Unmarshal(f[key], v)
}

// Has reports whether there is an attribute of that name.
func (f Fields) Has(key string) bool { return len(f[key]) > 0 && string(f[key]) != "null" }
