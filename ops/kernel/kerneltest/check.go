package kerneltest

import (
	"reflect"
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
	table := checks()
	v := reflect.ValueOf(*s)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if v.Field(i).Kind() != reflect.Func {
			continue
		}
		if v.Field(i).IsNil() {
			t.Errorf("the set %s has no %s", s.Name, name)
			continue
		}
		if base, isSize := strings.CutSuffix(name, "Size"); isSize {
			name = base
		}
		if table[name] == nil {
			t.Errorf("kernel.Set has %s, kerneltest has no check of it", name)
		}
	}
	if t.Failed() {
		return
	}
	for name, f := range table {
		t.Run(name, func(t *testing.T) { repeat(t, s, f, count) })
	}
}

// repeat runs the check until it fails; the number of the case is its seed.
func repeat(t *testing.T, s *kernel.Set, f check, count int) {
	for i := range count {
		g := &gen{t: t, state: uint64(i)}
		f(g, s, ref.Set())
		g.done()
		if t.Failed() {
			t.Fatalf("in case %d", i)
		}
	}
}
