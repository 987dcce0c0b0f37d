package part

import "qpipe/lang/program"

// These types belong to the language (lang/program). Rows of the catalogue need them, and
// parts import this package, not the language, so they have names here.
type (
	// Need says whether a part takes a meta-argument.
	Need = program.Need
	// Form says what a model computes with: float, calibration, qat or quantized.
	Form = program.Form
	// Call names a part and holds its arguments.
	Call = program.Call
	// Length is the length of a training in steps and epochs.
	Length = program.Length
)

// The constants that rows of the catalogue need.
const (
	NotTaken = program.NotTaken
	Optional = program.Optional
	Required = program.Required

	MostImages = program.MostImages
	MostEpochs = program.MostEpochs
	MostSteps  = program.MostSteps

	AnyForm         = program.AnyForm
	FloatForm       = program.Float
	CalibrationForm = program.Calibration
	QATForm         = program.QAT
	QuantizedForm   = program.Quantized
)
