package cli

import (
	"bytes"
	"os"
	"strconv"

	"qpipe/lang/files"
)

// clearPeak restarts the kernel's mark of the process's peak memory (proc(5),
// clear_refs); where it cannot be, the mark stays.
func clearPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o200) }

// peakMemory is the process's peak resident memory in bytes since the mark, 0
// where it is not known.
func peakMemory() int64 {
	status, err := files.Read("/proc/self/status", 1<<20)
	if err != nil {
		return 0
	}
	_, rest, ok := bytes.Cut(status, []byte("VmHWM:"))
	line, _, ok2 := bytes.Cut(rest, []byte(" kB"))
	n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64)
	if !ok || !ok2 || err != nil {
		return 0
	}
	return n << 10
}
