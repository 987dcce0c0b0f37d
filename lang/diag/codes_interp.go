package diag

// Graph: the networks of the stages, and what passes between them. The codes that only a rule
// reports are in the rules of interp/graph.
const (
	SelectsNothing     Code = "QP300"
	AbsorbedTwice      Code = "QP301"
	SelectsNoBN        Code = "QP302"
	ModelMisfit        Code = "QP303"
	ClassCount         Code = "QP304"
	BadData            Code = "QP305"
	BadConversion      Code = "QP307"
	BadDType           Code = "QP308"
	NotConvertible     Code = "QP309"
	CheckpointMismatch Code = "QP310"
	BadPart            Code = "QP313"
	NoRange            Code = "QP318"
	TrainedOtherwise   Code = "QP320"
)

// Graph: stages that continue from another one's checkpoint, and what they compare by.
const (
	SchedulePassed Code = "QP331"
	NothingLeft    Code = "QP332"
	RateJumps      Code = "QP333"
	NoEffect       Code = "QP334"
	OtherValues    Code = "QP335"
	AveragedBest   Code = "QP336"
	TooMuchMemory  Code = "QP340"
	TooMuchWork    Code = "QP342"
	NoStage        Code = "QP341"
)

// Run: stages, resuming, conditions.
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
	UnequalIntegers Code = "QP409"
	NotFinite       Code = "QP410"
	CannotExport    Code = "QP411"
)

// Evaluation of a file: `qpipe eval`.
const (
	OtherData   Code = "QP420"
	OtherLabels Code = "QP421"
)

// Run: what a stage's result makes doubtful.
const (
	AtChance   Code = "QP430"
	BestLost   Code = "QP431"
	AllIgnored Code = "QP432"
	LeftOut    Code = "QP433"
)

// Files that outlive a run.
const (
	Damaged       Code = "QP450"
	UnknownFormat Code = "QP451"
	NotCheckpoint Code = "QP452"
	Locked        Code = "QP453"
	Unwritable    Code = "QP454"
	Unreadable    Code = "QP455"
	Foreign       Code = "QP456"
	OtherPipeline Code = "QP457"
	LogDamaged    Code = "QP458"
)

// Bug is qpipe's own failure.
const Bug Code = "QP900"

// interpreterMeanings is the table of the codes that the interpreter produces, those of rules excepted.
func interpreterMeanings() []Meaning {
	return []Meaning{
		{SelectsNothing, "a module selector matches no node of the network"},
		{AbsorbedTwice, "the same BN is absorbed twice"},
		{SelectsNoBN, "a callback that acts on BN selects none"},
		{ModelMisfit, "the model cannot be built with these arguments for this data"},
		{ClassCount, "the model's number of outputs does not fit the data set's classes"},
		{BadData, "a data set or transform cannot work with its arguments"},
		{BadConversion, "a converter cannot do its work on the model as it is there"},
		{BadDType, "a node cannot have the data type that its qconfig says"},
		{NotConvertible, "a node keeps the model from being converted to int8"},
		{CheckpointMismatch, "a checkpoint does not fit the model that loads it"},
		{BadPart, "a part refuses its arguments, or is not as parts of its kind must be"},
		{NoRange, "nodes have no range to be quantized with: nothing has observed them"},
		{TrainedOtherwise, "a checkpoint was trained with another quantization than that of the stage that loads it"},

		{NoStage, "a pipeline has no stage: there is nothing to run (for `validate` and `graph` a warning)"},
		{TooMuchWork, "the stages have more nodes, converters and selectors all together than are looked at"},

		{StageFailed, "a stage stopped while it trained, calibrated or validated"},
		{DataUnreadable, "the files of a data set cannot be read"},
		{NothingToResume, "there is no interrupted run, or no checkpoint, to continue from"},
		{CannotLoad, "a checkpoint cannot be loaded into the model"},
		{ConditionFailed, "a precondition or an assertion does not hold"},
		{UnknownStage, "no stage has the name that the command line gives"},
		{FellBack, "warning: a damaged checkpoint was passed over for another one"},
		{CannotResume, "a checkpoint does not belong to the stage that should continue from it"},
		{CannotConvert, "a converter failed on the model's parameters"},
		{UnequalIntegers, "an int8 model does not compute the integers of the model that was trained"},
		{NotFinite, "the value of an output holds a number that is not finite"},
		{CannotExport, "an exporter cannot write the stage's model, or failed on it"},

		{OtherData, "a model is evaluated on images or classes that it was not made for"},
		{OtherLabels, "warning: a model is evaluated on classes of other names or number"},

		{AtChance, "warning: a stage ends with a model that is no better than guessing"},
		{BestLost, "warning: the best checkpoint so far is not there, so the best is chosen from here on"},
		{AllIgnored, "warning: every label of a pass over the data is ignored"},
		{LeftOut, "warning: samples of a data set are left out because their files cannot be read"},

		{Damaged, "a file is damaged: cut short, changed, or not what its hash says"},
		{UnknownFormat, "a file has a format version that this program does not know"},
		{NotCheckpoint, "a file is not a checkpoint of qpipe"},
		{Locked, "another run is writing into the same folder"},
		{Unwritable, "a file or folder cannot be written"},
		{Unreadable, "a file cannot be opened or read"},
		{Foreign, "a file that is not the run's lies where the run writes one"},
		{OtherPipeline, "a run's folder is that of another pipeline"},
		{LogDamaged, "a log of a run was damaged, changed or removed"},

		{Bug, "qpipe itself failed"},
	}
}
