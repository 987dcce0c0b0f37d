// Package program is the contract between the language and the interpreter: it defines a checked pipeline as plain Go
// values with their source ranges. lang/check builds it from text, interp reads it and never sees HCL. Values are
// immutable once returned; the package decides nothing and runs nothing.
package program

import (
	"path/filepath"
	"strings"

	"qpipe/lang/diag"
)

// Program is a pipeline whose every name, type and reference has been checked.
// Blocks are in the order in which they are written.
type Program struct {
	Name     string   // default name of the run: the file's or folder's base name without .hcl
	Dir      string   // the folder of the file, against which relative paths are resolved
	Files    []string // as named on the command line, or found in the folder
	Folder   bool     // the command line named a folder
	SHA256   string   // of their texts
	Settings Settings
	Datasets []*Dataset
	Models   []*Model
	QConfigs []*QConfig
	Stages   []*Stage
	Outputs  []*Output
	Faulty   bool // mistakes have been reported: it may be checked further, but not run
}

// Path is where a path of the pipeline's text lies: relative ones begin at the pipeline's folder.
func (p *Program) Path(path string) string {
	path = filepath.FromSlash(path)
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(p.Dir, path)
}

// Settings is the `qpipe {}` block with its defaults.
type Settings struct {
	RequiredVersion string
	Seed            int64
	Threads         int // 0: as many as there are cores
	Origin          Origin
}

// Origin is where a block came from.
type Origin struct {
	Address string                // `stage.qat.callback.FuseBN[0]`
	Header  diag.Range            // the block's type and labels
	Attrs   map[string]diag.Range // attribute → range of its value; for a block inside, "layer[1]" → its type and labels
	Names   map[string]diag.Range // attribute → range of its name
}

// At returns the range of the value of an attribute, "lr" or "layer[1].width". For a missing attribute it is the header
// of the block that would contain it.
func (o Origin) At(attr string) diag.Range {
	for {
		if r, ok := o.Attrs[attr]; ok {
			return r
		}
		i := strings.LastIndexByte(attr, '.')
		if i < 0 {
			return o.Header
		}
		attr = attr[:i]
	}
}

// Call is a part with its arguments: a block whose label is a registered type.
type Call struct {
	Kind   Kind
	Type   string // the label, such as "SGD"
	Args   any    // the Args value (not a pointer) of the part's signature
	Refs   []Ref  // what its arguments refer to
	Faulty bool   // mistakes in its arguments have been reported
	Origin Origin
}

// Ref is a reference to a stage's result, an edge of the stage graph.
type Ref struct {
	Stage string     // the stage referred to
	What  string     // "checkpoint.best", "checkpoint.last", "metrics.accuracy", or "" for depends_on
	Attr  string     // the attribute that holds the reference
	Range diag.Range // the traversal
}

// Checkpoint is the type of an argument that names a checkpoint: either that of
// a stage (`stage.float.checkpoint.best`) or a file on disk.
type Checkpoint struct {
	Stage string `json:"stage,omitempty"`
	Which string `json:"which,omitempty"` // "best", "last" or "int8"
	Path  string `json:"path,omitempty"`  // as written, relative to the pipeline's folder
}

// Int8 is the Which of the int8 model that a stage leaves.
const Int8 = "int8"

// Dataset is `dataset "Type" "name"` with its transforms in written order.
type Dataset struct {
	Call
	Name       string
	Transforms []Call
}

// Model is `model "Type" "name"`.
type Model struct {
	Call
	Name string
}

// QConfig is `qconfig "name"`.
type QConfig struct {
	Name       string     `input:"-"`
	Target     string     `input:"target,nonzero"` // "tensorrt", "onnxruntime", "tflite"; "" for "horizon", the default
	Activation Quant      `input:"activation"`
	Weight     Quant      `input:"weight"`
	Overrides  []Override `input:"override"`
	Origin     Origin     `input:"-"`
}

// Override corresponds to a submodule's own set_qconfig: the attributes that its blocks contain (Origin.Attrs of each)
// replace those that apply to the node so far. If several overrides match a node, the last one wins for each attribute.
type Override struct {
	Selector   Selector `input:""`
	Activation *Quant   `input:"activation,written"` // nil if the override does not change it
	Weight     *Quant   `input:"weight,written"`
	Origin     Origin   `input:"-"`
	General    bool     `input:"-"` // the qconfig {} of a definition: it holds for all that is below an instance, and does not name nodes
}

