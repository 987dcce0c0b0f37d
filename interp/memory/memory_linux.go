// Package memory finds out how much memory this process may have, and how much it has had.
package memory

import (
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"qpipe/lang/files"
)

// ResetPeak resets the kernel's record of the process's peak memory (proc(5), clear_refs), if that is possible.
func ResetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o200) }

// Peak is the process's peak resident memory in bytes since ResetPeak, 0 if it is not known.
func Peak() int64 {
	status, _ := procFile("/proc/self/status") // without it, the peak is not known
	return kilobytes(string(status), "VmHWM:")
}

// procFile reads a file of /proc or /sys.
func procFile(path string) ([]byte, error) { return files.Read(path, 1<<20) }

// Limit is how many bytes this process may have: the least of what the machine has, what its control groups allow and
// what its own limit leaves; 0 if that is not known. It does not depend on other processes.
func Limit() int64 {
	var own syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_AS, &own); err != nil {
		own.Cur = math.MaxUint64
	}
	return limitOf(procFile, own.Cur)
}

// limitOf is Limit, given a function that reads /proc and /sys and the limit of the address space.
func limitOf(read func(path string) ([]byte, error), own uint64) int64 {
	text := func(path string) string {
		b, _ := read(path) // a missing file is no limit
		return string(b)
	}
	limit := kilobytes(text("/proc/meminfo"), "MemTotal:")
	if limit == 0 {
		return 0
	}
	least := func(n uint64) { limit = int64(min(uint64(limit), n)) }
	for _, path := range limitFiles(text("/proc/self/cgroup")) {
		if n, err := strconv.ParseUint(strings.TrimSpace(text(path)), 10, 64); err == nil && n > 0 { // "max" is no limit
			least(n)
		}
	}
	if own < math.MaxInt64 {
		// Most of the address space that Go has is only reserved.
		status := text("/proc/self/status")
		if reserved := kilobytes(status, "VmSize:") - kilobytes(status, "VmRSS:"); reserved > 0 {
			own -= min(own, uint64(reserved))
		}
		least(max(own, 1))
	}
	return limit
}

// limitFiles lists the files with limits of the process's control groups: its own and those above, in version 2 and in
// version 1.
func limitFiles(groups string) (paths []string) {
	for line := range strings.Lines(groups) {
		word := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(word) != 3 {
			continue
		}
		root, name := "/sys/fs/cgroup", "memory.max"
		switch {
		case slices.Contains(strings.Split(word[1], ","), "memory"):
			root, name = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		case word[1] != "":
			continue
		}
		for group := path.Join("/", word[2]); ; group = path.Dir(group) {
			paths = append(paths, path.Join(root, group, name))
			if group == "/" {
				break
			}
		}
	}
	return paths
}

// kilobytes reads a line of a file of /proc, in bytes; 0 if it is missing.
func kilobytes(text, name string) int64 {
	_, rest, _ := strings.Cut(text, name)
	line, _, ok := strings.Cut(rest, " kB")
	n, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	if !ok || err != nil {
		return 0
	}
	return n << 10
}
