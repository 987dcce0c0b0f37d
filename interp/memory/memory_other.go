//go:build !linux

package memory

// ResetPeak does nothing on this system.
func ResetPeak() {}

// Peak is not known on this system.
func Peak() int64 { return 0 }

// Limit is not known on this system.
func Limit() int64 { return 0 }
