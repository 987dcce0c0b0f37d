package program

// QuantAttribute is an attribute of the blocks activation {} and weight {} of a qconfig:
// what validate accepts, and what docs/qconfig.md shows.
type QuantAttribute struct {
	Name       string
	Words      []string // the values allowed; none where the attribute is no word
	Activation string   // the default in activation {}, as text; "" where it is not taken
	Weight     string   // likewise
	Doc        string
}

// QuantAttributes returns the table. Observers' own arguments are not in it: they are in
// the catalogue.
func QuantAttributes() []QuantAttribute {
	return []QuantAttribute{
		{
			"dtype",
			[]string{"float32", "int4", "int8", "int16", "uint8"},
			"int8", "int8",
			"The type of the codes. `float32` leaves the tensor as it is.",
		},
		{
			"scheme",
			[]string{"symmetric", "affine"},
			"symmetric", "symmetric",
			"`symmetric` has the zero point 0; `affine` has one of its own, so that the range need not lie around 0.",
		},
		{
			"scale_rule",
			[]string{"max", "half_range"},
			"max", "max",
			"What a symmetric scale divides the largest magnitude by: `max` is the largest code, `half_range` half the number of steps between the smallest and the largest, as in PyTorch and HAT.",
		},
		{
			"rounding",
			[]string{"half_even", "half_up"},
			"half_even", "half_even",
			"How a quotient becomes a code where it lies in the middle between two: `half_even` takes the even one (ONNX), `half_up` is floor(x + 0.5).",
		},
		{"per_channel", nil, "", "true", "Whether every output channel has a scale of its own, or all have one."},
		{"observer", nil, "min_max", "", "What turns a batch into a range. Its arguments are in the same block."},
	}
}

// Targets are the values of the attribute target, the default first.
func Targets() []string { return []string{"horizon", "tensorrt", "onnxruntime", "tflite"} }

// QuantDefault is the default of an attribute, as text.
func QuantDefault(name string, weight bool) string {
	for _, a := range QuantAttributes() {
		switch {
		case a.Name == name && weight:
			return a.Weight
		case a.Name == name:
			return a.Activation
		}
	}
	return ""
}

// QuantWords are the values allowed of an attribute.
func QuantWords(name string) []string {
	for _, a := range QuantAttributes() {
		if a.Name == name {
			return a.Words
		}
	}
	return nil
}

// QuantAttributeNames are the names of the attributes of a block.
func QuantAttributeNames(weight bool) []string {
	var names []string
	for _, a := range QuantAttributes() {
		if QuantDefault(a.Name, weight) != "" {
			names = append(names, a.Name)
		}
	}
	return names
}
