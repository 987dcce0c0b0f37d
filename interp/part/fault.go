package part

import "qpipe/lang/program"

// Fault is an error of a part that a run meets, with the block of the pipeline that names the part.
type Fault struct {
	Call program.Call // its Origin is empty if the block is not known
	Err  error
}

// Error returns the message, with the name of the part.
func (f *Fault) Error() string {
	if f.Call.Type == "" {
		return f.Err.Error()
	}
	return f.Call.Type + ": " + f.Err.Error()
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }
