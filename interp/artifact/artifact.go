// Package artifact reads and writes the files that a run leaves: checkpoints and int8 models (safetensors), the
// manifest, the event and metrics logs, dumps of what a network computes. Every file is versioned and replaced
// atomically. It trains nothing and judges no pipeline.
package artifact

import (
	"fmt"

	"qpipe/lang/diag"
)

// FileError is an error about one file: what is wrong with it, and the code that it is shown under.
type FileError struct {
	Path string
	Code diag.Code
	Err  error
}

// Error names the file and what is wrong with it.
func (e *FileError) Error() string { return e.Path + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *FileError) Unwrap() error { return e.Err }

func damaged(path, format string, a ...any) error {
	return &FileError{path, diag.Damaged, fmt.Errorf(format, a...)}
}
