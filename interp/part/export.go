package part

import (
	"fmt"
	"path"
	"strings"

	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// Exporter writes the final model of a stage into a file that other programs can read. A pipeline names it with
// `export "Type" {}`.
type Exporter interface {
	// Files names the files that Export writes, without folders: "model.onnx". The names depend on the arguments
	// alone, because they must be known before the stage runs.
	Files() []string
	Export(e *Export) error
}

// GraphFitter is an exporter that cannot write every model. Fits is asked before a run starts, of the stage's final model
// without parameters, and says what is wrong with it. A mistake can be named at an argument (see Bad).
type GraphFitter interface {
	Fits(g *nn.Graph) error
}

// Export is what an exporter gets. It must not change the model.
type Export struct {
	Stage    string
	Model    *nn.Graph          // the stage's final model: in int8 if the stage converts to that
	Inputs   []Preprocessing    // how each input of the data was preprocessed
	Classes  [][]string         // names of the classes for each target of the data, nil if no target has names
	Metrics  map[string]float64 // what is known of the model: the values of its last validation by name
	Version  string             // of qpipe
	Pipeline string             // the sha256 of the pipeline's text, "" if it is not known
	// Write writes one of the Files into the stage's folder: the whole file, or nothing.
	Write func(name string, data []byte) error
}

// Exported lets an exporter write.
func Exported(x Exporter, e *Export) (err error) {
	defer Guard(&err, "Export")
	return x.Export(e)
}

// ExporterPart makes a row of the exporter shelf.
func ExporterPart[A any](name, doc string, defaults A, build func(A) (Exporter, error)) Part {
	return row(program.ExportKind, name, doc, defaults, build)
}

// CheckFiles returns an error if an exporter may not use one of the names. A name must have an extension other than
// .safetensors, which is for checkpoints. It must not contain a folder or begin with a dot.
func CheckFiles(names []string) error {
	for i, name := range names {
		ext := path.Ext(name)
		switch {
		case name == "" || name[0] == '.' || strings.ContainsAny(name, `/\`) || len(name) > 100:
			return fmt.Errorf("it cannot write a file %q: the name must not have a folder, a dot in front or more than 100 letters", name)
		case ext == "" || ext == "." || ext == ".safetensors":
			return fmt.Errorf("it cannot write a file %q: the name needs an extension, and .safetensors is for checkpoints only", name)
		}
		for _, other := range names[:i] {
			if other == name {
				return fmt.Errorf("it writes %q twice", name)
			}
		}
	}
	return nil
}
