// Package random has the one generator of pseudo-random bits.
package random

// SplitMix is SplitMix64 (Steele, Lea, Flood 2014): small, seedable, and the same on every
// machine. Its value is its state; 0 is the generator of seed 0.
type SplitMix uint64

// Next returns the next 64 bits.
func (s *SplitMix) Next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}
