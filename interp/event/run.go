package event

// The kinds of events that a run itself emits, besides those of its stages. All
// have a sentence for people under "message".
const (
	Skip     = "stage_skip"    // reason: the stage is up to date
	Run      = "stage_run"     // reason: why the stage runs
	Fallback = "fallback"      // checkpoint, error: a damaged one is passed over
	Restore  = "restore"       // the result from before a failed attempt is there again
	Load     = "load"          // checkpoint, tensors, of, missed, passed: what LoadCheckpoint has done
	Model    = "model"         // kind, storage: the integer model that was written
	Proof    = "int8_proof"    // an artifact.Proof
	Warning  = "warning"       // code, detail: what the user should know of the stage
	Failed   = "stage_failed"  // error
	NotRun   = "stage_not_run" // reason
	Output   = "output"        // name, value
	Write    = "write"         // name, sha256, bytes: a checkpoint is about to be written
)

// Entry is the event that has an entry of the manifest under "entry", each time that it
// changes: from these a lost manifest is made again.
const Entry = "stage_entry"
