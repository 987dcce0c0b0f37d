package converters

import "qpipe/interp/part"

type quantize struct{}

// NewQAT2Quantize returns the converter from the QAT form to the int8 model. It absorbs the BNs that are left after
// training.
func NewQAT2Quantize(FormArgs) (part.Converter, error) { return quantize{}, nil }

// Convert implements part.Converter.
func (quantize) Convert(c *part.Conversion) error {
	g, err := c.Model.Convert()
	if err != nil {
		return err
	}
	c.Model = g
	return nil
}
