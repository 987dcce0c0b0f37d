package kerneltest_test

import (
	"testing"

	"qpipe/ops/kernel/kerneltest"
	"qpipe/ops/kernel/sets"
)

// TestSets runs every kernel of every set that this machine can run.
func TestSets(t *testing.T) {
	count := 500
	if testing.Short() {
		count = 60
	}
	for _, s := range sets.All() {
		t.Run(s.Name, func(t *testing.T) { kerneltest.Check(t, s, count) })
	}
}