// Quant is an `activation {}` or `weight {}` block with its defaults filled in; in an override, missing attributes come
// from the qconfig around it.
type Quant struct {
	DType      string `input:"dtype"`      // "float32", "int4", "int8", "int16", "uint8"
	Scheme     string `input:"scheme"`     // "symmetric" or "affine"
	ScaleRule  string `input:"scale_rule"` // "max" or "half_range"
	Rounding   string `input:"rounding"`   // "half_even" or "half_up"
	PerChannel bool   `input:"per_channel"`
	Observer   Call   `input:"observer"` // Kind Observer; its arguments are in the same block
	Origin     Origin `input:"-"`
}

// Stage is one step of the flow.
type Stage struct {
	Name       string      `input:"-"`
	Model      *Model      `input:"model"`
	Train      *Dataset    `input:"train_data"` // nil when not given
	Val        *Dataset    `input:"val_data"`   // likewise
	DependsOn  []Ref       `input:"-"`
	Convert    *Convert    `input:""`        // nil without model_convert_pipeline
	Trainer    *Trainer    `input:"trainer"` // at most one of Trainer and Calibrator
	Calibrator *Calibrator `input:"calibrator"`
	Validation Validation  `input:"validation"`
	Callbacks  []Callback  `input:"callback"`
	Exports    []Call      `input:"export"`
	Conditions []Condition `input:"-"`
	Proof      int         `input:"proof_images"` // images on which QAT2Quantize is proved: 0 for DefaultProof, AllImages for all
	Origin     Origin      `input:"-"`
}

// On how many images a conversion to int8 is proved.
const (
	DefaultProof = 256
	AllImages    = -1
)

// Convert is `model_convert_pipeline {}`.
type Convert struct {
	QATMode    string     `input:"qat_mode"` // "fuse_bn", "with_bn", "with_bn_reverse_fold"
	QConfig    *QConfig   `input:"qconfig"`
	Own        []Override `input:"model_override"` // what the network's definitions say of their nodes; QConfig's overrides win
	Converters []Call     `input:"converter"`
	Origin     Origin     `input:"-"`
}

// Trainer is `trainer {}`. Exactly one of NumEpochs and NumSteps is positive.
type Trainer struct {
	NumEpochs         int     `input:"num_epochs"`
	NumSteps          int     `input:"num_steps"`
	BatchSize         int     `input:"batch_size"`
	DropLast          bool    `input:"drop_last"`
	ResumeOptimizer   bool    `input:"resume_optimizer"`
	ResumeEpochOrStep bool    `input:"resume_epoch_or_step"`
	Optimizer         Call    `input:"optimizer"`
	LRUpdater         *Call   `input:"lr_updater"` // nil: the rate stays
	Losses            []Judge `input:"loss,first"` // at least one; their sum is minimized
	Origin            Origin  `input:"-"`
}

// Judge is a loss or a metric: a part with its meta-arguments.
type Judge struct {
	Call   `input:""`
	Output string  `input:"output,nonzero"` // the output that it sees; "" for all
	Target string  `input:"target,nonzero"` // the target that it sees
	Weight float64 `input:"weight,nonzero"` // of a loss in the sum; 0 if it is not written, which means 1
}

// Calls are the parts of judges.
func Calls(judges []Judge) []Call {
	var calls []Call
	for _, j := range judges {
		calls = append(calls, j.Call)
	}
	return calls
}

// Calibrator is `calibrator {}`.
type Calibrator struct {
	NumSteps  int    `input:"num_steps"`
	BatchSize int    `input:"batch_size"`
	Origin    Origin `input:"-"`
}

// Validation is `validation {}`, or its defaults.
type Validation struct {
	BatchSize int     `input:"batch_size"`
	Metrics   []Judge `input:"metric"`
	Origin    Origin  `input:"-"`
}

// Callback is a part with its meta-arguments.
type Callback struct {
	Call    `input:""`
	When    *Schedule  `input:"when"`    // nil when not given
	Modules []Selector `input:"modules"` // nil when not given
}

// Output is `output "name"`.
type Output struct {
	Name        string
	Description string
	Value       Deferred
	Conditions  []Condition
	Refs        []Ref
	Origin      Origin
}

// Condition is a `precondition {}` or `assert {}` block.
type Condition struct {
	Kind    string // "precondition" or "assert"
	Holds   Deferred
	Message Deferred
	Refs    []Ref
	Origin  Origin
}

// Deferred is an expression whose value is known only after stages have run.
// The result is nil, bool, float64, string, []any or map[string]any.
type Deferred func(Results) (any, diag.List)

// Results answers a deferred expression's references.
type Results interface {
	Metric(stage, name string) (float64, bool)
	Checkpoint(stage, which string) (path string, ok bool)
}
