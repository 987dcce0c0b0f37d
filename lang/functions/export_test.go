package functions

import (
	"maps"

	"github.com/zclconf/go-cty/cty/function"
)

// All is what is left for a pipeline.
func (b *Budget) All() int { return b.all }

// AllUnits is what there is for a pipeline.
const AllUnits = allUnits

// Unmetered are the functions as they are: those of the table take values of any type, and convert them.
func Unmetered(dir string, b *Budget) map[string]function.Function {
	out := map[string]function.Function{"try": tryFunc(), "can": canFunc()}
	for _, set := range []map[string]function.Function{numeric(), text(b), collections(), encodings(), fileFuncs(dir, b)} {
		maps.Copy(out, set)
	}
	return out
}
