package event

import "qpipe/interp/number"

// Events of a stage.

// Start says that the stage's data and model are ready.
type Start struct {
	StepsPerEpoch int `json:"steps_per_epoch"`
	TotalSteps    int `json:"total_steps"`
	TrainImages   int `json:"train_images,omitempty"`
	ValImages     int `json:"val_images,omitempty"`
}

// Kind implements Data.
func (Start) Kind() string { return "stage_start" }

// Resume says from which checkpoint a stage continues.
type Resume struct {
	CheckpointEpoch int          `json:"checkpoint_epoch"`
	CheckpointStep  int          `json:"checkpoint_step"`
	LR              number.Float `json:"lr"`
	Scenario        string       `json:"scenario"` // "full" or "optimizer"
	StepsLeft       int          `json:"steps_left"`
}

// Kind implements Data.
func (Resume) Kind() string { return "resume" }

// Progress comes at most ten times a second, for displays; it is not logged.
type Progress struct {
	Done  int           `json:"done"`
	ETA   *number.Float `json:"eta,omitempty"`  // seconds
	Loss  *number.Float `json:"loss,omitempty"` // of the batch
	LR    *number.Float `json:"lr,omitempty"`
	Phase string        `json:"phase"`          // train, calibrate, validate or prove
	Rate  number.Float  `json:"rate,omitempty"` // images per second
	Total int           `json:"total"`
}

// Kind implements Data.
func (Progress) Kind() string { return "progress" }

// Speed sets the rate, and from it the time that is left; 0 means unknown.
func (p *Progress) Speed(rate, left float64) {
	if rate > 0 {
		p.Rate, p.ETA = number.Float(rate), new(number.Float(left/rate))
	}
}

// After is the progress of a phase after so many seconds.
func After(phase string, done, total int, seconds float64) Progress {
	p := Progress{Phase: phase, Done: done, Total: total}
	if seconds > 0 {
		p.Speed(float64(done)/seconds, float64(total-done))
	}
	return p
}

// Step has what one training step measured, if a callback records it.
type Step struct {
	LR      *number.Float `json:"lr"`
	Metrics number.Map    `json:"metrics"` // the batch's loss
}

// Kind implements Data.
func (Step) Kind() string { return "step" }

// Validation has what a validation pass measured.
type Validation struct {
	Images  int        `json:"images"`
	Metrics number.Map `json:"metrics"`
}

// Kind implements Data.
func (Validation) Kind() string { return "validation" }

// Epoch says that an epoch is complete.
type Epoch struct {
	Rate    number.Float  `json:"images_per_second,omitempty"`
	Loss    *number.Float `json:"loss,omitempty"` // the mean over the epoch's images
	LR      *number.Float `json:"lr,omitempty"`   // of the last step
	Metrics number.Map    `json:"metrics"`        // what is known about the current weights
}

// Kind implements Data.
func (Epoch) Kind() string { return "epoch" }

// Absorb is the receipt of an absorbed BN.
type Absorb struct {
	BN          string       `json:"bn"`
	Changed     int          `json:"changed"` // integers of the output that changed
	Epoch       int          `json:"epoch"`
	Integers    int          `json:"integers"` // integers that the output has
	MaxChange   number.Float `json:"max_change"`
	MaxSteps    number.Float `json:"max_steps"`
	Module      string       `json:"module"`
	QATMode     string       `json:"qat_mode"`
	Step        int          `json:"step"`
	WeightScale string       `json:"weight_scale"` // "keep" or "recompute"
}

// Kind implements Data.
func (Absorb) Kind() string { return "absorb" }

// Freeze says which nodes' BNs were frozen.
type Freeze struct {
	Modules []string `json:"modules"`
}

// Kind implements Data.
func (Freeze) Kind() string { return "freeze_bn" }

// Checkpoint says that a checkpoint is on disk.
type Checkpoint struct {
	From string `json:"from,omitempty"` // the stage whose best checkpoint was passed on
	Name string `json:"name"`
}

// Kind implements Data.
func (Checkpoint) Kind() string { return "checkpoint" }

// Interrupt says that the stage stopped after a step, with a checkpoint.
type Interrupt struct{}

// Kind implements Data.
func (Interrupt) Kind() string { return "interrupted" }

// End says that the stage is complete.
type End struct {
	Metrics number.Map   `json:"metrics"`
	Seconds number.Float `json:"seconds"`
}

// Kind implements Data.
func (End) Kind() string { return "stage_end" }
