package kerneltest_test

import (
	"os"
	"testing"

	"qpipe/ops/kernel/kerneltest"
	"qpipe/ops/kernel/sets"
)

// TestSets runs every kernel of every set that this machine can run.
func TestSets(t *testing.T) {
	count := 250
	switch {
	case testing.Short():
		count = 60
	case os.Getenv("QPIPE_LONG") != "":
		count = 1000
	}
	for _, s := range sets.All() {
		t.Run(s.Name, func(t *testing.T) { kerneltest.Check(t, s, count) })
	}
}
