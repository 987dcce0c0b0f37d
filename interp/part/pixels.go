package part

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Preprocessing says how the network's input is computed from an input of a sample. The sample
// has an image of Height×Width pixels with a byte for each channel, in the order of Layout and
// Colors. Each byte becomes x = float32((pixel/255 - mean)/std), computed in float64. If the
// input consists of numbers, x = float32((number - mean)/std).
type Preprocessing struct {
	Name     string    `json:"name,omitempty"` // of the input, if there are several
	Height   int       `json:"height"`
	Width    int       `json:"width"`
	Channels int       `json:"channels"`
	Numbers  bool      `json:"numbers,omitempty"` // the input is float32 numbers, not bytes
	Layout   string    `json:"layout"`            // "NHWC"
	Colors   string    `json:"colors,omitempty"`  // "gray" for one channel, "RGB" for three, otherwise ""
	Mean     []float64 `json:"mean"`              // for each channel
	Std      []float64 `json:"std"`               // for each channel
	Steps    []Step    `json:"steps,omitempty"`   // how images of other sizes get this one, in order; nil if that is unknown or none does
}

// Step changes the size of an image, without anything random.
type Step struct {
	Op            string `json:"op"`                      // Resize or CenterCrop
	Size          []int  `json:"size"`                    // height and width; one number is both or, of Resize, the shorter side
	Interpolation string `json:"interpolation,omitempty"` // of Resize: "nearest", "bilinear" or "bicubic"
}

// The steps. A transform that changes sizes in some other way, such as a random crop, is noted as other.
const (
	Resize     = "resize"
	CenterCrop = "center_crop"
	other      = "other"
)

// Then returns steps with another one at the end.
func Then(steps []Step, s Step) []Step { return append(slices.Clone(steps), s) }

// SizedAs gives each input the steps of the same input of other data, if that has the same size.
func SizedAs(list, of []Preprocessing) []Preprocessing {
	for i := range min(len(list), len(of)) {
		if p, o := &list[i], of[i]; p.Height == o.Height && p.Width == o.Width {
			p.Steps = o.Steps
		}
	}
	return list
}

// Preprocessing returns the preprocessing of each input. It is the zero value for an input whose Mean or Std do not
// fit its channels.
func (s Spec) Preprocessing() []Preprocessing {
	list := make([]Preprocessing, len(s.Inputs))
	for i, in := range s.Inputs {
		mean, std, err := in.MeanStd()
		if err != nil {
			continue
		}
		p := Preprocessing{Name: in.Name, Height: in.Shape.H, Width: in.Shape.W, Channels: in.Shape.C, Layout: "NHWC", Mean: mean, Std: std}
		if p.Numbers = in.Numbers; !in.Numbers {
			p.Colors = map[int]string{1: "gray", 3: "RGB"}[in.Shape.C]
		}
		if !slices.ContainsFunc(in.Steps, func(s Step) bool { return s.Op == other }) {
			p.Steps = in.Steps
		}
		list[i] = p
	}
	return list
}

// OtherValues returns the index of the first input that own and theirs preprocess differently, or -1 if there is none.
// Inputs are left out if theirs is not known.
func OtherValues(own, theirs []Preprocessing) int {
	if len(own) != len(theirs) {
		return -1
	}
	for i, p := range own {
		o := theirs[i]
		if o.Height > 0 && (p.Numbers != o.Numbers || !slices.Equal(p.Mean, o.Mean) || !slices.Equal(p.Std, o.Std)) {
			return i
		}
	}
	return -1
}

// Normalization describes mean and std in words, for messages.
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

// MeanStd returns Mean and Std with a value for each channel, defaults filled in.
func (in InputSpec) MeanStd() (mean, std []float64, err error) {
	noMean, noStd := 0.5, 0.5
	if in.Numbers {
		noMean, noStd = 0, 1
	}
	if mean, err = perChannel("mean", in.Mean, in.Shape.C, noMean); err != nil {
		return nil, nil, err
	}
	std, err = perChannel("std", in.Std, in.Shape.C, noStd)
	return mean, std, err
}

// perChannel returns a value for each of c channels: v has one for all, one for each, or none, which means usual.
func perChannel(what string, v []float32, c int, usual float64) ([]float64, error) {
	out := make([]float64, c)
	for i := range out {
		switch len(v) {
		case 0:
			out[i] = usual
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
