package nn

import (
	"fmt"
	"strings"

	"qpipe/ops/layer"
)

// checkOperands refuses too few or too many operands, and a flattened map, whose order of features differs between
// memory and file, where the op does not say that it takes one.
func checkOperands(k *layer.Kind, in []layer.Source) error {
	if k == nil {
		return nil // the op says what is wrong
	}
	most := k.Most
	if k.Role == layer.Head { // the second is what fusion adds in its accumulator
		most = k.Least
	}
	if err := checkCount(k.Least, most, in); err != nil {
		return err
	}
	for _, x := range in {
		if x.Origin != x.Shape && !k.Flat {
			return layer.BadOperand(x.Name, "", "%s does not read a flattened map, and %s was flattened from %v: put it in front of the flatten, or leave the flatten out before a linear layer, which flattens by itself", k.Name, x.Name, x.Origin)
		}
	}
	return nil
}

// checkCount refuses too few or too many operands; most is -1 for any number.
func checkCount(least, most int, in []layer.Source) error {
	wants, way := values(least), "name what it reads: from = [layer.a, layer.b]"
	switch {
	case len(in) < least && most != least:
		wants = "at least " + wants
	case most >= 0 && len(in) > most:
		wants = values(most)
		if way = "name one of them, or write a layer for each"; most > 1 {
			way = "name as many, or combine more with a layer for each pair"
		}
	case len(in) >= least:
		return nil
	}
	return layer.BadOperand("", "", "it reads %s, and %s: %s", wants, given(in), way)
}

// values is a number of values, in words.
func values(n int) string {
	words := []string{"no value", "one value", "two values", "three values", "four values"}
	if n < len(words) {
		return words[n]
	}
	return fmt.Sprintf("as many values as %d", n)
}

// given says what is read, with its shapes.
func given(in []layer.Source) string {
	const shown = 4
	var names []string
	for _, x := range in[:min(len(in), shown)] {
		names = append(names, fmt.Sprintf("%s (%v)", x.Name, x.Shape))
	}
	text := strings.Join(names, ", ")
	if len(in) > shown {
		text += " and others"
	}
	if len(in) == 1 {
		return "one is given, " + text
	}
	return fmt.Sprintf("%d are given, %s", len(in), text)
}
