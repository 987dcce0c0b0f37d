// Package quant is the arithmetic of a quant node: which codes there are, which scale a range of values gets, how
// values and codes are converted. The loops over tensors are in ops/kernel; docs/numerics.md, "A quant node", is its
// specification.
package quant

// DType is the type of a quantized tensor's codes.
type DType uint8

// The types. Float32 means "not quantized".
const (
	Float32 DType = iota
	Int4
	Int8
	Int16
	UInt8
)

// Scheme says whether a quantization has a zero point.
type Scheme uint8

// The schemes.
const (
	Symmetric Scheme = iota
	Affine
)

// ScaleRule says what a symmetric scale divides the largest magnitude by.
type ScaleRule uint8

// The rules: MaxRule divides by qmax, HalfRange by (qmax-qmin)/2, which is what
// PyTorch and Horizon do.
const (
	MaxRule ScaleRule = iota
	HalfRange
)

// Rounding says how a quotient becomes an integer.
type Rounding uint8

// The roundings: ties to even (ONNX), or floor(x + 0.5) (Horizon's Bayes hardware).
const (
	HalfEven Rounding = iota
	HalfUp
)

// Spec is how one tensor is quantized.
type Spec struct {
	DType      DType     `json:"dtype"`
	Scheme     Scheme    `json:"scheme"`
	PerChannel bool      `json:"per_channel,omitempty"` // weights: one scale per output channel
	Narrow     bool      `json:"narrow,omitempty"`      // without the most negative code, as for weights
	Rule       ScaleRule `json:"scale_rule"`
	Rounding   Rounding  `json:"rounding"`
}

// Observer turns a batch into the range to quantize it with. It has no state: the quant node keeps the moving average
// over batches, with the observer's averaging constant c (0 is frozen after the first batch, 1 is only the current
// batch).
type Observer interface {
	// Range returns the range for the values x, whose extremes are lo and hi.
	Range(x []float32, lo, hi float32, s Spec) (float32, float32)
	Averaging() float32
	// Fixed reports whether the range is known without data.
	Fixed() bool
}
