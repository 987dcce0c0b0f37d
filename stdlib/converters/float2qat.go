package converters

import (
	"qpipe/interp/part"
	"qpipe/ops/nn"
)

// FormArgs are the arguments of the converters that change the model's form:
// they have none.
type FormArgs struct{}

// prepare sets the quantization configuration and changes the form. Fusing is
// part of it: under fuse_bn every BN is folded.
type prepare struct{ to nn.Form }

// NewFloat2Calibration returns the converter from the float form to the one that
// observes ranges without quantizing.
func NewFloat2Calibration(FormArgs) (part.Converter, error) { return prepare{nn.Calibration}, nil }

// NewFloat2QAT returns the converter from the float form to the one that trains
// with fake quantization.
func NewFloat2QAT(FormArgs) (part.Converter, error) { return prepare{nn.QAT}, nil }

// Convert implements part.Converter.
func (p prepare) Convert(c *part.Conversion) error {
	if err := c.Configure(); err != nil {
		return err
	}
	return c.Model.Prepare(p.to, c.Mode)
}
