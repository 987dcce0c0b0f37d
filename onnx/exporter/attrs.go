package exporter

import "qpipe/ops/layer"

// The attributes of nodes, as docs/format.md describes them.
type (
	convAttrs struct {
		layer.Window
		Dilation      [2]int `json:"dilations"`
		Group         int    `json:"group"`
		Bias          bool   `json:"bias"`
		Add           bool   `json:"add"`
		OutputPadding [2]int `json:"output_padding"`
	}
	bnAttrs struct {
		Name string  `json:"name"`
		Eps  float64 `json:"eps"`
	}
	poolAttrs struct {
		layer.Window
		Dilation [2]int `json:"dilations"`
		CountPad bool   `json:"count_include_pad"`
		Overhang [2]int `json:"overhang"`
	}
	blockAttrs struct { // of reductions and adaptive pools
		Input layer.Extents `json:"input"`
		Axes  *[3]bool      `json:"axes"`
		Size  [2]int        `json:"sizes"`
	}
	normAttrs struct {
		Groups int     `json:"groups"`
		Whole  bool    `json:"whole"`
		Eps    float64 `json:"eps"`
		Affine bool    `json:"affine"`
	}
)

// attrsOf reads the attributes under key.
func attrsOf[A any](s *step, key string) (a A) {
	s.read(key, &a)
	return a
}

// axisOf is where an axis of the network (rows, columns, channels) is in shapes of the model, without the batch.
func axisOf(k int, x array) int {
	if x.flat() {
		return 0
	}
	return axis3(k)
}
