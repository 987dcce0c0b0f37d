package kerneltest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/ref"
)

// check runs one kernel of the set on one generated case and compares it with ref.
type check func(g *gen, s, ref *kernel.Set)

// checks is the table: a row for each kernel of kernel.Set.
func checks() map[string]check {
	return map[string]check{
		"ConvForward":         convForward,
		"ConvBackwardData":    convBackwardData,
		"ConvBackwardWeights": convBackwardWeights,
		"ConvInt8":            convInt8,
		"Requantize":          requantize,
		"Dequantize":          dequantize,
		"Quantize":            quantize,
		"FakeQuant":           fakeQuant,
		"FakeQuantBackward":   fakeQuantBackward,
		"MinMax":              minMax,
		"ChannelSums":         channelSums,
		"ScaleShift":          scaleShift,
		"ActBackward":         actBackward,
		"Add":                 add,
		"AddTo":               addTo,
		"MaxPool":             maxPool,
		"MaxPoolBackward":     maxPoolBackward,
		"MaxPoolInt8":         maxPoolInt8,
		"AvgPool":             avgPool,
		"AvgPoolBackward":     avgPoolBackward,
		"SumPoolInt8":         sumPoolInt8,
		"SGD":                 sgd,
	}
}

// Check runs every kernel of the set on count generated cases. A field of
// kernel.Set that is nil or has no row in the table fails.
func Check(t *testing.T, s *kernel.Set, count int) {
	for _, err := range Mistakes(s, count) {
		t.Error(err)
	}
}

// Mistakes is Check without a test: what is wrong with the set, at most one
// generated case for each kernel, in the order of the names.
func Mistakes(s *kernel.Set, count int) []error {
	if missing := unchecked(s); missing != nil {
		return missing
	}
	var out []error
	table := checks()
	for _, name := range slices.Sorted(maps.Keys(table)) {
		for i := range count {
			g := &gen{state: uint64(i)}
			table[name](g, s, ref.Set())
			if err := g.done(); err != nil {
				out = append(out, fmt.Errorf("%s: %s, case %d: %w", s.Name, name, i, err))
				break
			}
		}
	}
	return out
}

// unchecked returns the fields of the set that are nil or that no row checks.
func unchecked(s *kernel.Set) (out []error) {
	table := checks()
	v := reflect.ValueOf(*s)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if v.Field(i).Kind() != reflect.Func {
			continue
		}
		if v.Field(i).IsNil() {
			out = append(out, fmt.Errorf("the set %s has no %s", s.Name, name))
		}
		if name = strings.TrimSuffix(name, "Size"); table[name] == nil {
			out = append(out, fmt.Errorf("kernel.Set has %s, kerneltest has no check of it", name))
		}
	}
	return out
}
