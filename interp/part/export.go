package part

import (
	"fmt"
	"path"
	"strings"

	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// Exporter writes the model that a stage leaves in a form that other programs read. It is what `export "Type" {}`
// in a stage names.
type Exporter interface {
	// Files names the files that Export writes, without folders: "model.onnx". They must be known before the
	// stage runs, and depend on the arguments alone.
	Files() []string
	Export(e *Export) error
}

// Export is what an exporter works on. It changes nothing of it.
type Export struct {
	Stage   string
	Model   *nn.Graph       // as the stage leaves it: its int8 form where the stage converts to that
	Inputs  []Preprocessing // what the inputs of the data went through
	Classes [][]string      // names of the classes by target of the data, nil where none has any
	// Write writes one of the Files into the stage's folder. It is there as a whole, or not at all.
	Write func(name string, data []byte) error
}

// ExporterPart makes a row of the exporter shelf.
func ExporterPart[A any](name, doc string, defaults A, build func(A) (Exporter, error)) Part {
	return row(program.ExportKind, name, doc, defaults, build)
}

// CheckFiles refuses names that an exporter may not write under: a file's name has an ending that is not that of a
// checkpoint, no folder, and no dot in front.
func CheckFiles(names []string) error {
	for i, name := range names {
		ext := path.Ext(name)
		switch {
		case name == "" || name[0] == '.' || strings.ContainsAny(name, `/\`) || len(name) > 100:
			return fmt.Errorf("it cannot write a file %q: a file's name has no folder, no dot in front and at most 100 letters", name)
		case ext == "" || ext == "." || ext == ".safetensors":
			return fmt.Errorf("it cannot write a file %q: a file's name has an ending, which is not that of checkpoints", name)
		}
		for _, other := range names[:i] {
			if other == name {
				return fmt.Errorf("it writes %q twice", name)
			}
		}
	}
	return nil
}
