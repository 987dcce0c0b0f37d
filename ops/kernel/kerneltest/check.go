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
	"qpipe/ops/random"
)

// check runs one kernel of the set on one generated case and compares it with ref.
type check func(g *gen, s, ref *kernel.Set)

// checks is the table: a row for each kernel of kernel.Set.
func checks() map[string]check {
	return map[string]check{
		"ConvPack":            convPack,
		"ConvForward":         convForward,
		"ConvDataPack":        convDataPack,
		"ConvBackwardData":    convBackwardData,
		"ConvBackwardWeights": convBackwardWeights,
		"ConvInt8Pack":        convInt8Pack,
		"ConvInt8":            convInt8,
		"EncodeWeights":       encodeWeights,
		"WeightGrad":          weightGrad,
		"Requantize":          requantize,
		"Product":             product,
		"Dequantize":          dequantize,
		"Widen":               widen,
		"Values":              values,
		"Lookup":              lookup,
		"Formula":             formulaSteps,
		"Quantize":            quantize,
		"FakeQuant":           fakeQuant,
		"MinMax":              minMax,
		"ChannelStats":        channelStats,
		"ChannelRange":        channelRange,
		"Affine":              affine,
		"AffineQuant":         affineQuant,
		"AffineRange":         affineRange,
		"GateSums":            gateSums,
		"GateAffine":          gateAffine,
		"Gate":                gate,
		"AddTo":               addTo,
		"MaxPool":             maxPool,
		"MaxPoolBackward":     maxPoolBackward,
		"MaxPoolInt8":         maxPoolInt8,
		"AvgPool":             avgPool,
		"AvgPoolBackward":     avgPoolBackward,
		"SumPoolInt8":         sumPoolInt8,
		"SGD":                 sgd,
		"Finite":              finite,
	}
}

// Check runs every kernel of the set on count generated cases, the kernels side by
// side. A field of kernel.Set that is nil or has no row in the table fails.
func Check(t *testing.T, s *kernel.Set, count int) {
	for _, err := range unchecked(s) {
		t.Error(err)
	}
	if t.Failed() {
		return
	}
	table := checks()
	for _, name := range slices.Sorted(maps.Keys(table)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := mistake(s, name, table[name], count); err != nil {
				t.Error(err)
			}
		})
	}
}

// Mistakes is Check without a test: what is wrong with the set, at most one
// generated case for each kernel, in the order of the names.
func Mistakes(s *kernel.Set, count int) []error {
	out := unchecked(s)
	if out != nil {
		return out
	}
	table := checks()
	for _, name := range slices.Sorted(maps.Keys(table)) {
		if err := mistake(s, name, table[name], count); err != nil {
			out = append(out, err)
		}
	}
	return out
}

// mistake returns what is wrong in the first case that fails.
func mistake(s *kernel.Set, name string, check check, count int) error {
	for i := range count {
		g := &gen{seed: random.SplitMix(i)}
		check(g, s, ref.Set())
		if err := g.done(); err != nil {
			return fmt.Errorf("%s: %s, case %d: %w", s.Name, name, i, err)
		}
	}
	return nil
}

// unchecked returns the fields of the set that are nil or that no row checks.
func unchecked(s *kernel.Set) (out []error) {
	out = append(out, uncheckedFields(s.Name, "", *s)...)
	return append(append(out, uncheckedFields(s.Name+", dense", "Conv", s.Dense)...), uncheckedFields(s.Name+", depthwise", "Conv", s.Depthwise)...)
}

func uncheckedFields(set, prefix string, fields any) (out []error) {
	table := checks()
	v := reflect.ValueOf(fields)
	for i := range v.NumField() {
		name := prefix + v.Type().Field(i).Name
		if v.Field(i).Kind() != reflect.Func {
			continue
		}
		if v.Field(i).IsNil() {
			out = append(out, fmt.Errorf("the set %s has no %s", set, name))
		}
		if name = strings.TrimSuffix(strings.TrimSuffix(name, "Size"), "Room"); table[name] == nil {
			out = append(out, fmt.Errorf("kernel.Set has %s, kerneltest has no check of it", name))
		}
	}
	return out
}
