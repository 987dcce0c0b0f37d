package diag

// Code names a kind of diagnostic: QP1xx text, QP2xx meaning, QP3xx graph,
// QP4xx run, QP9xx a bug of ours. The codes that only a rule reports are in the
// rules' tables: those of lang/lint from QP230 on.
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

// Meaning: names, types, values, and what rules share with others.
const (
	UnknownBlock     Code = "QP200"
	UnknownAttribute Code = "QP201"
	UnknownType      Code = "QP202"
	UnknownReference Code = "QP203"
	WrongType        Code = "QP204"
	BadValue         Code = "QP205"
	MissingAttribute Code = "QP206"
	MissingBlock     Code = "QP207"
	DuplicateName    Code = "QP208"
	DuplicateBlock   Code = "QP209"
	BadLabel         Code = "QP210"
	EvaluationFailed Code = "QP211"
	UnknownFunction  Code = "QP212"
	NotKnownYet      Code = "QP213"
	LocalCycle       Code = "QP214"
	ValueTooLarge    Code = "QP215"
	BadDynamic       Code = "QP216"
	NoValue          Code = "QP220"
	UndeclaredVar    Code = "QP221"
	VariableInvalid  Code = "QP222"
	BadVariableType  Code = "QP223"
	VersionMismatch  Code = "QP224"
	ConditionFalse   Code = "QP225"
	BadVarFile       Code = "QP226"
	MetaArgument     Code = "QP239"
	MissingData      Code = "QP240"
	EpochsOrSteps    Code = "QP243"
	BadResult        Code = "QP244"
	UnreadLayer      Code = "QP245"
)

// Meaning is a code with its one-sentence explanation.
type Meaning struct {
	Code Code
	Text string
}

// languageMeanings is the table of the codes that the language produces, those of rules excepted.
func languageMeanings() []Meaning {
	return []Meaning{
		{FileUnreadable, "a file or folder cannot be read"},
		{NoFiles, "the folder holds no .hcl file"},
		{FileTooLarge, "a file is larger than a pipeline may be"},
		{TooDeep, "blocks or expressions are nested too deep"},
		{BadCharacter, "a character or encoding that is not allowed here"},
		{BadSyntax, "the text is not HCL"},
		{Unclosed, "a block, bracket or string is not closed"},
		{AttributeTwice, "an attribute is given twice in one block"},
		{FileUnwritable, "a formatted file cannot be written"},
		{BadSchedule, "`when` is not a schedule"},
		{BadSelector, "the text is not a module selector"},
		{BadVersionRange, "`required_version` is not a version constraint"},

		{UnknownBlock, "a block of this type is not allowed here"},
		{UnknownAttribute, "the block has no attribute of this name"},
		{UnknownType, "no part is registered under this name"},
		{UnknownReference, "the reference names nothing that exists"},
		{WrongType, "the value has the wrong type"},
		{BadValue, "the value is not allowed"},
		{MissingAttribute, "a required attribute is missing"},
		{MissingBlock, "a required block is missing"},
		{DuplicateName, "two blocks have the same name"},
		{DuplicateBlock, "a block that is allowed once is written twice"},
		{BadLabel, "a block's labels are wrong in number or form"},
		{EvaluationFailed, "an expression cannot be evaluated"},
		{UnknownFunction, "there is no function of this name"},
		{NotKnownYet, "a value that only the run will know is needed before it"},
		{LocalCycle, "local values, or data sets made of others, refer to each other in a circle"},
		{ValueTooLarge, "an expression makes more or larger values than allowed"},
		{BadDynamic, "a dynamic block cannot be expanded"},
		{NoValue, "a variable has no value"},
		{UndeclaredVar, "a value is given for a variable that is not declared"},
		{VariableInvalid, "a variable's value fails its validation"},
		{BadVariableType, "`type` is not a type constraint"},
		{VersionMismatch, "the pipeline needs another version of the program"},
		{ConditionFalse, "a condition is false before anything has run"},
		{BadVarFile, "a file of variable values holds something else"},
		{MetaArgument, "a callback lacks a meta-argument, or has one that it does not take"},
		{EpochsOrSteps, "a trainer needs either num_epochs or num_steps"},
		{BadResult, "a value that was known only after the run does not fit"},
		{UnreadLayer, "nothing reads a layer of a network"},
	}
}
