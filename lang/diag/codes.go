package diag

// Code names a kind of diagnostic: QP1xx text, QP2xx meaning, QP3xx graph,
// QP4xx run, QP9xx a bug of ours.
type Code string

// Text: the files, their syntax and the one-line notations.
const (
	FileUnreadable  Code = "QP100"
	NoFiles         Code = "QP101"
	FileTooLarge    Code = "QP102"
	TooDeep         Code = "QP103"
	BadCharacter    Code = "QP104"
	BadSyntax       Code = "QP105"
	Unclosed        Code = "QP106"
	AttributeTwice  Code = "QP107"
	FileUnwritable  Code = "QP108"
	BadSchedule     Code = "QP110"
	BadSelector     Code = "QP111"
	BadVersionRange Code = "QP112"
)

// Meaning: names, types, values, and the rules between blocks.
const (
	UnknownBlock      Code = "QP200"
	UnknownAttribute  Code = "QP201"
	UnknownType       Code = "QP202"
	UnknownReference  Code = "QP203"
	WrongType         Code = "QP204"
	BadValue          Code = "QP205"
	MissingAttribute  Code = "QP206"
	MissingBlock      Code = "QP207"
	DuplicateName     Code = "QP208"
	DuplicateBlock    Code = "QP209"
	BadLabel          Code = "QP210"
	EvaluationFailed  Code = "QP211"
	UnknownFunction   Code = "QP212"
	NotKnownYet       Code = "QP213"
	LocalCycle        Code = "QP214"
	ValueTooLarge     Code = "QP215"
	BadDynamic        Code = "QP216"
	NoValue           Code = "QP220"
	UndeclaredVar     Code = "QP221"
	VariableInvalid   Code = "QP222"
	BadVariableType   Code = "QP223"
	VersionMismatch   Code = "QP224"
	ConditionFalse    Code = "QP225"
	BadVarFile        Code = "QP226"
	TwoSolvers        Code = "QP230"
	StageCycle        Code = "QP231"
	NothingToAbsorb   Code = "QP232"
	ConverterOrder    Code = "QP233"
	QATModeMismatch   Code = "QP234"
	QATModeDiffers    Code = "QP235"
	ResumeMismatch    Code = "QP236"
	NoCheckpoint      Code = "QP237"
	NeverFires        Code = "QP238"
	MetaArgument      Code = "QP239"
	MissingData       Code = "QP240"
	NoMetrics         Code = "QP241"
	NoQConfig         Code = "QP242"
	EpochsOrSteps     Code = "QP243"
	BadResult         Code = "QP244"
	NoFloatCheckpoint Code = "QP260"
	AbsorptionJumps   Code = "QP261"
	AveragedAbsorbed  Code = "QP262"
	StageUnread       Code = "QP263"
	LargerLR          Code = "QP264"
	Unused            Code = "QP265"
	DataUnused        Code = "QP266"
	CallbackIdle      Code = "QP267"
)

// Meaning is a code with its one-sentence explanation.
type Meaning struct {
	Code Code
	Text string
}

// languageMeanings is the table of the codes that the language produces, in order.
func languageMeanings() []Meaning {
	return []Meaning{
		{FileUnreadable, "a file or folder cannot be read"},
		{NoFiles, "the folder holds no .hcl file"},
		{FileTooLarge, "a file is larger than a pipeline may be"},
		{TooDeep, "blocks or expressions are nested too deep"},
		{BadCharacter, "a character or encoding that cannot stand here"},
		{BadSyntax, "the text is not HCL"},
		{Unclosed, "a block, bracket or string is not closed"},
		{AttributeTwice, "an attribute is given twice in one block"},
		{FileUnwritable, "a formatted file cannot be written"},
		{BadSchedule, "`when` is not a schedule"},
		{BadSelector, "the text is not a module selector"},
		{BadVersionRange, "`required_version` is not a version constraint"},

		{UnknownBlock, "a block of this type cannot stand here"},
		{UnknownAttribute, "the block has no attribute of this name"},
		{UnknownType, "no part is registered under this name"},
		{UnknownReference, "the reference names nothing that exists"},
		{WrongType, "the value has the wrong type"},
		{BadValue, "the value is not allowed"},
		{MissingAttribute, "a required attribute is missing"},
		{MissingBlock, "a required block is missing"},
		{DuplicateName, "two blocks have the same name"},
		{DuplicateBlock, "a block that may stand once stands twice"},
		{BadLabel, "a block's labels are wrong in number or form"},
		{EvaluationFailed, "an expression cannot be evaluated"},
		{UnknownFunction, "there is no function of this name"},
		{NotKnownYet, "a value that only the run will know stands where it is needed before"},
		{LocalCycle, "local values refer to each other in a circle"},
		{ValueTooLarge, "an expression makes more or larger values than allowed"},
		{BadDynamic, "a dynamic block cannot be expanded"},
		{NoValue, "a variable has no value"},
		{UndeclaredVar, "a value is given for a variable that is not declared"},
		{VariableInvalid, "a variable's value fails its validation"},
		{BadVariableType, "`type` is not a type constraint"},
		{VersionMismatch, "the pipeline needs another version of the program"},
		{ConditionFalse, "a condition is false before anything has run"},
		{BadVarFile, "a file of variable values holds something else"},
		{TwoSolvers, "a stage has both a trainer and a calibrator"},
		{StageCycle, "stages depend on each other in a circle"},
		{NothingToAbsorb, "a callback absorbs BatchNorms where there are none to absorb"},
		{ConverterOrder, "the converters stand in an order that cannot work"},
		{QATModeMismatch, "two stages' qat_mode give their checkpoints different tensors"},
		{QATModeDiffers, "two stages' qat_mode differ, with the same tensors"},
		{ResumeMismatch, "epoch or step cannot be resumed without the optimizer"},
		{NoCheckpoint, "the stage does not write the checkpoint referred to"},
		{NeverFires, "the schedule lies at or past the end of training"},
		{MetaArgument, "a callback lacks a meta-argument, or has one that it does not take"},
		{MissingData, "a stage has no data to work on"},
		{NoMetrics, "the stage referred to measures no such metric"},
		{NoQConfig, "a stage quantizes without a qconfig"},
		{EpochsOrSteps, "a trainer needs either num_epochs or num_steps"},
		{BadResult, "a value that was known only after the run does not fit"},
		{NoFloatCheckpoint, "warning: fuse_bn trains without a converged float checkpoint"},
		{AbsorptionJumps, "warning: absorbing during training changes the output"},
		{AveragedAbsorbed, "warning: weight averaging together with absorption"},
		{StageUnread, "warning: nothing reads what the stage leaves"},
		{LargerLR, "warning: the learning rate is larger in QAT than in float"},
		{Unused, "warning: a declared name is never used"},
		{DataUnused, "warning: a data set is given that the stage does not read"},
		{CallbackIdle, "warning: the callback never acts"},
	}
}
