// Package random has the one generator of pseudo-random bits.
package random

import "hash/fnv"

// SplitMix is SplitMix64 (Steele, Lea, Flood 2014): small, seedable, and the same on every
// machine. Its value is its state; 0 is the generator of seed 0.
type SplitMix uint64

// Next returns the next 64 bits.
func (s *SplitMix) Next() uint64 {
	*s += step
	z := uint64(*s)
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// step is what the state grows by with each number.
const step = 0x9e3779b97f4a7c15

// At returns the number that follows after i others: any of them, without computing those.
func (s SplitMix) At(i uint64) uint64 {
	s += SplitMix(i * step)
	return s.Next()
}

// Hash is a key that stands for a name: its 64-bit FNV-1a hash.
func Hash(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}
