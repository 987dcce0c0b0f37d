package view

import (
	"fmt"
	"strconv"
	"strings"

	"qpipe/interp/console"
	"qpipe/interp/predict"
)

// Prediction is a line with what a network says of a file: classes with scores, or the shares of a mask.
func (s *Sheet) Prediction(p predict.Prediction) {
	for _, a := range p.Outputs {
		head := console.Printable(p.File)
		if a.Output != "" {
			head += " " + s.paint.Dim(console.Printable(a.Output))
		}
		fmt.Fprintf(s, "%s: %s\n", head, s.answer(a))
	}
}

// answer is an answer in words.
func (s *Sheet) answer(a predict.Answer) string {
	var parts []string
	for i, c := range a.Classes {
		word := console.Printable(labelled(c.Name, c.Label))
		if i == 0 {
			word = s.paint.Bold(word)
		}
		parts = append(parts, fmt.Sprintf("%s %.1f %%", word, 100*c.Score))
	}
	all := 0
	for _, r := range a.Regions {
		all += r.Pixels
	}
	for _, r := range a.Regions {
		parts = append(parts, fmt.Sprintf("%s %.1f %%", console.Printable(labelled(r.Name, r.Label)), 100*float64(r.Pixels)/float64(all)))
	}
	for _, v := range a.Values {
		parts = append(parts, strconv.FormatFloat(float64(v), 'g', 6, 32))
	}
	text := strings.Join(parts, ", ")
	if a.Mask != "" {
		text += " (" + console.Printable(a.Mask) + ")"
	}
	return text
}

// labelled is a class's name, or its number if it has none.
func labelled(name string, label int) string {
	if name == "" {
		return strconv.Itoa(label)
	}
	return name
}
