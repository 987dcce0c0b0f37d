package config

import "github.com/hashicorp/hcl/v2"

// Stage is the inside of `stage "name" {}`.
type Stage struct {
	Model         *hcl.Attribute `hcl:"model,optional"`
	TrainData     *hcl.Attribute `hcl:"train_data,optional"`
	ValData       *hcl.Attribute `hcl:"val_data,optional"`
	DependsOn     *hcl.Attribute `hcl:"depends_on,optional"`
	ProofImages   *hcl.Attribute `hcl:"proof_images,optional"`
	Convert       *Convert       `hcl:"model_convert_pipeline,block"`
	Trainer       *Trainer       `hcl:"trainer,block"`
	Calibrator    *Calibrator    `hcl:"calibrator,block"`
	Validation    *Validation    `hcl:"validation,block"`
	Callbacks     []*Callback    `hcl:"callback,block"`
	Exports       []*Part        `hcl:"export,block"`
	Preconditions []*Condition   `hcl:"precondition,block"`
	Asserts       []*Condition   `hcl:"assert,block"`
}

// Convert is `model_convert_pipeline {}`.
type Convert struct {
	QATMode    *hcl.Attribute `hcl:"qat_mode,optional"`
	QConfig    *hcl.Attribute `hcl:"qconfig,optional"`
	Converters []*Part        `hcl:"converter,block"`
	Header     hcl.Range      `hcl:",def_range"`
}

// Trainer is `trainer {}`.
type Trainer struct {
	NumEpochs         *hcl.Attribute `hcl:"num_epochs,optional"`
	NumSteps          *hcl.Attribute `hcl:"num_steps,optional"`
	BatchSize         *hcl.Attribute `hcl:"batch_size,optional"`
	DropLast          *hcl.Attribute `hcl:"drop_last,optional"`
	ResumeOptimizer   *hcl.Attribute `hcl:"resume_optimizer,optional"`
	ResumeEpochOrStep *hcl.Attribute `hcl:"resume_epoch_or_step,optional"`
	Optimizer         *Part          `hcl:"optimizer,block"`
	LRUpdater         *Part          `hcl:"lr_updater,block"`
	Losses            []*Loss        `hcl:"loss,block"`
	Header            hcl.Range      `hcl:",def_range"`
}

// Calibrator is `calibrator {}`.
type Calibrator struct {
	NumSteps  *hcl.Attribute `hcl:"num_steps,optional"`
	BatchSize *hcl.Attribute `hcl:"batch_size,optional"`
	Header    hcl.Range      `hcl:",def_range"`
}

// Validation is `validation {}` in a stage.
type Validation struct {
	BatchSize *hcl.Attribute `hcl:"batch_size,optional"`
	Metrics   []*Metric      `hcl:"metric,block"`
	Header    hcl.Range      `hcl:",def_range"`
}

// Loss is a part with meta-arguments.
type Loss struct {
	Type      string         `hcl:"type,label"`
	TypeRange hcl.Range      `hcl:"type,label_range"`
	Header    hcl.Range      `hcl:",def_range"`
	Output    *hcl.Attribute `hcl:"output,optional"`
	Target    *hcl.Attribute `hcl:"target,optional"`
	Weight    *hcl.Attribute `hcl:"weight,optional"`
	Rest      hcl.Body       `hcl:",remain"`
}

// Metric is a part with meta-arguments.
type Metric struct {
	Type      string         `hcl:"type,label"`
	TypeRange hcl.Range      `hcl:"type,label_range"`
	Header    hcl.Range      `hcl:",def_range"`
	Output    *hcl.Attribute `hcl:"output,optional"`
	Target    *hcl.Attribute `hcl:"target,optional"`
	Rest      hcl.Body       `hcl:",remain"`
}

// Callback is a part with meta-arguments.
type Callback struct {
	Type      string         `hcl:"type,label"`
	TypeRange hcl.Range      `hcl:"type,label_range"`
	Header    hcl.Range      `hcl:",def_range"`
	When      *hcl.Attribute `hcl:"when,optional"`
	Modules   *hcl.Attribute `hcl:"modules,optional"`
	Rest      hcl.Body       `hcl:",remain"`
}

// Part returns the callback without its meta-arguments.
func (c *Callback) Part() *Part {
	return &Part{Type: c.Type, TypeRange: c.TypeRange, Header: c.Header, Rest: c.Rest}
}
