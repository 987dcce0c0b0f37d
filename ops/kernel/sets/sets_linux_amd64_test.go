package sets

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestNoneSkipped: what the kernel of the operating system says the processor has is
// enough for a set, then the set is there.
func TestNoneSkipped(t *testing.T) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Skip(err)
	}
	_, flags, _ := strings.Cut(string(info), "\nflags")
	flags, _, _ = strings.Cut(flags, "\n")
	has := strings.Fields(flags)
	for name, needs := range map[string]string{
		"avx2":   "avx2 fma",
		"avx512": "avx2 fma avx512f avx512bw avx512vl avx512dq avx512_vnni",
	} {
		capable := true
		for _, f := range strings.Fields(needs) {
			capable = capable && slices.Contains(has, f)
		}
		if there := slices.Contains(Names(), name); there != capable {
			t.Errorf("the set %s is there: %v; the machine can run it: %v", name, there, capable)
		}
	}
}
