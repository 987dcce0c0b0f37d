package program

// Kind is a shelf of parts; its text is what messages call such a part.
type Kind string

// The kinds, in the order in which the reference pages list them.
const (
	DatasetKind   Kind = "dataset"
	TransformKind Kind = "transform"
	ModelKind     Kind = "model"
	OptimizerKind Kind = "optimizer"
	LRUpdaterKind Kind = "lr_updater"
	LossKind      Kind = "loss"
	MetricKind    Kind = "metric"
	CallbackKind  Kind = "callback"
	ConverterKind Kind = "converter"
	ObserverKind  Kind = "observer"
	ExportKind    Kind = "export"
	LayerKind     Kind = "layer"
)

// Need says whether a part accepts a meta-argument.
type Need uint8

// The needs.
const (
	NotTaken Need = iota
	Optional
	Required
)

// Form is the form a model is in.
type Form string

// The forms, in the order of the flow. AnyForm means, in a signature, "the
// form the model is in".
const (
	AnyForm     Form = ""
	Float       Form = "float"
	Calibration Form = "calibration"
	QAT         Form = "qat"
	Quantized   Form = "quantized"
)

// Signature is what the language must know about a part to check a call of it.
//
// Args returns a fresh pointer to the part's Args struct, filled with the
// defaults. Its exported fields carry the tags
//
//	arg:"name"            required
//	arg:"name,optional"   may be left out
//	doc:"one sentence"    for the reference page
//	oneof:"a b c"         the only values allowed (strings)
//
// and have one of the types bool, int, int64, float64, string, []int, []float64,
// []string, map[string]string, [Checkpoint]. An Args type with a method
// Validate() error is asked after decoding; an [ArgError] it returns is placed
// at the attribute it names.
//
// A field is written as blocks with
//
//	arg:"head,block"      a pointer to a struct: one block `head {}`
//	arg:"layer,block"     a slice of structs: blocks `layer {}` in their order, at least one
//	arg:"kind,label"      of such a struct, a string: a label of the block
//
// and "optional" as well where it may be left out. The struct has tags and blocks of its own, may
// have a method Validate, and defaults by [Defaulter]. An argument inside is named by its path, as
// in `part.Bad("layer[1].width", …)`. An observer's arguments have no blocks.
//
// A list with "single" may be written as its only element: kernel_size = 3. A field of the type [Network] with
// "network" takes the blocks input, layer and output of the part's body; the arguments of a layer are those of a
// part of the kind [LayerKind].
type Signature struct {
	Kind          Kind
	Name          string
	Doc           string
	Args          func() any
	When, Modules Need // callbacks only
	From, To      Form // converters only: the form taken and the form given
}

// BNAbsorber is implemented by the Args of a callback that absorbs BN (FuseBN).
// KeepsScale reports whether the weight's scale stays as it was.
type BNAbsorber interface{ KeepsScale() bool }

// Weighted is implemented by the Args of a model that has weights of a training.
type Weighted interface{ BringsWeights() }

// BNFreezer is implemented by the Args of a callback after which BNs keep their running
// statistics (FreezeBN).
type BNFreezer interface{ FreezesBN() }

// MetricRecorder is implemented by the Args of a callback that writes down what is measured, also where nothing is trained
// (TensorBoard).
type MetricRecorder interface{ RecordsMetrics() }

// BestKeeper is implemented by the Args of a callback that writes checkpoints
// (Checkpoint); KeepsBest reports whether "best" is among them.
type BestKeeper interface{ KeepsBest() bool }

// Numberer is implemented by the Args of a callback that writes checkpoints under names of its own; Numbers reports
// whether it may write one with that name in a stage of that length; a length of 0 is unknown.
type Numberer interface {
	Numbers(name string, of Length) bool
}

// Monitor is implemented by the Args of a callback that watches a metric;
// Monitors returns its name, "" for none.
type Monitor interface{ Monitors() string }

// Director is a Monitor that may say which direction of the metric is better: "max",
// "min", or "" to follow the metric.
type Director interface {
	Monitor
	Direction() string
}

// WeightAverager is implemented by the Args of a callback that evaluates with
// averaged weights (ExponentialMovingAverage).
type WeightAverager interface{ AveragesWeights() }

// Signatures answers the language's questions about parts; the catalogue
// satisfies it. Names returns a kind's names in sorted order.
type Signatures interface {
	Signature(k Kind, name string) (Signature, bool)
	Names(k Kind) []string
}

// ArgError is an error about the value of one argument.
type ArgError struct {
	Attr string // the argument's name
	Err  error
}

// Error returns the message; the attribute is added where the message is placed.
func (e *ArgError) Error() string { return e.Attr + ": " + e.Err.Error() }

// Unwrap returns the message without the attribute.
func (e *ArgError) Unwrap() error { return e.Err }
