package part

import "qpipe/lang/program"

// What rows of the catalogue are written with is the language's, under names of
// this room: parts see the sockets and not the language.
type (
	// Need says whether a part takes a meta-argument.
	Need = program.Need
	// Form is the life a model is in.
	Form = program.Form
	// Call is a part with its arguments.
	Call = program.Call
	// Length is the extent of a training run.
	Length = program.Length
)

// The values that rows are written with.
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
