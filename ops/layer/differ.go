package layer

import (
	"fmt"
	"strings"

	"qpipe/ops/tensor"
)

// Differ is the mistake of an op that cannot combine two operands: verb is "add", or what else it does. Their channels count
// only where channels is true.
func Differ(operand, verb string, x, y Source, channels bool) error {
	what, way := differences(x.Shape, y.Shape, channels)
	return BadOperand(operand, way, "cannot %s %s (%v) and %s (%v): %s", verb, x.Name, x.Shape, y.Name, y.Shape, what)
}

// differences says in what two shapes differ, and what to do about it.
func differences(x, y tensor.Shape, channels bool) (what, way string) {
	var extents []string
	for _, e := range []struct {
		name string
		a, b int
	}{{"height", x.H, y.H}, {"width", x.W, y.W}} {
		if e.a != e.b && (!channels || e.a != 1 && e.b != 1) {
			extents = append(extents, e.name)
		}
	}
	if len(extents) > 0 {
		way = "Give the layers on both ways the same stride and padding, or bring one of the two to the size of the other."
	}
	if channels && x.C != y.C && (x.C != 1 && y.C != 1 || len(extents) == 0) {
		extents = append(extents, "channels")
		way = strings.TrimSpace(way + fmt.Sprintf(" Give both the same number of channels: %d or %d.", x.C, y.C))
	}
	return "they differ in " + enumerate(extents), way
}

// enumerate joins words with commas and "and".
func enumerate(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
