package kerneltest_test

import (
	"testing"

	"qpipe/internal/refvec"
	"qpipe/ops/kernel/sets"
)

// TestIntegerInference gives every set the graphs of the reference vectors for
// integer inference. Graphs with an operator that qpipe lacks are skipped.
func TestIntegerInference(t *testing.T) {
	refvec.Run(t, "intinfer", func(t *testing.T, c *refvec.Case) {
		for _, s := range sets.All() {
			t.Run(s.Name, func(t *testing.T) {
				m := newMachine(t, s, c)
				m.run()
				for _, name := range c.Outputs {
					y := m.env[name]
					if y.codes != nil && y.f != nil { // dequantized
						y = &value{shape: y.shape, f: y.f}
					}
					refvec.Check(t, c, name, m.float(y).result())
				}
			})
		}
	})
}
