//go:build !linux

package memory

// ResetPeak does nothing here.
func ResetPeak() {}

// Peak is not known here.
func Peak() int64 { return 0 }

// Limit is not known here.
func Limit() int64 { return 0 }
