package part

import "time"

// Recorder is a callback that writes what its stage measures into files that other programs read. The files belong to the
// run, like those of an [Exporter], and are up to date whenever a checkpoint is on disk, and at the end of the stage. To
// record steps it also implements [StepEnder], and calls [State.Note] there.
type Recorder interface {
	// Files names the files that Record writes: see [Exporter].
	Files() []string
	Record(r *Record) error
}

// Point is what was measured at one step of a stage.
type Point struct {
	Kind        string             // "step" (the batch's loss), "epoch" or "validation"
	Epoch, Step int                // completed
	Time        time.Time          // by the run's clock; the zero time if unknown
	LR          *float64           // of the last step; nil where nothing is trained
	Metrics     map[string]float64 // by name
}

// Record is what a [Recorder] gets. What it writes must depend on the points alone, so that a run that was killed and
// resumed has the same files as one that was not.
type Record struct {
	Stage  string
	Points []Point // everything that the stage has measured so far, in order
	// Write writes one of the Files into the stage's folder. If the file is the beginning of data, the rest is appended,
	// so that a program that follows the file can go on reading.
	Write func(name string, data []byte) error
}

// Recorded lets a recorder write.
func Recorded(x Recorder, r *Record) (err error) {
	defer Guard(&err, "Record")
	return x.Record(r)
}
