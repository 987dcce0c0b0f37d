// Package event is what happens in a run, as it is logged and shown.
package event

// Event is a line of events.jsonl and what a progress display is fed with. Data
// holds JSON-able values.
type Event struct {
	Kind  string         `json:"event"` // see the constants
	Stage string         `json:"stage,omitempty"`
	Epoch int            `json:"epoch"`
	Step  int            `json:"step"`
	Data  map[string]any `json:"data,omitempty"`
}

// The kinds of events that a job emits. Progress comes at most ten times a
// second, for displays; it is not logged.
const (
	Start      = "stage_start" // total_steps, steps_per_epoch, train_images, val_images
	Progress   = "progress"    // phase (train|calibrate|validate|prove), done, total, rate (images/s), eta (s), loss, lr
	Epoch      = "epoch"       // loss, lr, images_per_second, metrics
	Validation = "validation"  // metrics, images
	Absorb     = "absorb"      // an Absorption
	Freeze     = "freeze_bn"   // modules
	Checkpoint = "checkpoint"  // name
	Resume     = "resume"      // scenario, from epoch and step
	Interrupt  = "interrupted" //
	End        = "stage_end"   // metrics, seconds
)
