package stage

import "qpipe/lang/program"

// Need, Form and Call are program's, for the rows of the catalogue: parts see
// the sockets and not the language.
type (
	Need = program.Need
	Form = program.Form
	Call = program.Call
)

// The values that rows are written with.
const (
	NotTaken = program.NotTaken
	Optional = program.Optional
	Required = program.Required

	AnyForm         = program.AnyForm
	FloatForm       = program.Float
	CalibrationForm = program.Calibration
	QATForm         = program.QAT
	QuantizedForm   = program.Quantized
)
