//go:build !linux

package cli

// clearPeak does nothing here.
func clearPeak() {}

// peakMemory is not known here.
func peakMemory() int64 { return 0 }

// processMemory is not known here.
func processMemory() int64 { return 0 }
