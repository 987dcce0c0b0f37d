package diag

import "slices"

// Code names a kind of diagnostic: QP1xx text, QP2xx meaning, QP3xx graph,
// QP4xx run, QP9xx a bug of ours.
type Code string

// Meaning is a row of the table of codes: what a code says, in one sentence.
type Meaning struct {
	Code Code
	Text string
}

// Meanings returns the table of all codes, in order.
func Meanings() []Meaning {
	all := slices.Concat(graphCodes, runCodes, fileCodes)
	slices.SortFunc(all, func(a, b Meaning) int {
		if a.Code < b.Code {
			return -1
		}
		return 1
	})
	return all
}

// Codes of interp/graph: the stage graph and the networks.
const (
	SelectsNothing     Code = "QP300"
	AbsorbedTwice      Code = "QP301"
	NoBN               Code = "QP302"
	ModelMisfit        Code = "QP303"
	ClassCount         Code = "QP304"
	BadData            Code = "QP305"
	TooLate            Code = "QP306"
	BadConversion      Code = "QP307"
	BadDType           Code = "QP308"
	NotConvertible     Code = "QP309"
	CheckpointMismatch Code = "QP310"
	LeftForConversion  Code = "QP311"
	StageCycle         Code = "QP312"
	DataDiffer         Code = "QP313"
	BadPart            Code = "QP314"
)

var graphCodes = []Meaning{
	{SelectsNothing, "A module selector matches no node of the network."},
	{AbsorbedTwice, "The same BN is absorbed twice."},
	{NoBN, "A callback that acts on BN selects none."},
	{ModelMisfit, "The model cannot be built with these arguments for this data."},
	{ClassCount, "The model's number of outputs does not fit the data set's classes."},
	{BadData, "A data set or transform cannot work with its arguments."},
	{TooLate, "A schedule's first point lies past the end of training."},
	{BadConversion, "A converter cannot do its work on the model as it is there."},
	{BadDType, "A node cannot have the data type that its qconfig says."},
	{NotConvertible, "A node keeps the model from being converted to int8."},
	{CheckpointMismatch, "A checkpoint does not fit the model that loads it."},
	{LeftForConversion, "A BN is absorbed by the conversion only, not during training."},
	{StageCycle, "Stages depend on each other in a circle."},
	{DataDiffer, "The training and the validation data of a stage differ in shape or classes."},
	{BadPart, "A part refuses its arguments."},
}

// Codes of interp/exec and interp/stage: a run.
const (
	StageFailed     Code = "QP400"
	DataUnreadable  Code = "QP401"
	NothingToResume Code = "QP402"
	CannotLoad      Code = "QP403"
	ConditionFailed Code = "QP404"
	UnknownStage    Code = "QP405"
	FellBack        Code = "QP406"
	CannotResume    Code = "QP407"
	CannotConvert   Code = "QP408"
	Bug             Code = "QP900"
)

var runCodes = []Meaning{
	{StageFailed, "A stage stopped while it trained, calibrated or validated."},
	{DataUnreadable, "The files of a data set cannot be read."},
	{NothingToResume, "There is no interrupted run or no checkpoint to continue from."},
	{CannotLoad, "A checkpoint cannot be loaded into the model."},
	{ConditionFailed, "A precondition or an assertion does not hold."},
	{UnknownStage, "No stage has the name that the command line gives."},
	{FellBack, "A damaged checkpoint was passed over for an older one."},
	{CannotResume, "A checkpoint does not belong to the stage that should continue from it."},
	{CannotConvert, "A converter failed on the model's parameters."},
	{Bug, "qpipe itself failed; this is a bug worth a report."},
}

// Codes of interp/artifact: files.
const (
	Damaged       Code = "QP450"
	FormatVersion Code = "QP451"
	NotCheckpoint Code = "QP452"
	Locked        Code = "QP453"
	Unwritable    Code = "QP454"
	Unreadable    Code = "QP455"
)

var fileCodes = []Meaning{
	{Damaged, "A file is damaged: cut short, changed, or not what its hash says."},
	{FormatVersion, "A file has a format version that this program does not know."},
	{NotCheckpoint, "A file is not a checkpoint of qpipe."},
	{Locked, "Another run is writing into the same folder."},
	{Unwritable, "A file or folder cannot be written."},
	{Unreadable, "A file cannot be opened or read."},
}
