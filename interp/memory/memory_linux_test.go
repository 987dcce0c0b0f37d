package memory

import (
	"errors"
	"math"
	"testing"
)

// TestLimitOf: what a process may have is the least of what the machine has, its
// control groups allow, also those above its own, and its own limit leaves.
func TestLimitOf(t *testing.T) {
	const none = math.MaxUint64
	machine := map[string]string{
		"/proc/meminfo":     "MemTotal:       16384 kB\nMemFree:         4 kB\n",
		"/proc/self/status": "Name:\tx\nVmSize:\t    3072 kB\nVmRSS:\t    1024 kB\n",
	}
	for _, c := range []struct {
		name  string
		files map[string]string
		own   uint64
		want  int64
	}{
		{"the machine", nil, none, 16 << 20},
		{"no limit in version 2", map[string]string{"/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/memory.max": "max\n"}, none, 16 << 20},
		{"version 2", map[string]string{"/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/memory.max": "8388608\n"}, none, 8 << 20},
		{"a group above", map[string]string{"/proc/self/cgroup": "0::/a/b/c\n", "/sys/fs/cgroup/a/b/c/memory.max": "max\n", "/sys/fs/cgroup/a/memory.max": "4194304\n"}, none, 4 << 20},
		{"inside of a container", map[string]string{"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "4194304\n"}, none, 4 << 20},
		{"version 1", map[string]string{"/proc/self/cgroup": "5:cpu,memory:/a\n2:cpu:/b\n0::/\n", "/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "2097152\n"}, none, 2 << 20},
		{"no limit in version 1", map[string]string{"/proc/self/cgroup": "5:memory:/a\n", "/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n"}, none, 16 << 20},
		{"an address space of its own", nil, 6 << 20, 4 << 20},
		{"one that is used up", nil, 1 << 20, 1},
		{"nonsense", map[string]string{"/proc/self/cgroup": ":::\n\nx\n0::\n", "/sys/fs/cgroup/memory.max": "many\n"}, none, 16 << 20},
		{"no machine", map[string]string{"/proc/meminfo": ""}, none, 0},
	} {
		read := func(path string) ([]byte, error) {
			if text, ok := c.files[path]; ok {
				return []byte(text), nil
			}
			if text, ok := machine[path]; ok {
				return []byte(text), nil
			}
			return nil, errors.New("not there")
		}
		if got := limitOf(read, c.own); got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, got, c.want)
		}
	}
	if n := Limit(); n < 1<<20 {
		t.Errorf("this process may have %d bytes", n)
	}
}
