package part

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Preprocessing says how an image becomes the network's input: of Height×Width
// pixels, a byte a channel, in the order of Layout and Colors, each is
// x = float32((pixel/255 - mean)/std), computed in float64.
type Preprocessing struct {
	Height   int       `json:"height"`
	Width    int       `json:"width"`
	Channels int       `json:"channels"`
	Layout   string    `json:"layout"`           // "NHWC"
	Colors   string    `json:"colors,omitempty"` // "gray" or "RGB"; of other numbers of channels nothing is known
	Mean     []float64 `json:"mean"`             // one a channel
	Std      []float64 `json:"std"`
}

// Preprocessing is what the data's images go through; zero where the spec contradicts itself.
func (s Spec) Preprocessing() Preprocessing {
	mean, std, err := s.MeanStd()
	if err != nil {
		return Preprocessing{}
	}
	return Preprocessing{
		Height: s.Shape.H, Width: s.Shape.W, Channels: s.Shape.C, Layout: "NHWC",
		Colors: map[int]string{1: "gray", 3: "RGB"}[s.Shape.C], Mean: mean, Std: std,
	}
}

// SameValues reports whether pixels become the same values.
func (p Preprocessing) SameValues(o Preprocessing) bool {
	return slices.Equal(p.Mean, o.Mean) && slices.Equal(p.Std, o.Std)
}

// Normalization says in words how pixels become values.
func (p Preprocessing) Normalization() string {
	text := func(v []float64) string {
		if len(v) > 0 && !slices.ContainsFunc(v, func(x float64) bool { return x != v[0] }) {
			v = v[:1]
		}
		out := make([]string, len(v))
		for i, x := range v {
			out[i] = strconv.FormatFloat(x, 'g', -1, 32)
		}
		return strings.Join(out, ", ")
	}
	return fmt.Sprintf("mean %s and std %s", text(p.Mean), text(p.Std))
}

// MeanStd are Mean and Std with a value for each channel.
func (s Spec) MeanStd() (mean, std []float64, err error) {
	if mean, err = perChannel("mean", s.Mean, s.Shape.C); err != nil {
		return nil, nil, err
	}
	std, err = perChannel("std", s.Std, s.Shape.C)
	return mean, std, err
}

// perChannel spreads the values that a Spec gives over c channels; none means 0.5.
func perChannel(what string, v []float32, c int) ([]float64, error) {
	out := make([]float64, c)
	for i := range out {
		switch len(v) {
		case 0:
			out[i] = 0.5
		case 1:
			out[i] = float64(v[0])
		case c:
			out[i] = float64(v[i])
		default:
			return nil, fmt.Errorf("%s has %s, the images have %s: give one value, or one for each channel", what, Count(len(v), "value"), Count(c, "channel"))
		}
	}
	return out, nil
}
