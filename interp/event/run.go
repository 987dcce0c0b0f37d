package event

// Events of a run outside of its stages. Message is a sentence for people.

// Run says why a stage runs.
type Run struct {
	Message string `json:"message"`
	Reason  string `json:"reason"`
}

// Kind implements Data.
func (Run) Kind() string { return "stage_run" }

// Skip says why a stage is up to date.
type Skip struct {
	Message string `json:"message"`
	Reason  string `json:"reason"`
}

// Kind implements Data.
func (Skip) Kind() string { return "stage_skip" }

// Load says what a LoadCheckpoint has done.
type Load struct {
	Checkpoint string   `json:"checkpoint"`
	Message    string   `json:"message"`
	Missed     []string `json:"missed"`  // tensors of the model that the file lacks
	Of         int      `json:"of"`      // how many the model has
	Passed     []string `json:"passed"`  // tensors of the file that the model lacks
	Tensors    int      `json:"tensors"` // how many were loaded
}

// Kind implements Data.
func (Load) Kind() string { return "load" }

// Write says that a checkpoint or model is about to be written.
type Write struct {
	Bytes  int64  `json:"bytes"`
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// Kind implements Data.
func (Write) Kind() string { return "write" }

// Proof says how a conversion to int8 compares with the trained model.
type Proof struct {
	Message string `json:"message"`
	Proof   any    `json:"proof"` // a *runs.Proof
}

// Kind implements Data.
func (Proof) Kind() string { return "int8_proof" }

// Model says that an integer model was written.
type Model struct {
	Codes   string `json:"kind"` // by its codes: int8 model, int4 model, …
	Message string `json:"message"`
	Storage string `json:"storage"` // what a reader of its tensors must know, or empty
}

// Kind implements Data.
func (Model) Kind() string { return "model" }

// Export says that an exporter has written its files.
type Export struct {
	Exporter string   `json:"exporter"`
	Files    []string `json:"files"` // in the stage's folder
	Message  string   `json:"message"`
}

// Kind implements Data.
func (Export) Kind() string { return "export" }

// Warning is something that the user should know about the stage or the run.
type Warning struct {
	Code    string `json:"code"`
	Detail  string `json:"detail"`
	Message string `json:"message"`
}

// Kind implements Data.
func (Warning) Kind() string { return "warning" }

// Fallback says that a damaged checkpoint was skipped, or that there was none.
type Fallback struct {
	Checkpoint string `json:"checkpoint,omitempty"` // the one used instead
	Error      string `json:"error,omitempty"`
	Message    string `json:"message"`
}

// Kind implements Data.
func (Fallback) Kind() string { return "fallback" }

// Restore says that the result from before a failed attempt was restored.
type Restore struct {
	Message string `json:"message"`
	Reason  string `json:"reason"`
}

// Kind implements Data.
func (Restore) Kind() string { return "restore" }

// Failed says that the stage failed.
type Failed struct {
	Code    string `json:"code"`
	Error   string `json:"error"`
	Message string `json:"message"`
	Stack   string `json:"stack,omitempty"` // of the code of a part that has panicked
}

// Kind implements Data.
func (Failed) Kind() string { return "stage_failed" }

// NotRun says that a stage did not run because one that it needs failed or was interrupted.
type NotRun struct {
	Message string `json:"message"`
	Reason  string `json:"reason"`
}

// Kind implements Data.
func (NotRun) Kind() string { return "stage_not_run" }

// Entry has the stage's entry of the manifest, each time that it changes: a lost manifest is rebuilt from these.
type Entry struct {
	Entry any `json:"entry"` // a *runs.StageEntry
}

// Kind implements Data.
func (Entry) Kind() string { return "stage_entry" }

// Output is the value of an output block.
type Output struct {
	Message string `json:"message"`
	Name    string `json:"name"`
	Value   any    `json:"value"`
}

// Kind implements Data.
func (Output) Kind() string { return "output" }
